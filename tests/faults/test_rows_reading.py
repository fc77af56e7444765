"""Rows of the fault matrix about how a source is read: mapped files, short reads, very many names (25, 33, 38, 95)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from coldchain.model import State
from tests.faults.each_call import command
from tests.faults.gate import Gate, needs_gate
from tests.faults.world import COLDCHAIN, World
from tests.stores.local.carrying import Mounts, needs_root

_MAPPING = """
import ctypes, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
at = libc.mmap(None, 4096, 3, 1, fd, 0)  # PROT_READ | PROT_WRITE, MAP_SHARED
assert at not in (None, ctypes.c_void_p(-1).value)
os.close(fd)
print(flush=True)
sys.stdin.readline()
ctypes.memmove(at, b"after", 5)
"""
"""Python's own mmap keeps the file open; a program in C need not."""


def test_row25_a_file_that_is_mapped_for_writing_and_closed_is_left_alone(world: World) -> None:
    file = world.write("camera", b"first" + bytes(4091))
    world.write("other", b"other")
    with subprocess.Popen(
        [sys.executable, "-c", _MAPPING, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"\n"
        ended = world.run()
        assert ended.code == 3, ended.said
        assert ended.troubles["camera", "nas"][0] is State.HELD
        assert (world.at["nas"] / "other").exists()
        assert not (world.at["nas"] / "camera").exists()
        writer.communicate(b"\n", timeout=60)
    world.knows("camera", b"after" + bytes(4091))
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended)


@needs_root
def test_row33_a_source_that_gives_less_than_was_asked_for_is_read_to_its_end(tmp_path: Path, mounts: Mounts) -> None:
    faulty = mounts.fuse({"short": 3001}, "--direct")
    world = World(tmp_path, source=faulty.place)
    file = faulty.backing / "f"
    with file.open("wb") as opened:  # a hole in the middle, and its end is one
        opened.write(os.urandom(100_000))
        opened.seek(400_000)
        opened.write(os.urandom(50_000))
        opened.truncate(600_000)
    world.knows("f", file.read_bytes())
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})


@needs_gate
def test_row38_a_file_that_comes_late_is_carried_and_the_manifest_lists_it(world: World, gate: Gate) -> None:
    """With an instrument that says "complete": tests/steps/test_generations.py."""
    world.write("d/f", b"f")
    assert command(gate, world, "run", "j", "--init").code == 0
    world.write("d/e", b"late, and it sorts before")
    assert command(gate, world, "run", "j").code == 0
    world.judge(world.run(), lost={})
    world.verify_manifests()
    (sums,) = (world.at["nas"] / ".coldchain").rglob("*.sha256")
    assert [line.split()[1] for line in sums.read_text().splitlines()] == ["d/e", "d/f"]


@pytest.mark.faults
def test_row95_a_hundred_thousand_files_in_one_folder_take_no_more_memory_than_ten_thousand(stage: Path) -> None:
    peaks = [_peak_bytes(World(stage / str(count)), count) for count in (10_000, 100_000)]
    assert peaks[1] < peaks[0] + (48 << 20), peaks
    assert peaks[1] < 500 << 20


def _peak_bytes(world: World, count: int) -> int:
    """The most memory that a run over so many files of one folder took, and one more with nothing to do."""
    folder = world.source / "d"
    folder.mkdir()
    for number in range(count):
        (folder / f"image_{number:06}.tif").write_bytes(b"%d" % number)
    peak = 0
    for _ in range(2):
        words = [*COLDCHAIN, "run", "j", "--init", "--config", str(world.file)]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peak = max(peak, usage.ru_maxrss * 1024)
    assert sum(1 for _ in os.scandir(world.at["nas"] / "d")) == count
    return peak
