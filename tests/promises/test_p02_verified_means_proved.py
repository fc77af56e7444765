"""P2: a copy counts only if the source stood still while it was read, and the stored bytes were checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from coldchain.config.values import Destination
from coldchain.model import Place, ProofKind
from tests.promises.lab import Hook, Lab, data, reasons, stamps, states
from tests.stores.local.carrying import Mounts, needs_root

BIG = bytes(range(256)) * 4096 * 5  # five pieces
ALWAYS = 1 << 30


def grow(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"more")


def rewrite(file: Path) -> None:
    """Other bytes, the same length, and the old mtime put back."""
    status = file.stat()
    with file.open("r+b") as stream:
        stream.seek(os.path.getsize(file) // 2)
        stream.write(os.urandom(64))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def swap(file: Path) -> None:
    """Another file under the name, with the old mtime."""
    status = file.stat()
    other = file.with_name("other.tmp")
    other.write_bytes(os.urandom(status.st_size))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(file)


@pytest.mark.parametrize("change", [grow, rewrite])
def test_a_file_that_changes_each_time_it_is_read_is_never_verified(lab: Lab, change: Callable[[Path], None]) -> None:
    file = lab.write("run/big", BIG)
    report = lab.run(monitor=Hook(lambda: change(file), times=ALWAYS))
    assert (report.exit_code, states(report)) == (3, {"held": 1})
    assert "changed while it was read" in reasons(report)["run/big"]
    assert data(lab.nas) == {}
    assert lab.records() == {}


@pytest.mark.parametrize("change", [grow, rewrite, swap])
def test_a_file_that_changes_once_while_it_is_read_arrives_as_it_then_is(
    lab: Lab, change: Callable[[Path], None]
) -> None:
    file = lab.write("run/big", BIG)
    report = lab.run(monitor=Hook(lambda: change(file)))
    again = lab.run()
    assert again.exit_code == 0
    assert data(lab.nas) == {"run/big": file.read_bytes()}
    assert report.exit_code in {0, 3}


def test_the_read_back_goes_past_the_page_cache_and_is_recorded(lab: Lab) -> None:
    lab.write("run/x", b"content")
    lab.run()
    record = lab.records()["run/x"]
    assert record.proof_kind is ProofKind.READBACK
    assert record.proof_how in {"direct", "evicted"}


@needs_root
def test_where_there_is_no_way_past_the_cache_the_record_says_so(lab: Lab, mounts: Mounts) -> None:
    faulted = mounts.fuse({})
    lab.write("run/x", b"content")
    job = lab.job(destinations=(Destination(Place("nas", str(faulted.place))),))
    lab.run(job)
    record = lab.records()["run/x"]
    assert record.proof_kind is ProofKind.READBACK
    assert record.proof_how in {"dontneed", "cached", "evicted", "direct"}


def test_a_weaker_proof_is_called_by_its_name_and_a_stricter_job_proves_again_without_writing(lab: Lab) -> None:
    lab.acquire(3)
    lab.run(lab.job(verify=ProofKind.SIZE))
    assert {record.proof_kind for record in lab.records().values()} == {ProofKind.SIZE}
    before = stamps(lab.nas)
    report = lab.run()
    assert {record.proof_kind for record in lab.records().values()} == {ProofKind.READBACK}
    assert report.datasets[-1].lots["nas"].weakest is ProofKind.READBACK
    assert stamps(lab.nas) == before


def test_a_stricter_job_does_not_take_a_rotten_copy_for_good(lab: Lab) -> None:
    lab.write("run/x", b"content")
    lab.run(lab.job(verify=ProofKind.SIZE))
    copy = lab.nas / "run/x"
    status = copy.stat()
    copy.write_bytes(b"c0ntent")
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    report = lab.run()
    assert (report.exit_code, states(report)) == (4, {"failed": 1})
    assert lab.records()["run/x"].proof_kind is ProofKind.SIZE


@needs_root
def test_what_the_disk_gives_back_differently_is_never_verified(lab: Lab, mounts: Mounts) -> None:
    faulted = mounts.fuse({"short": 1000}, "--direct")  # every read and write is cut: must be put together rightly
    lab.write("run/x", os.urandom(5000))
    report = lab.run(lab.job(destinations=(Destination(Place("nas", str(faulted.place))),)))
    assert data(faulted.backing) == data(lab.source)
    assert report.exit_code == 0
