"""What do coldchain and other programs lose to the same faults?

``python -m benchmarks.faults``, or ``make peers``.  Each trial is a machine of its own under User-Mode Linux (see
tests/faults/uml/machine.py): forty files are moved or copied from one disk to another, the program says that it is
done, the source goes (by the program itself where it offers that, else at once), and the power is cut some seconds
later.  What is left is counted on the disks, by content.  Must be run by root.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.measuring import print_line
from benchmarks.tools import where
from coldchain.testing.oracle import read_tree
from tests.faults.uml.machine import Machine, make_disk, mounted

FILES, SIZE_BYTES = 40, 150_000
SYSTEMS = {"ext4": 192, "xfs": 320, "btrfs": 256}
DELAYS_S = (0, 8)
_DONE = "PROGRAM-ENDED"
_COLDCHAIN = """\
version = 1
state = "/run/disk/state"
[jobs.j]
source = "/run/other/source"
destinations = ["disk"]
settle = "0 s"
[destinations.disk]
url = "/run/disk/stored"
"""


class Peer(NamedTuple):
    """A program that brings files from ``/run/other/source`` to ``/run/disk/stored``."""

    title: str
    command: str
    program: str
    """What must be installed for it; "" for coldchain itself."""


_SIDES = "/run/other/source/ /run/disk/stored/"
_AWAY = "&& rm -r /run/other/source"
PEERS = (
    Peer("cp -r, then rm", f"cp -r /run/other/source/. /run/disk/stored {_AWAY}", "cp"),
    Peer("mv", "mv /run/other/source/* /run/disk/stored/", "mv"),
    Peer("rclone move", "rclone move /run/other/source /run/disk/stored", "rclone"),
    Peer("rsync -a --remove-source-files", f"rsync -a --remove-source-files {_SIDES}", "rsync"),
    Peer("rsync -a --fsync --remove-source-files", f"rsync -a --fsync --remove-source-files {_SIDES}", "rsync"),
    Peer("coldchain run, then rm", f"coldchain run j --init --config /run/coldchain.toml {_AWAY}", ""),
)  # fmt: skip


def main() -> int:
    """Try each program on each file system, at each moment; print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--system", action="append", choices=SYSTEMS, help="only these file systems")
    wanted = parser.parse_args()
    systems = wanted.system or list(SYSTEMS)
    print_line("| program | " + " | ".join(f"{kind}, {delay} s" for kind in systems for delay in DELAYS_S) + " |")
    print_line("|---|" + "--:|" * (len(systems) * len(DELAYS_S)))
    for peer in PEERS:
        if peer.program and where(peer.program) is None:
            print_line(f"| {peer.title} | not installed |")
            continue
        lost = [str(_lost(peer, kind, delay)) for kind in systems for delay in DELAYS_S]
        print_line(f"| {peer.title} | {' | '.join(lost)} |")
    print_line(f"\nfiles lost of {FILES}, when the power is cut so many seconds after the program ended with 0")
    return 0


def _lost(peer: Peer, kind: str, delay_s: float) -> int:
    """How many contents are at neither side after the cut."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        near = make_disk(folder / "near.img", "ext4", 64)
        far = make_disk(folder / "far.img", kind, SYSTEMS[kind])
        with mounted(near, folder / "mnt") as place:
            expected = set(_fill(place / "source"))
        (folder / "coldchain.toml").write_text(_COLDCHAIN)
        _live(peer, kind, delay_s, folder, {"ubda": far, "ubdb": near})
        found: set[str] = set()
        for disk in (near, far):
            with mounted(disk, folder / "mnt") as place:
                found |= set(read_tree(place).values())
    return len(expected - found)


def _fill(folder: Path) -> Iterator[str]:
    noise = random.Random(1)
    folder.mkdir()
    for number in range(FILES):
        content = noise.randbytes(SIZE_BYTES)
        (folder / f"image{number:02}.raw").write_bytes(content)
        yield hashlib.sha256(content).hexdigest()


def _live(peer: Peer, kind: str, delay_s: float, folder: Path, disks: dict[str, Path]) -> None:
    script = f"""
    PATH={Path(sys.executable).parent}:$PATH
    mount -t {kind} /dev/ubda /run/disk; mount -t ext4 /dev/ubdb /run/other; mkdir -p /run/disk/stored; sync
    cp {folder}/coldchain.toml /run/coldchain.toml
    {peer.command}; echo {_DONE} $?
    sleep 60
    """
    with Machine(folder / "uml", script, disks) as machine:
        line = machine.wait_for(_DONE)
        if not line.endswith(" 0"):
            raise SystemExit(f"{peer.title} did not end well: {machine.said[-10:]}")
        machine.wait_s(delay_s)


if __name__ == "__main__":
    sys.exit(main())
