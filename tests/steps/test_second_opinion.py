"""Do other programs say what they are asked, whatever names there are, and nothing when they cannot?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from coldchain.model import Place, Tally
from coldchain.steps.second_opinion import Opinion, rclone_size, robocopy_paths, would_carry

HOSTILE = [b"plain", b"-rf", b"two\nlines", b"back\\slash", b"i\xe9\xff", b"host:file", b"\\#012"]


def fill(folder: Path, names: list[bytes]) -> Place:
    for name in names:
        path = os.fsencode(folder) + b"/d/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).write_bytes(b"12345")
    return Place("place", str(folder))


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def test_rsync_says_how_many_selected_files_it_would_carry(tmp_path: Path) -> None:
    source, destination = fill(tmp_path / "a", HOSTILE), fill(tmp_path / "b", HOSTILE[:4])
    asked: list[str] = []

    def selected(path: str) -> bool:
        asked.append(path)
        return True

    assert would_carry(source, destination, selected) == Opinion("rsync --dry-run", 3)
    assert {os.fsencode(path) for path in asked} == {b"d/" + name for name in HOSTILE[4:]}


def test_a_difference_in_size_would_be_carried_and_coldchains_own_folder_would_not(tmp_path: Path) -> None:
    source, destination = fill(tmp_path / "a", [b"x"]), fill(tmp_path / "b", [b"x"])
    (tmp_path / "a" / ".coldchain").mkdir()
    (tmp_path / "a" / ".coldchain" / "destination.json").write_bytes(b"{}")
    assert would_carry(source, destination, lambda path: True) == Opinion("rsync --dry-run", 0)
    (tmp_path / "b" / "d" / "x").write_bytes(b"half")
    assert would_carry(source, destination, lambda path: True) == Opinion("rsync --dry-run", 1)


def test_rclone_counts_a_folder(tmp_path: Path) -> None:
    place = fill(tmp_path / "a", HOSTILE)
    (tmp_path / "a" / ".coldchain").mkdir()
    (tmp_path / "a" / ".coldchain" / "destination.json").write_bytes(b"{}")
    assert rclone_size(place) == Tally(len(HOSTILE), 5 * len(HOSTILE))


def test_there_is_no_answer_where_nobody_can_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, destination = fill(tmp_path / "a", [b"x"]), Place("there", "s3://bucket/prefix")
    assert would_carry(source, destination, lambda path: True) is None
    assert rclone_size(destination) is None
    assert rclone_size(Place("gone", str(tmp_path / "gone"))) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert would_carry(source, source, lambda path: True) is None
    assert rclone_size(source) is None


def test_a_folder_is_no_file_that_would_be_carried(tmp_path: Path) -> None:
    source, destination = fill(tmp_path / "a", [b"x", b"new/y"]), fill(tmp_path / "b", [b"x"])
    asked: list[str] = []

    def selected(path: str) -> bool:
        asked.append(path)
        return True

    assert would_carry(source, destination, selected) == Opinion("rsync --dry-run", 1)
    assert asked == ["d/new/y"]


def test_nobody_is_asked_of_a_place_whose_name_could_be_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local, remote = fill(tmp_path / "a", [b"x"]), Place("there", "s3://bucket/d")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RCLONE_CONFIG_BUCKET_TYPE", "alias")  # a remote of the person's, and no bucket
    monkeypatch.setenv("RCLONE_CONFIG_BUCKET_REMOTE", str(tmp_path / "a"))
    for other in (remote, Place("relative", "a"), Place("host", "host:a")):
        assert would_carry(local, other, lambda path: True) is None
        assert would_carry(other, local, lambda path: True) is None
        assert rclone_size(other) is None


def test_a_remote_of_the_persons_own_is_counted_with_the_persons_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "a", HOSTILE)
    settings = tmp_path / "home" / ".config" / "rclone" / "rclone.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[filed]\ntype = alias\nremote = {tmp_path}\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("RCLONE_CONFIG_SPOKEN_TYPE", "alias")
    monkeypatch.setenv("RCLONE_CONFIG_SPOKEN_REMOTE", str(tmp_path))
    for remote in ("filed", "spoken"):
        assert rclone_size(Place("there", f"rclone://{remote}/a")) == Tally(len(HOSTILE), 5 * len(HOSTILE))
    assert rclone_size(Place("there", "rclone://unknown/a")) is None


def test_a_program_that_cannot_be_run_has_no_opinion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rsync", "rclone"):
        (tmp_path / name).write_bytes(b"\x7fno program")
        (tmp_path / name).chmod(0o755)
    place = fill(tmp_path / "a", [b"x"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert would_carry(place, place, lambda path: True) is None
    assert rclone_size(place) is None


def test_the_lines_of_robocopy_are_paths_below_the_source() -> None:
    """As Windows prints them with /L /FP /NS /NC /NDL /NJH /NJS; it never ran here."""
    lines = ["", r"d:\Data\run1\a.tif", r"D:\DATA\run 2\b c.tif", "something else"]
    assert list(robocopy_paths(iter(lines), "D:\\Data\\")) == ["run1/a.tif", "run 2/b c.tif"]
