"""How do steps happen on a disk?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from coldchain.errors import StoreError, UsageError
from coldchain.simulate.play import CATCH_UP_S, play
from coldchain.simulate.steps import (
    Append,
    Close,
    MakeFolder,
    Mark,
    Open,
    Opening,
    Pause,
    Remove,
    Rename,
    Step,
    write_file,
)
from tests.simulate.playing import Clock, play_all


def held_open(path: Path) -> bool:
    """Whether this process has the file open, as the kernel sees it."""
    seen = (Path("/proc/self/fd") / fd for fd in os.listdir("/proc/self/fd"))
    return any(link.is_symlink() and os.path.realpath(link) == str(path.resolve()) for link in seen)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


@linux
def test_a_file_is_open_and_growing_while_it_is_written(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "run" / "a.dax"
    steps = [MakeFolder("run"), *write_file("run/a.dax", b"one", b"two", b"three")]
    seen = []
    for progress in play(steps, tmp_path, None, clock.sleep, clock.monotonic):
        if not isinstance(progress.step, MakeFolder):
            seen.append((type(progress.step), path.stat().st_size, held_open(path), progress.files))
    assert seen == [
        (Open, 0, True, 0),
        (Append, 3, True, 0),
        (Append, 6, True, 0),
        (Append, 11, True, 0),
        (Close, 11, False, 1),
    ]


@linux
def test_files_are_let_go_of_when_the_play_is_stopped(tmp_path: Path) -> None:
    clock = Clock()
    playing = play(write_file("a", b"one", b"two"), tmp_path, None, clock.sleep, clock.monotonic)
    next(playing), next(playing)
    assert held_open(tmp_path / "a")
    playing.close()
    assert not held_open(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"one"


def test_nothing_happens_before_it_is_asked_for(tmp_path: Path) -> None:
    clock = Clock()
    play([Mark("a")], tmp_path / "folder", None, clock.sleep, clock.monotonic)
    assert not (tmp_path / "folder").exists()


def test_each_step_does_what_it_says(tmp_path: Path) -> None:
    steps: list[Step] = [
        MakeFolder("a/b"),
        *write_file("a/b/new", b"1", b"2"),
        *write_file("a/b/new", b"3", how=Opening.APPEND),
        *write_file("a/table", b"long and old"),
        *write_file("a/table", b"short", how=Opening.REWRITE),
        Mark("flag"),
        Mark("marker", b"done\n"),
        *write_file("a/x.tmp", b"x"),
        Rename("a/x.tmp", "a/x"),
        Remove("flag"),
        Pause(2.5),
    ]
    progress = play_all(steps, tmp_path)
    found = {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {"a/b/new": b"123", "a/table": b"short", "marker": b"done\n", "a/x": b"x"}
    assert [p.step for p in progress] == steps
    assert progress[-1].size_bytes == len(b"123long and oldshortdone\nx")


def test_the_pace_is_kept(tmp_path: Path) -> None:
    clock = Clock()
    steps = write_file("a", bytes(50_000), bytes(50_000))
    for _ in play(steps, tmp_path, 10_000.0, clock.sleep, clock.monotonic):
        pass
    assert sum(clock.slept) == pytest.approx(10.0)
    assert max(clock.slept) <= 0.11  # it grows smoothly, not frame by frame


def test_a_play_that_fell_behind_does_not_hurry_for_long(tmp_path: Path) -> None:
    clock = Clock()
    steps = [*write_file("a", bytes(1000)), Pause(3600.0), *write_file("b", bytes(10_000))]
    for _ in play(steps, tmp_path, 1000.0, clock.sleep, clock.monotonic):
        pass
    assert clock.now - 1000.0 == pytest.approx(1.0 + 3600.0 + 10.0 - CATCH_UP_S)


def test_without_a_pace_only_pauses_take_time(tmp_path: Path) -> None:
    clock = Clock()
    for _ in play([*write_file("a", bytes(1000)), Pause(5.0)], tmp_path, None, clock.sleep, clock.monotonic):
        pass
    assert clock.slept == [5.0]


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_an_impossible_pace_is_a_usage_error(rate: float, tmp_path: Path) -> None:
    clock = Clock()
    with pytest.raises(UsageError, match="the pace must be above 0"):
        next(play([Mark("a")], tmp_path, rate, clock.sleep, clock.monotonic))


@pytest.mark.parametrize(
    "steps",
    [
        [*write_file("theirs", b"ours")],
        [Mark("theirs")],
        [Mark("ours"), Rename("ours", "theirs")],
        [MakeFolder("theirs")],
    ],
)
def test_a_file_that_is_there_already_is_never_overwritten(steps: list[Step], tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"theirs")
    with pytest.raises(UsageError, match="theirs is there already"):
        play_all(steps, tmp_path)
    assert (tmp_path / "theirs").read_bytes() == b"theirs"


def test_a_folder_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        play_all([Mark("a")], tmp_path / "file" / "below")
