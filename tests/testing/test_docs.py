"""Does the page about testing show what works?"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from coldchain.testing import MemoryStore
from coldchain.testing.contract import StoreContract

PAGE = Path(__file__).resolve().parents[2] / "docs" / "testing.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_each_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = ModuleType("mylab.shelf")
    shelf.ShelfStore = MemoryStore  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mylab", ModuleType("mylab"))
    monkeypatch.setitem(sys.modules, "mylab.shelf", shelf)
    names: dict[str, Any] = {"__name__": "page"}
    for block in BLOCKS:
        exec(compile(block, PAGE, "exec"), names)
    assert len(BLOCKS) == 3
    assert issubclass(names["TestShelfStore"], StoreContract)
    assert {name for name in vars(names["TestShelfStore"]) if not name.startswith("__")} == {
        name for parent in StoreContract.__mro__ for name in vars(parent) if name in HOOKS
    }
    names["memory"].forget()


HOOKS = {"store", "reopen", "tamper", "remove_root"}


def test_every_public_name_is_on_the_page() -> None:
    import coldchain.testing

    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in coldchain.testing.__all__ if name not in page and name not in {"Call", "Stall"}] == []


def test_every_test_of_the_contract_has_its_sentence() -> None:
    tests = [test for name, test in inspect.getmembers(StoreContract) if name.startswith("test_")]
    assert len(tests) > 60
    assert [test.__name__ for test in tests if not inspect.getdoc(test)] == []
