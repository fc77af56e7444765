"""Do whole runs work with buckets: as destination, as source, and as both?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coldchain.config.values import Destination, Job
from coldchain.ledger.ledger import Ledger
from coldchain.model import Place, ProofKind
from coldchain.monitor import SILENT, Surroundings
from coldchain.operate.check import Extent, check_job
from coldchain.operate.opening import Wish
from coldchain.operate.restore import Wanted, restore_dataset
from coldchain.stores.base import Store, open_store
from tests.promises.lab import Lab, data, reasons, states
from tests.stores.s3.serving import Server

LARGE = 9 << 20  # more than one part


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    lab.acquire(20)
    lab.write("run/large.bin", os.urandom(LARGE))
    lab.write("run/empty", b"")
    return lab


def place(server: Server, bucket: str, folder: str = "data") -> Place:
    return Place("nas", f"s3://{bucket}/{folder}", tuple(server.options().items()))


def to_bucket(lab: Lab, server: Server, bucket: str, **values: object) -> Job:
    return lab.job(destinations=(Destination(place(server, bucket)),), **values)


def stored(store: Store) -> dict[str, bytes]:
    found = {}
    for item in store.list(without=[".coldchain"]):
        with store.read(item.path) as reader:
            found[item.path] = b"".join(map(bytes, reader.chunks()))
    return found


@pytest.mark.parametrize(
    ("verify", "how"),
    [(ProofKind.READBACK, {"get"}), (ProofKind.CHECKSUM, {"sha256", "crc64nvme"}), (ProofKind.SIZE, {"stat"})],
)
def test_a_folder_goes_to_a_bucket_and_each_proof_is_what_it_says(
    lab: Lab, weed: Server, bucket: str, verify: ProofKind, how: set[str]
) -> None:
    job = to_bucket(lab, weed, bucket, verify=verify)
    report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    assert states(report) == {"verified": 22}
    assert stored(open_store(job.destinations[0].place)) == data(lab.source)
    records = lab.records()
    assert {record.proof_kind for record in records.values()} == {verify}
    assert {record.proof_how for record in records.values()} == how
    assert weed.uploads(bucket) == []
    assert not [key for key in weed.keys(bucket) if "/uploads/" in key or "/probe-" in key]
    again = lab.run(job)
    assert again.exit_code == 0, reasons(again)
    assert again.selected.files == 22
    assert lab.records() == records, "the second run had something to do"


def test_a_changed_file_is_replaced_and_a_foreign_one_left_alone(lab: Lab, weed: Server, bucket: str) -> None:
    job = to_bucket(lab, weed, bucket)
    weed.client.put_object(Bucket=bucket, Key="data/run/f0003.tif", Body=b"somebody else's")
    report = lab.run(job)
    assert report.exit_code == 3
    assert list(reasons(report)) == ["run/f0003.tif"]
    lab.write("run/f0004.tif", b"a newer version")
    lab.write("run/large.bin", os.urandom(LARGE + 1))
    report = lab.run(job)
    assert states(report) == {"verified": 21, "refused": 1}
    there = stored(open_store(job.destinations[0].place))
    assert there == data(lab.source) | {"run/f0003.tif": b"somebody else's"}


def test_equal_bytes_are_adopted_and_a_lost_ledger_costs_no_writing(lab: Lab, weed: Server, bucket: str) -> None:
    job = to_bucket(lab, weed, bucket)
    assert lab.run(job).exit_code == 0
    before = {item.path: item for item in open_store(job.destinations[0].place).list(without=[".coldchain"])}
    lab.lose_ledger()
    report = lab.run(job, init=False)
    assert report.exit_code == 0, reasons(report)
    after = {item.path: item for item in open_store(job.destinations[0].place).list(without=[".coldchain"])}
    assert after == before
    assert len(lab.records()) == 22


def test_what_lies_in_a_bucket_is_checked_restored_and_mended(lab: Lab, weed: Server, bucket: str) -> None:
    job = to_bucket(lab, weed, bucket)
    assert lab.run(job).exit_code == 0
    around = Surroundings("here", lambda: datetime.now(UTC), SILENT, 2)
    rotten = stored(open_store(job.destinations[0].place))["run/f0002.tif"]
    weed.client.put_object(Bucket=bucket, Key="data/run/f0002.tif", Body=bytes(len(rotten)))
    with Ledger.open(f"sqlite:///{lab.ledger_file}", now=around.clock()) as ledger:
        dataset = ledger.datasets("lab")[0]
        found = check_job(job, ledger, Extent(repair=True), Wish(), around)
        assert (found.bad, found.mended, found.good.files) == (1, 1, 21)
        report = restore_dataset(job, ledger, Wanted(dataset, lab.folder / "back"), around)
    assert report.exit_code == 0, report.troubles
    assert data(lab.folder / "back") == data(lab.source)


def test_a_bucket_is_a_source(lab: Lab, weed: Server, bucket: str) -> None:
    assert lab.run(to_bucket(lab, weed, bucket)).exit_code == 0
    there = open_store(place(weed, bucket))
    back = Lab(lab.folder / "again")
    job = back.job(source=replace(place(weed, bucket), name="lab"))
    report = back.run(job)
    assert report.exit_code == 0, reasons(report)
    assert data(back.nas) == data(lab.source)
    records = back.records()
    assert back.run(job).exit_code == 0
    assert back.records() == records
    weed.client.put_object(Bucket=bucket, Key="data/run/f0001.tif", Body=b"changed")
    report = back.run(job)
    assert report.exit_code == 0, reasons(report)
    assert (back.nas / "run/f0001.tif").read_bytes() == b"changed"
    there.close()


def test_a_bucket_goes_to_another_bucket(lab: Lab, weed: Server, bucket: str, moto: Server) -> None:
    """From one server to another, and from one folder of a bucket to another folder."""
    assert lab.run(to_bucket(lab, weed, bucket)).exit_code == 0
    other = moto.bucket()
    both = (
        Destination(replace(place(moto, other), name="far")),
        Destination(replace(place(weed, bucket, "copy"), name="near")),
    )
    again = Lab(lab.folder / "again")
    report = again.run(again.job(source=replace(place(weed, bucket), name="lab"), destinations=both))
    assert report.exit_code == 0, reasons(report)
    for destination in both:
        assert stored(open_store(destination.place)) == data(lab.source)


def test_an_emptied_or_missing_bucket_stops_the_run(lab: Lab, weed: Server, bucket: str) -> None:
    """P10: a bucket without its mark is not a new destination."""
    from coldchain.errors import DestinationAbsent

    job = to_bucket(lab, weed, bucket)
    assert lab.run(job).exit_code == 0
    weed.client.delete_object(Bucket=bucket, Key="data/.coldchain/destination.json")
    with pytest.raises(DestinationAbsent, match="lost its mark"):
        lab.run(job, init=False)
    weed.remove(bucket)
    with pytest.raises(DestinationAbsent, match="no such bucket"):
        lab.run(job, init=False)


_RUN = """
import sys
from datetime import timedelta
from pathlib import Path
from coldchain.config.values import Destination
from coldchain.model import Place
from tests.promises.lab import Lab
lab = Lab.__new__(Lab)
lab.folder, lab.source, lab.roots = Path(sys.argv[1]), Path(sys.argv[1]) / "source", {}
options = (("endpoint", sys.argv[3]), ("region", "us-east-1"))
job = lab.job(destinations=(Destination(Place("nas", sys.argv[2], options)),))
sys.exit(lab.run(job).exit_code)
"""


def test_a_run_that_was_killed_in_an_upload_is_finished_by_the_next(lab: Lab, weed: Server, bucket: str) -> None:
    """P11: nothing half-written is seen, no upload stays open, nothing lies about."""
    with (lab.source / "run/large.bin").open("wb") as file:
        file.truncate(300 << 20)
    job = to_bucket(lab, weed, bucket)
    command = [sys.executable, "-c", _RUN, str(lab.folder), job.destinations[0].place.url, weed.endpoint]
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(command, cwd=root)
    until = time.monotonic() + 60
    while "data/run/large.bin" not in weed.uploads(bucket) and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "data/run/large.bin" in weed.uploads(bucket), "the upload was over before the kill"
    assert "data/run/large.bin" not in weed.keys(bucket)
    report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    assert weed.uploads(bucket) == []
    assert not [key for key in weed.keys(bucket) if "/uploads/" in key]
    assert weed.client.head_object(Bucket=bucket, Key="data/run/large.bin")["ContentLength"] == 300 << 20
