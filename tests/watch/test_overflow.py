"""Is everything there after more happened at once than the system can tell of?"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.watch.lab import Lab, until

QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


@contextmanager
def short_queue() -> Iterator[None]:
    """Whoever begins to listen meanwhile has room for a few events only, and keeps that for life."""
    before = QUEUE.read_text()
    QUEUE.write_text("16")
    try:
        yield
    finally:
        QUEUE.write_text(before)


def many(lab: Lab, files: int, folders: int) -> None:
    """Write so many empty files as fast as can be, and wait until all of them are carried."""
    if not os.access(QUEUE, os.W_OK):
        pytest.skip("only root makes the queue of events shorter")
    with short_queue():
        lab.start()
    for folder in range(folders):
        (lab.source / f"day{folder}").mkdir()
    for number in range(files):
        (lab.source / f"day{number % folders}" / f"{number}").touch()
    until(lambda: sum(1 for _ in lab.at["near"].glob("day*/*")) == files, f"{files} files", 150)
    lab.close()  # the oracle takes minutes for so many, so it is asked for the two trees only
    assert lab.stored() == lab.here()
    ended = lab.type("run", "rig")
    assert (ended.returncode, "in this run" in ended.stdout) == (0, False), ended.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux' own")
def test_files_of_which_the_system_could_not_tell_are_carried(lab: Lab) -> None:
    """Most of the folders are not known to be there: the queue is full before they are listened to."""
    many(lab, 1500, 150)


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux' own")
def test_twenty_thousand_files_at_once_are_all_carried(lab: Lab) -> None:
    many(lab, 20_000, 20)
