"""Rows 1 to 3: what was verified survives a power cut at any moment (P4), and the next run finishes (P11)."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from coldchain.ledger.ledger import Ledger
from coldchain.testing.oracle import read_tree
from tests.faults.uml.machine import DISK, Machine, make_disk, mounted, needs_machine

pytestmark = [needs_machine, pytest.mark.faults]

SIZES_MIB = {"ext4": 256, "xfs": 384, "btrfs": 320}
MOMENTS: tuple[float | str, ...] = (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, "done", "done and 3 s", "done and 8 s")
"""When the power is cut: a share of the time that a run takes, or after it said that all is verified."""
FILES = 40
LARGE_AT, LARGE_BYTES = (5, 8), (33 << 20) + 77
"""In these rounds one file is so large that it is written past the page cache; the second of them comes to its end."""
JOB = f"""\
version = 1
state = "{DISK}/state"
[jobs.j]
source = "%s"
destinations = ["disk"]
settle = "0 s"
[destinations.disk]
url = "{DISK}/stored"
"""


def acquire(source: Path, number: int) -> dict[str, str]:
    """Another dataset of forty files, as the experiment of the peers has them; path -> SHA-256."""
    noise = random.Random(number)
    made = {}
    for file in range(FILES):
        path = f"acquisition{number:02}/image{file:02}.raw"
        large = number in LARGE_AT and not file
        content = noise.randbytes(LARGE_BYTES if large else noise.choice((700, 40_000, 300_000)))
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(content)
        made[path] = hashlib.sha256(content).hexdigest()
    return made


def boot(folder: Path, disk: Path, kind: str, config: Path) -> Machine:
    script = f"""
    mount -t {kind} /dev/ubda {DISK} || echo NO-DISK
    mkdir -p {DISK}/stored
    cp {config} {DISK}/coldchain.toml
    echo RUN-BEGINS
    coldchain run j --init --config {DISK}/coldchain.toml >/run/said 2>&1; code=$?; tail -5 /run/said; (exit $code)
    echo RUN-ENDED $?
    [ -e /run/stay ] || sleep 60
    """
    return Machine(folder, script, {"ubda": disk})


def cut_at(machine: Machine, moment: float | str, usual_s: float) -> None:
    machine.wait_for("RUN-BEGINS")
    if isinstance(moment, float):
        time.sleep(moment * usual_s)
    else:
        assert machine.wait_for("RUN-ENDED").endswith(" 0"), "\n".join(machine.said)
        time.sleep({"done": 0.0, "done and 3 s": 3.0, "done and 8 s": 8.0}[moment])
    machine.cut()


def verified(state: Path) -> dict[str, str]:
    """Path -> SHA-256 of everything that the ledger on the disk calls verified; {} when there is no ledger yet."""
    file = state / "ledger.sqlite"
    if not file.exists():
        return {}
    copy = state.parent.parent / "ledger-copy"  # reading may write beside it
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(state, copy)
    with Ledger.open_read_only(f"sqlite:///{copy / 'ledger.sqlite'}") as ledger:
        return {
            record.path: str(record.digest).rpartition(":")[2]
            for dataset in ledger.datasets("j")
            for record in ledger.all_records("j", "disk", dataset)
        }


@pytest.mark.parametrize("kind", SIZES_MIB)
def test_row01_to_03_nothing_that_was_verified_is_lost_by_a_power_cut(tmp_path: Path, kind: str) -> None:
    """At each of ten moments; the source's copy of what is verified could have been deleted at once."""
    source, config = tmp_path / "source", tmp_path / "coldchain.toml"
    config.write_text(JOB % source)
    disk = make_disk(tmp_path / "disk.img", kind, SIZES_MIB[kind])
    history = acquire(source, 0)
    began = time.monotonic()
    machine = boot(tmp_path / "uml", disk, kind, config)
    cut_at(machine, "done", 0)
    usual_s = time.monotonic() - began - 2  # without the boot, about
    for number, moment in enumerate(MOMENTS, 1):
        history |= acquire(source, number)
        cut_at(boot(tmp_path / "uml", disk, kind, config), moment, usual_s)
        with mounted(disk, tmp_path / "mnt") as place:
            stored, said = read_tree(place / "stored"), verified(place / "state")
            data = {key: digest for key, digest in stored.items() if not key.startswith(".coldchain/")}
            lost = {path for path in said if data.get(path) != history[path]}
            assert not lost, f"verified, then lost by a cut at {moment}: {sorted(lost)}"
            half = {key for key, digest in data.items() if ".coldchain" not in key and digest != history.get(key)}
            assert not half, f"half-written under a final name after a cut at {moment}: {sorted(half)}"
            if isinstance(moment, str):
                assert set(said) == set(history), "a run that ended with 0 had verified everything"
    machine = boot(tmp_path / "uml", disk, kind, config)
    assert machine.wait_for("RUN-ENDED").endswith(" 0"), "\n".join(machine.said)
    machine.cut()
    with mounted(disk, tmp_path / "mnt") as place:
        stored = read_tree(place / "stored")
        assert {key: d for key, d in stored.items() if not key.startswith(".coldchain/")} == history
        own = {key for key in stored if key.startswith(".coldchain/")}
        kept = (".coldchain/destination.json", ".coldchain/manifests/", ".coldchain/agents/")
        assert not {key for key in own if not key.startswith(kept)}, "what a cut left behind was swept up"


def test_row01_the_cut_is_a_real_one(tmp_path: Path) -> None:
    """A check of the check: what ``cp`` says it copied is lost by the same cut."""
    source = tmp_path / "source"
    history = acquire(source, 0)
    disk = make_disk(tmp_path / "disk.img", "ext4", SIZES_MIB["ext4"])
    script = f"mount -t ext4 /dev/ubda {DISK}; cp -r {source} {DISK}/stored; echo COPY-ENDED $?; sleep 60"
    machine = Machine(tmp_path / "uml", script, {"ubda": disk})
    assert machine.wait_for("COPY-ENDED").endswith(" 0")
    machine.cut()
    with mounted(disk, tmp_path / "mnt") as place:
        stored = read_tree(place / "stored") if os.path.isdir(place / "stored") else {}
    assert {path for path, digest in history.items() if stored.get(path) != digest}
