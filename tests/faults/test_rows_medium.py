"""Rows of the fault matrix about the disk below a destination: it rots, stops, freezes, hangs (49, 50, 55, 56)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.faults.each_call import command
from tests.faults.gate import Gate, needs_gate
from tests.faults.world import COLDCHAIN, World
from tests.promises.lab import names
from tests.stores.local.carrying import Mounts, needs_root, run

pytestmark = [needs_root, needs_gate]
LIMIT_S = 180


def rot(image: Path, file: Path) -> None:
    """Change the first byte of a file on its medium, behind the back of the file system and its cache."""
    listing = run("filefrag", "-e", "-b4096", file)
    found = re.search(r"^\s+0:\s+0\.\.\s*\d+:\s+(\d+)\.\.", listing, re.MULTILINE)
    assert found, listing
    with image.open("r+b") as medium:
        medium.seek(int(found[1]) * 4096)
        before = medium.read(1)
        medium.seek(-1, os.SEEK_CUR)
        medium.write(bytes([before[0] ^ 0xFF]))


def test_row49_a_byte_that_rotted_under_a_warm_cache_is_seen_by_check_and_mended(
    tmp_path: Path, mounts: Mounts, gate: Gate
) -> None:
    image = mounts.image("mkfs.ext4", "-q", "-b4096")
    world = World(tmp_path, at={"nas": mounts.ext4(image)})
    world.write("f", b"irreplaceable " * 20_000)
    world.write("g", b"g")
    assert world.run().code == 0
    there = world.at["nas"] / "f"
    content = there.read_bytes()
    rot(image, there)
    assert there.read_bytes() == content, "the cache is warm: an ordinary read cannot tell"
    checked = command(gate, world, "check", "j")
    assert checked.code == 4, checked
    assert re.search(r"\bf\b", checked.said), checked
    assert command(gate, world, "check", "j", "--repair").code == 0
    assert command(gate, world, "check", "j").code == 0
    run("umount", world.at["nas"])
    run("mount", "-o", "loop", image, world.at["nas"])
    assert there.read_bytes() == content
    world.judge(world.run(), lost={})


def test_row50_rot_that_keeps_size_and_time_is_seen_by_check_and_mended_from_the_source(
    world: World, gate: Gate
) -> None:
    world.write("f", b"A" * 5000)
    assert world.run().code == 0
    there = world.at["nas"] / "f"
    status = there.stat()
    there.write_bytes(b"A" * 4999 + b"B")
    os.utime(there, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert command(gate, world, "check", "j").code == 4
    assert command(gate, world, "run", "j").code == 4, "nor does a run say that all is well"
    assert there.read_bytes() == b"A" * 4999 + b"B", "it may be somebody's work: only a repair sets it aside"
    assert command(gate, world, "check", "j").code == 4, "until it is mended"
    assert command(gate, world, "check", "j", "--repair").code == 0
    assert there.read_bytes() == b"A" * 5000
    assert command(gate, world, "run", "j").code == 0
    world.judge(world.run(), lost={})


def test_row55_a_file_system_that_gives_up_is_told_and_the_other_destination_is_complete(
    tmp_path: Path, mounts: Mounts, gate: Gate
) -> None:
    """The kernel says "rw" of it to whoever asks /proc/mounts, and EROFS to whoever writes."""
    image = mounts.image("mkfs.ext4", "-q")
    run("tune2fs", "-e", "remount-ro", image)
    world = World(tmp_path, ("ext4", "nas"), at={"ext4": mounts.ext4(image)})
    world.write("a", b"a")
    assert world.run().code == 0
    world.write("b", b"b")
    device = run("findmnt", "-no", "SOURCE", world.at["ext4"]).strip().rpartition("/")[2]
    Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("x")
    ended = world.run()
    assert ended.code == 3, ended.said
    assert {name for _, name in ended.troubles} <= {"ext4"}
    assert (world.at["nas"] / "b").read_bytes() == b"b"
    world.judge(ended, lost={})
    run("umount", world.at["ext4"])
    subprocess.run(["fsck.ext4", "-fy", str(image)], capture_output=True, check=False)
    run("mount", "-o", "loop", image, world.at["ext4"])
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})


def test_row56_a_frozen_disk_is_waited_for(tmp_path: Path, mounts: Mounts) -> None:
    """Whoever writes to it stands still where not even SIGKILL reaches; so the thaw is armed before the frost."""
    world = World(tmp_path, at={"nas": mounts.ext4(mounts.image("mkfs.ext4", "-q"))})
    world.write("a", b"a")
    assert world.run().code == 0
    world.write("b", b"b")
    nas = str(world.at["nas"])
    with subprocess.Popen(["sh", "-c", f"sleep 4; fsfreeze -u '{nas}'"]) as thaw:
        run("fsfreeze", "-f", nas)
        ended = world.run()
        assert thaw.wait(LIMIT_S) == 0
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})


@pytest.mark.parametrize("meanwhile", ["wakes", "is killed"])
def test_row56_a_mount_that_hangs_does_not_hold_the_other_destination_up(
    tmp_path: Path, mounts: Mounts, meanwhile: str
) -> None:
    faulty = mounts.fuse({})
    world = World(tmp_path, ("nas", "hung"), at={"hung": faulty.place})
    world.write("a", b"a")
    assert world.run_command().code == 0
    children = (one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE)
    (server,) = (one for one in children if str(faulty.place) in one.cmdline())
    for number in range(30):
        world.write(f"d/f{number:02}", os.urandom(400_000))
    words = [*COLDCHAIN, "run", "j", "--config", str(world.file)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        until(lambda: bool(names(world.folder / "nas", "*.~*")) or (world.folder / "nas" / "d").exists())
        server.send_signal(signal.SIGSTOP)
        try:
            whole = len(world.history)
            until(lambda: sum(file.is_file() for file in (world.at["nas"] / "d").glob("f*")) == whole - 1)
            if meanwhile == "is killed":
                process.send_signal(signal.SIGKILL)
        finally:
            server.send_signal(signal.SIGCONT)
        said = process.communicate(timeout=LIMIT_S)[0].decode()
    assert process.returncode in {0, 3, -signal.SIGKILL}, said
    ended = world.run_command()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})
    assert not world.leftovers()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)
