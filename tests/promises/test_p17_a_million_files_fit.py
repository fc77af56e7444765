"""P17: memory does not grow with the number of files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises.lab import COLDCHAIN, Lab

MANY, FEW = 200_000, 2_000
LIMIT_KIB = 30 << 10
MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, 1, 0)])
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


@pytest.fixture
def roomy() -> Iterator[Path]:
    """A folder in memory, where two hundred thousand names are made in a moment."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    yield folder
    shutil.rmtree(folder)


def peak_kib(lab: Lab, *words: str) -> int:
    """The most memory that the command had."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *COLDCHAIN, *words],
        cwd=lab.folder,
        env=lab.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    code, peak = map(int, done.stdout.split())
    assert code == 0, done.stderr
    return peak


def fill(lab: Lab, number: int) -> None:
    first = lab.source / "first"
    first.touch()
    for folder in range(number // 1000):
        below = lab.source / f"run/day{folder:04d}"
        below.mkdir(parents=True)
        for name in range(1000):
            os.link(first, below / f"image-with-a-name-of-some-length-{name:06d}.tif")


def test_a_plan_of_two_hundred_thousand_files_needs_no_more_memory_than_one_of_two_thousand(roomy: Path) -> None:
    peaks = {}
    for number in (FEW, MANY):
        lab = Lab(roomy / str(number))
        (lab.source / "one").touch()
        lab.ready()
        fill(lab, number)
        peaks[number] = peak_kib(lab, "plan", "--short")
    assert peaks[MANY] - peaks[FEW] < LIMIT_KIB, peaks
