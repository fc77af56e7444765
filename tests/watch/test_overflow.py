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


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux' own")
def test_twenty_thousand_files_at_once_are_all_carried(lab: Lab) -> None:
    if not os.access(QUEUE, os.W_OK):
        pytest.skip("only root makes the queue of events shorter")
    with short_queue():
        lab.start()
    for folder in range(20):
        (lab.source / f"day{folder}").mkdir()
    for number in range(20_000):
        (lab.source / f"day{number % 20}" / f"{number}").touch()
    until(lab.is_carried, "20,000 files", 120)
    lab.judge()
