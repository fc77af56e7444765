"""Do coldchain's own folders belong to one account alone?"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldchain.content.private import make_private


@pytest.fixture(autouse=True)
def generous() -> Iterator[None]:
    """An account whose new folders everybody may enter."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


@pytest.mark.skipif(sys.platform == "win32", reason="rights are lists there, and inherited")
def test_p14_every_folder_that_is_made_is_private_and_those_that_stood_there_stay(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    for _ in range(2):
        make_private(there / "a/b/c")
        assert [mode(there / name) for name in ("a", "a/b", "a/b/c")] == [0o700] * 3
        assert mode(there) == 0o755


def test_who_was_quicker_is_no_error(tmp_path: Path) -> None:
    make_private(tmp_path / "a")
    make_private(tmp_path / "a")
    make_private(tmp_path)
