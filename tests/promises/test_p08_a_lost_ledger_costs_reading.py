"""P8: a lost ledger costs reading, never data."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from coldchain.model import ProofKind
from tests.promises.lab import Lab, data, stamps
from tests.promises.tracing import needs_strace, traced
from tests.stores.local.carrying import Mounts, needs_root

MANIFEST = ".coldchain/manifests/lab/run.json"


def facts(lab: Lab, destination: str = "nas") -> dict[str, tuple[object, ...]]:
    """What a rebuilt ledger must know as the lost one did."""
    return {
        key: (r.path, r.digest, r.size_bytes, r.source_mtime_ns, r.source_inode, r.stored_mtime_ns, r.superseded)
        for key, r in lab.records(destination).items()
    }


@pytest.fixture
def full(lab: Lab) -> Lab:
    """A destination with some history: versions, and a file that is gone at the source."""
    lab.configure({"on_change": "keep-both"})
    lab.acquire(8)
    lab.ready()
    lab.write("run/f0001.tif", b"another version")
    (lab.source / "run/f0002.tif").unlink()
    assert lab.cli("run").code == 0
    return lab


@needs_strace
def test_the_next_run_adopts_by_reading_and_writes_no_data(full: Lab) -> None:
    before, known = stamps(full.nas), facts(full)
    full.lose_ledger()
    done, calls = traced(full, "run", calls="write,pwrite64,writev,copy_file_range,openat,rename,renameat,renameat2")
    assert done.code == 0, done.said
    assert stamps(full.nas) == before
    inside = [c for c in calls if f"<{full.nas}/run" in c.arguments]
    assert not [c for c in inside if c.name != "openat" or "O_WRONLY" in c.arguments or "O_RDWR" in c.arguments]
    assert facts(full) == known
    current = full.records()["run/f0003.tif"]
    assert current.proof_kind is ProofKind.READBACK


def test_a_manifest_never_shrinks_when_the_ledger_is_lost(full: Lab) -> None:
    sums = (full.nas / ".coldchain/manifests/lab/run.sha256").read_text()
    full.lose_ledger()
    full.write("run/new.tif", b"new")
    assert full.cli("run").code == 0
    after = (full.nas / ".coldchain/manifests/lab/run.sha256").read_text()
    assert set(sums.splitlines()) < set(after.splitlines())


def test_a_manifest_never_shrinks_when_the_ledger_that_writes_it_knows_less(lab: Lab) -> None:
    """A second loss right after a rebuild: nothing is learnt unasked, and one file is gone from the source."""
    lab.write("run/a", b"a")
    gone = lab.write("run/b", b"b")
    lab.ready()
    sums = lab.nas / ".coldchain/manifests/lab/run.sha256"
    before = sums.read_text()
    gone.unlink()
    lab.lose_ledger()
    assert lab.cli("rebuild").code == 0
    lab.lose_ledger()
    lab.write("run/c", b"c")
    assert lab.cli("run").code == 0
    assert set(before.splitlines()) < set(sums.read_text().splitlines())


def test_without_manifests_the_copies_are_adopted_one_by_one(lab: Lab) -> None:
    lab.acquire(8)
    lab.ready()
    before = stamps(lab.nas)
    lab.lose_ledger()
    shutil.rmtree(lab.nas / ".coldchain/manifests")
    done = lab.cli("run")
    assert done.code == 0, done.said
    assert stamps(lab.nas) == before


@pytest.mark.parametrize("quick", [False, True])
def test_rebuild_makes_the_ledger_again_by_reading_only(full: Lab, quick: bool) -> None:
    before, known = stamps(full.nas), facts(full)
    full.lose_ledger()
    done = full.cli("rebuild", *(["--quick"] if quick else []))
    assert done.code == 0, done.said
    assert facts(full) == known
    kinds = {record.proof_kind for record in full.records().values()}
    assert kinds == {ProofKind.SIZE if quick else ProofKind.READBACK}
    again = full.cli("run")
    assert again.code == 0, again.said
    assert stamps(full.nas) == before


@pytest.mark.parametrize("quick", [False, True])
def test_a_copy_that_is_not_what_the_manifest_says_is_not_recorded(full: Lab, quick: bool) -> None:
    copy = full.nas / "run/f0004.tif"
    copy.write_bytes(copy.read_bytes() + b"?")
    full.lose_ledger()
    done = full.cli("rebuild", *(["--quick"] if quick else []))
    assert done.code == 4, done.said
    assert "run/f0004.tif" in done.out
    assert "run/f0004.tif" not in full.records()
    assert "run/f0003.tif" in full.records()


@pytest.mark.parametrize("damage", ["cut", "flip", "other place"])
def test_a_damaged_manifest_is_not_believed(full: Lab, damage: str) -> None:
    file = full.nas / MANIFEST
    text = file.read_bytes()
    if damage == "cut":
        file.write_bytes(text[: len(text) // 2])
    elif damage == "flip":
        file.write_bytes(text.replace(b'"size', b'"sIze', 1) if b'"size' in text else text.replace(b"f0003", b"f0009"))
    else:
        begin = text.index(b'"destination":"') + 15
        file.write_bytes(text[:begin] + b"0" * 32 + text[begin + 32 :])
    before = stamps(full.nas)
    full.lose_ledger()
    done = full.cli("rebuild")
    assert done.code == 4, done.said
    assert full.records() == {}
    assert "run.json" in done.said
    assert stamps(full.nas) == before


def keep_ledger(lab: Lab) -> Path:
    kept = lab.folder / "last-week.sqlite"
    shutil.copy(lab.ledger_file, kept)
    return kept


def test_a_ledger_of_last_week_is_noticed_and_brought_up_to_date(lab: Lab) -> None:
    lab.acquire(4)
    lab.ready()
    old = keep_ledger(lab)
    lab.acquire(4, folder="next", seed=2)
    lab.write("run/f0001.tif", b"changed since")
    assert lab.cli("run").code == 0
    known, before = facts(lab), stamps(lab.nas)
    shutil.copy(old, lab.ledger_file)

    for command in ("run", "plan", "check"):
        done = lab.cli(command)
        assert done.code == 3, (command, done.said)
        assert "coldchain rebuild lab" in done.err
    assert facts(lab) != known
    mended = lab.cli("rebuild", "lab")
    assert mended.code == 0, mended.said
    assert facts(lab) == known
    again = lab.cli("run")
    assert again.code == 0, again.said
    assert stamps(lab.nas) == before


def test_a_cut_ledger_is_said_and_can_be_made_again(lab: Lab) -> None:
    lab.acquire(40)
    lab.ready()
    known, before = facts(lab), stamps(lab.nas)
    os.truncate(lab.ledger_file, lab.ledger_file.stat().st_size // 2)
    for command in ("run", "plan", "check"):
        done = lab.cli(command)
        assert done.code == 3, (command, done.said)
        assert str(lab.ledger_file) in done.err
    assert stamps(lab.nas) == before
    lab.lose_ledger()
    assert lab.cli("rebuild").code == 0
    assert facts(lab) == known


@needs_root
def test_a_ledger_that_cannot_be_written_stops_the_run_before_anything_is_sent(lab: Lab, mounts: Mounts) -> None:
    place = mounts.tmpfs("size=8m")
    lab.configure(more=f'state = "{place}"')
    lab.acquire(2)
    lab.ready()
    lab.write("run/new", b"new")
    os.system(f"mount -o remount,ro {place}")
    done = lab.cli("run")
    looked = lab.cli("plan")
    os.system(f"mount -o remount,rw {place}")
    assert done.code == 3, done.said
    assert str(place) in done.err
    assert not (lab.nas / "run/new").exists()
    assert looked.code == 0, looked.said
    assert lab.cli("run").code == 0


def test_a_newer_ledger_is_refused_and_never_misread(lab: Lab) -> None:
    lab.acquire(2)
    lab.ready()
    with sqlite3.connect(lab.ledger_file) as connection:
        (table,) = connection.execute(
            "SELECT name FROM sqlite_master WHERE sql LIKE '%version_num%' AND type = 'table'"
        ).fetchone()
        connection.execute(f"UPDATE {table} SET version_num = '9999'")
    connection.close()
    lab.write("run/new", b"new")
    for command in ("run", "plan", "list"):
        done = lab.cli(command)
        assert done.code == 3, (command, done.said)
        assert "newer" in done.err
    assert set(data(lab.nas)) == {"run/f0000.tif", "run/f0001.tif"}
