"""Is it known where the file system tells of changes?"""

from __future__ import annotations

from pathlib import Path

from coldchain.hints.mounts import without_events


def test_an_ordinary_disk_tells(tmp_path: Path) -> None:
    assert not without_events(str(tmp_path))


def test_a_folder_that_is_not_there_is_judged_by_what_is_around_it(tmp_path: Path) -> None:
    assert not without_events(str(tmp_path / "not" / "there"))
