"""Rows 18, 45, 47, 58 and 60 to 62 on real devices: they refuse, they lie, they rot, and FAT has its own idea of names.

The whole life of a test is one boot: its script speaks, this file judges what was said and what lies on the disks.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from coldchain.testing.oracle import read_tree
from tests.faults.uml.machine import DISK, Machine, make_disk, mounted, needs_machine
from tests.stores.local.carrying import run

pytestmark = [needs_machine, pytest.mark.faults]

JOB = """\
version = 1
state = "/run/state"
[jobs.j]
source = "/run/source"
destinations = ["disk"]
settle = "0 s"
[destinations.disk]
url = "%s/stored"
"""
SPEAK = """
go() {
    coldchain run j --init --config /run/coldchain.toml >/run/said 2>&1; echo "EXIT $1 $?"
    sed 's/^/SAID /' /run/said
}
sectors() { blockdev --getsz $1; }
"""


def files(folder: Path, count: int, begin: int = 0) -> dict[str, str]:
    made = {}
    for number in range(begin, begin + count):
        path = folder / f"d{number % 2}" / f"f{number:03}"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = hashlib.sha256(path.name.encode()).digest() * 2000
        path.write_bytes(content)
        made[path.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()
    return made


def live(tmp_path: Path, script: str, disk: Path, *, at: str = DISK) -> dict[str, str]:
    """Boot, live through a script, and return the exit codes by the name that the script gave each run."""
    config = tmp_path / "coldchain.toml"
    config.write_text(JOB % at)
    prepare = f"{SPEAK}\nmkdir -p /run/source /run/state\ncp {config} /run/coldchain.toml\n"
    said = Machine(tmp_path / "uml", prepare + script, {"ubda": disk}).finish()
    assert not [line for line in said if "NO-MODULE" in line or "WRONG" in line], "\n".join(said)
    assert not [line for line in said if "Traceback" in line or "a bug" in line], "\n".join(said)
    codes = {found[1]: found[2] for line in said if (found := re.match(r"EXIT (\w+) (\d+)", line))}
    return codes | {"said": "\n".join(said)}


def stored(disk: Path, tmp_path: Path) -> dict[str, str]:
    with mounted(disk, tmp_path / "mnt") as place:
        return {k: d for k, d in read_tree(place / "stored").items() if not k.startswith(".coldchain/")}


def test_row45_a_device_that_refuses_to_write_is_told_and_the_next_run_finishes(tmp_path: Path) -> None:
    """dm-flakey ``error_writes``: the file system accepts the bytes, and only flushing them tells."""
    expected = files(tmp_path / "first", 10) | files(tmp_path / "second", 30, begin=10)
    disk = make_disk(tmp_path / "disk.img", "ext4", 64)
    script = f"""
    load dm-mod dm-flakey
    dmsetup create d --table "0 $(sectors /dev/ubda) linear /dev/ubda 0"; dmsetup mknodes 2>/dev/null
    mount -t ext4 /dev/mapper/d {DISK} || echo WRONG
    mkdir {DISK}/stored; cp -r {tmp_path}/first/. /run/source; go well; sync
    dmsetup suspend --noflush --nolockfs d
    dmsetup load d --table "0 $(sectors /dev/ubda) flakey /dev/ubda 0 0 60 1 error_writes"; dmsetup resume d
    cp -r {tmp_path}/second/. /run/source; go refused
    dmsetup suspend --noflush --nolockfs d
    dmsetup load d --table "0 $(sectors /dev/ubda) linear /dev/ubda 0"; dmsetup resume d
    umount {DISK}; /usr/sbin/fsck.ext4 -fy /dev/mapper/d >/dev/null; mount -t ext4 /dev/mapper/d {DISK} || echo WRONG
    go after; umount {DISK}
    """
    codes = live(tmp_path, script, disk)
    assert codes["well"] == "0", codes["said"]
    assert codes["refused"] in {"3", "4"}, codes["said"]
    assert codes["after"] == "0", codes["said"]
    assert stored(disk, tmp_path) == expected


def test_row47_a_device_that_drops_what_it_acknowledged_is_caught_by_reading_past_the_cache(tmp_path: Path) -> None:
    """dm-flakey ``drop_writes``: every write and every flush succeeds, and nothing arrives."""
    expected = files(tmp_path / "first", 10) | files(tmp_path / "second", 30, begin=10)
    disk = make_disk(tmp_path / "disk.img", "ext4", 64)
    script = f"""
    load dm-mod dm-flakey
    dmsetup create d --table "0 $(sectors /dev/ubda) linear /dev/ubda 0"; dmsetup mknodes 2>/dev/null
    mount -t ext4 /dev/mapper/d {DISK} || echo WRONG
    mkdir {DISK}/stored; cp -r {tmp_path}/first/. /run/source; go well; sync
    dmsetup suspend --noflush --nolockfs d
    dmsetup load d --table "0 $(sectors /dev/ubda) flakey /dev/ubda 0 0 60 1 drop_writes"; dmsetup resume d
    cp -r {tmp_path}/second/. /run/source; go dropped
    dmsetup suspend --noflush --nolockfs d
    dmsetup load d --table "0 $(sectors /dev/ubda) linear /dev/ubda 0"; dmsetup resume d
    umount {DISK}; /usr/sbin/fsck.ext4 -fy /dev/mapper/d >/dev/null; mount -t ext4 /dev/mapper/d {DISK} || echo WRONG
    go after; umount {DISK}
    """
    codes = live(tmp_path, script, disk)
    assert codes["well"] == "0", codes["said"]
    assert codes["dropped"] in {"3", "4"}, codes["said"]
    assert codes["after"] == "0", codes["said"]
    assert stored(disk, tmp_path) == expected


def test_row18_sectors_of_the_source_that_cannot_be_read_cost_one_file(tmp_path: Path) -> None:
    """dm-dust: some sectors of the source's disk give EIO; the other files are carried."""
    origin = make_disk(tmp_path / "source.img", "ext4", 64)
    with mounted(origin, tmp_path / "mnt") as place:
        expected = files(place / "source", 20)
        listed = run("filefrag", "-s", "-b512", "-v", place / "source/d1/f007")
    block = int(re.findall(r"^\s*0:\s+\d+\.\.\s*\d+:\s+(\d+)", listed, re.MULTILINE)[0])
    disk = make_disk(tmp_path / "disk.img", "ext4", 64)
    script = f"""
    load dm-mod dm-dust
    dmsetup create d --readonly --table "0 $(sectors /dev/ubdb) dust /dev/ubdb 0 512"; dmsetup mknodes 2>/dev/null
    mount -t ext4 -o ro /dev/mapper/d /run/other || echo WRONG
    for sector in 0 1 2 3 4 5 6 7; do dmsetup message d 0 addbadblock $(({block} + sector)); done
    dmsetup message d 0 enable
    mount -t ext4 /dev/ubda {DISK}; mkdir {DISK}/stored; go bad
    dmsetup message d 0 disable; echo 3 > /proc/sys/vm/drop_caches; go after; umount {DISK}
    """
    config = tmp_path / "coldchain.toml"
    config.write_text((JOB % DISK).replace("/run/source", "/run/other/source"))
    said = Machine(
        tmp_path / "uml",
        f"{SPEAK}\nmkdir -p /run/source /run/state\ncp {config} /run/coldchain.toml\n{script}",
        {"ubda": disk, "ubdb": origin},
    ).finish()
    text = "\n".join(said)
    assert "EXIT bad 3" in text, text
    assert "f007" in text, text
    assert "EXIT after 0" in text, text
    assert stored(disk, tmp_path) == expected


def test_row58_and_60_to_62_fat_confuses_names_and_times_and_has_no_room_for_large_files(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk.img", "vfat", 64)
    script = f"""
    load nls_cp437 nls_iso8859-1 fat vfat
    mount -t vfat /dev/ubda {DISK} || echo WRONG
    mkdir {DISK}/stored; cd /run/source
    mkdir d; echo one >d/plain; echo two >d/Upper; go plain
    TZ=Asia/Kathmandu; export TZ; go again; unset TZ
    echo three >d/twin; echo four >d/TWIN; echo five >'d/dot.'; echo six >'d/co:lon'; go names
    cat {DISK}/stored/d/twin | sed 's/^/TWIN /'
    rm d/twin d/dot. d/co:lon; truncate -s 4294967296 d/large; go large
    ls {DISK}/stored/d | sed 's/^/STORED /'
    rm d/large; go last; umount {DISK}
    """
    codes = live(tmp_path, script, disk)
    assert codes["plain"] == codes["again"] == "0", codes["said"]
    assert "2 in this run" not in codes["said"].partition("EXIT again")[2], "no second sending for 2 s"
    assert codes["names"] == "3", codes["said"]
    assert re.findall("^TWIN (.*)", codes["said"], re.MULTILINE) in (["three"], ["four"]), (
        "one of the two, and the other refused"
    )
    assert re.search(r"refused +d/(twin: .* d/TWIN|TWIN: .* d/twin) ", codes["said"]), codes["said"]
    assert codes["large"] == "3", codes["said"]
    assert "this place keeps no file over 4,294,967,295 bytes" in codes["said"], "refused before its first byte"
    assert "STORED large" not in codes["said"]
    assert codes["last"] == "0", codes["said"]
