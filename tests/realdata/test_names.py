"""Does whatever name the source holds arrive unchanged (P16)?"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from coldchain.steps.identify import Writer
from tests.realdata.field import Field, make, sent, tree, typed, verified
from tests.realdata.hostile import by_hand, contents, naughty
from tests.realdata.life import arrives, comes_back, holds, is_told, survives_its_ledger


def lives(field: Field) -> None:
    here = arrives(field)
    is_told(field, list(here))
    comes_back(field, here, survives_its_ledger(field, here))


def shown(field: Field) -> None:
    """Whatever is printed for people shows every file, and steers no terminal (``Field`` looks at each output)."""
    field.many([["plan"], ["list", "--long"], ["history"], ["report"], ["doctor"], ["check"]])


@pytest.mark.parametrize("datasets", ["whole", "folders"])
def test_p16_names_made_by_hand(tmp_path: Path, datasets: str) -> None:
    source = tmp_path / "source"
    make(source, contents(by_hand()))
    field = Field(tmp_path / "field", source, ("{dataset}/{path}",), datasets=datasets)
    field("init")
    assert len(field("plan").out.splitlines()) >= len(by_hand())
    shutil.rmtree(field.state)
    lives(field)
    shown(field)


def test_p16_the_big_list_of_naughty_strings(data: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    names = naughty(data)
    assert len(names) == 329
    make(source, contents(names))
    shutil.copytree(data / "names" / "weird-file-names", source / "weird-file-names", copy_function=shutil.copy2)
    field = Field(tmp_path / "field", source, ("x/{job}/{path}",), datasets="whole")
    lives(field)
    shown(field)
