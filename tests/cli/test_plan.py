"""``coldchain plan`` at the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Desk


def _everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_ctime_ns) for path in folder.rglob("*")}


def test_it_says_what_would_be_done_and_writes_nothing(desk: Desk) -> None:
    assert desk.type("init").code == 0
    before = _everything(desk.folder)
    ended = desk.type("plan")
    assert ended.code == 0
    assert "new      one/0.tif (200 B) -> near\n" in ended.out
    assert "verified already 0  send 4" in ended.out
    assert _everything(desk.folder) == before


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_it_says_why_a_file_is_held_or_refused(stored: Desk) -> None:
    (stored.source / "one" / "new.tif").write_bytes(b"new")
    os.symlink("0.tif", stored.source / "one" / "link.tif")
    ended = stored.type("plan", "--set", "jobs.rig.settle=1 h")
    assert "hold     one/new.tif: modified" in ended.out
    assert "refuse   one/link.tif: a symbolic link" in ended.out
    assert "verified already 4  hold 1  refuse 1" in ended.out


def test_a_dry_run_prints_the_same(stored: Desk) -> None:
    (stored.source / "one" / "new.tif").write_bytes(b"new")
    assert stored.type("plan").out == stored.type("run", "--dry-run").out


def test_json_names_the_dataset_of_each_action(stored: Desk) -> None:
    (stored.source / "one" / "new.tif").write_bytes(b"new")
    action, plan = stored.type("plan", "--json").objects
    assert (action["action"], action["dataset"], action["path"]) == ("send", "one", "one/new.tif")
    assert plan["to_read"] == {"files": 1, "size_bytes": 3}


def test_only_some_destinations(stored: Desk) -> None:
    assert stored.type("plan", "--only", "near").code == 0
    assert "did you mean 'near'?" in stored.type("plan", "--only", "neer").err
