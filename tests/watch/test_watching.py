"""Is every file carried, whatever happens to the watcher, its source and its destinations?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.watch.lab import COLDCHAIN, Lab, until


def test_what_was_there_is_carried_at_start_however_old_it_looks(lab: Lab) -> None:
    lab.write("one/old")
    os.utime(lab.source / "one/old", (0, 0))
    lab.start()
    until(lab.is_carried, "the file that was there")
    lab.write("two/older")
    os.utime(lab.source / "two/older", (-86400, -86400))
    until(lab.is_carried, "an old file that came later")
    lab.judge()


def test_a_new_file_is_there_two_seconds_after_it_settled(lab: Lab) -> None:
    """The one promise of a time: `settle` and two seconds; the best of five tries counts, for the machine is shared."""
    lab.write("one/first")
    lab.start()
    until(lab.is_carried, "the first")
    took = []
    for number in range(5):
        begun = time.monotonic()
        lab.write(f"one/{number}")
        until(lab.is_carried, "a new file")
        took.append(time.monotonic() - begun)
        if took[-1] < 3.0:
            break
    assert min(took) < 3.0, took
    lab.judge()


def test_a_watcher_that_has_nothing_to_do_writes_nothing(lab: Lab) -> None:
    lab.write("one/first")
    lab.start()
    until(lab.is_carried, "the first")
    before = lab.type("history", "--json").stdout
    time.sleep(4)  # this is the thing itself: time goes by, and nothing happens
    assert lab.type("history", "--json").stdout == before


def test_kills_while_an_instrument_writes_lose_nothing(lab: Lab) -> None:
    words = [*COLDCHAIN, "simulate", "ifcb", str(lab.source), "--rate", "100 KB/s"]
    with subprocess.Popen(words, cwd=lab.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as instrument:
        try:
            for _ in range(3):
                lab.start()
                until(lambda: len(lab.stored()) > 0 or instrument.poll() is not None, "something is carried")
                time.sleep(1.5)  # somewhere in the middle
                lab.kill()
            lab.start()
            time.sleep(4)
        finally:
            instrument.kill()
            instrument.communicate()
    assert len(list(lab.source.rglob("*.*"))) > 3
    until(lab.is_carried, "everything")
    lab.judge()


@pytest.mark.faults
def test_a_watcher_that_stood_still_looks_at_everything(lab: Lab) -> None:
    """While it is stopped nobody empties the queue of events: 20,000 files overflow it."""
    lab.write("one/first")
    lab.start()
    until(lab.is_carried, "the first")
    assert lab.process is not None
    lab.process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    (lab.source / "two").mkdir()
    for number in range(20_000):
        (lab.source / "two" / f"{number}").touch()
    time.sleep(max(0.0, 4.0 - (time.monotonic() - begun)))
    lab.write("three/last")  # of this one the queue has no room to tell
    lab.process.send_signal(signal.SIGCONT)
    until(lab.is_carried, "20,000 files", 90)
    lab.judge()


def test_thousands_of_renames_end_well(lab: Lab) -> None:
    for number in range(2000):
        lab.write(f"one/{number}", str(number).encode())
    lab.start()
    until(lab.is_carried, "2,000 files")
    for number in range(2000):
        (lab.source / "one" / str(number)).rename(lab.source / "one" / f"{number}.tif")
    (lab.source / "one").rename(lab.source / "moved")
    until(lab.is_carried, "everything under its new name", 60)
    passing = {f"one/{number}.tif": {_sha(number)} for number in range(2000)}  # it may have been there too briefly
    lasting = {name: {_sha(n)} for n in range(2000) for name in (f"one/{n}", f"moved/{n}.tif")}
    lab.judge(passing | lasting, given_up=passing)


def _sha(number: int) -> str:
    import hashlib

    return hashlib.sha256(str(number).encode()).hexdigest()


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_a_name_that_is_no_text_does_not_deafen_it(lab: Lab) -> None:
    lab.start()
    for number in range(2):
        Path(os.fsdecode(os.fsencode(lab.source) + b"/\xff%d" % number)).write_bytes(b"1")
        until(lab.is_carried, "a name that is no UTF-8", 60)
    lab.judge()


def test_a_source_that_is_unmounted_and_comes_back_is_carried(tmp_path: Path) -> None:
    if sys.platform != "linux" or os.geteuid():
        pytest.skip("only root mounts")
    (tmp_path / "disk").mkdir()
    lab = Lab(tmp_path)
    lab.write("one/below")  # so that the disk hides something
    (lab.source / "one/below").unlink()
    (lab.source / "one").rmdir()
    run = subprocess.run
    run(["mount", "--bind", tmp_path / "disk", lab.source], check=True)
    try:
        lab.write("one/first")
        lab.start()
        until(lab.is_carried, "the first")
        run(["umount", "-l", lab.source], check=True)
        until(lambda: "is empty" in lab.said or "volume" in lab.said, "that the source is away is said")
        time.sleep(3)  # long enough for it to be tried again
        (tmp_path / "disk" / "one" / "second").write_bytes(b"2")
        run(["mount", "--bind", tmp_path / "disk", lab.source], check=True)
        until(lab.is_carried, "what came meanwhile")
        lab.write("two/third")
        until(lab.is_carried, "what comes now")
        assert lab.said.count("is empty") <= 2, lab.said
        lab.close()
        lab.judge()
    finally:
        lab.close()
        run(["umount", "-l", lab.source], check=False)


def test_a_destination_that_is_away_is_said_once_and_gets_everything_later(tmp_path: Path) -> None:
    lab = Lab(tmp_path, ("near", "far"))
    lab.write("one/first")
    lab.start()
    try:
        until(lab.is_carried, "the first")
        lab.at["far"].rename(tmp_path / "gone")
        for number in range(4):
            lab.write(f"one/{number}")
            until(lambda number=number: f"one/{number}" in lab.stored("near"), "the other one is served")  # type: ignore[misc]
        state = lab.type("status")
        assert "down         far" in state.stdout
        (tmp_path / "gone").rename(lab.at["far"])
        until(lab.is_carried, "what it missed", 60)
        until(lambda: "far is back" in lab.said, "that it is back is said")
        assert lab.said.count("far is back") == 1
        assert lab.said.count("the others are served meanwhile") == 1, lab.said
        lab.judge()
    finally:
        lab.close()


def test_a_file_that_fails_for_ever_is_said_once_and_stops_nobody(lab: Lab) -> None:
    lab.write("one/wrong", b"ours")
    (lab.at["near"] / "one").mkdir()
    (lab.at["near"] / "one" / "wrong").write_bytes(b"theirs")
    lab.start()
    for number in range(4):
        lab.write(f"one/{number}")
        until(lambda number=number: f"one/{number}" in lab.stored(), "the others")  # type: ignore[misc]
    assert sum("one/wrong" in line for line in lab.said.splitlines()) == 1, lab.said
    assert (lab.at["near"] / "one" / "wrong").read_bytes() == b"theirs"


def test_a_source_without_events_is_listed(tmp_path: Path) -> None:
    lab = Lab(tmp_path, poll="1 s")
    lab.start()
    try:
        assert "by a look every 1 s" in lab.type("status").stdout
        lab.write("first")
        until(lab.is_carried, "a file beside the folders")
        lab.write("one/two/three/second")
        until(lab.is_carried, "a file deep down")
        lab.judge()
    finally:
        lab.close()


def test_the_lock_of_a_watcher_is_not_that_of_its_runs(lab: Lab) -> None:
    lab.write("one/first")
    lab.start()
    until(lab.is_carried, "the first")
    assert lab.type("run", "rig").returncode == 0
    refused = lab.type("watch", "rig")
    assert refused.returncode == 5, refused.stderr


def test_a_killed_watcher_is_called_dead_and_starts_again(lab: Lab) -> None:
    lab.start()
    lab.kill()
    ended = lab.type("status")
    assert (ended.returncode, "DEAD" in ended.stdout) == (3, True)
    lab.start()
    assert lab.type("status").returncode == 0
