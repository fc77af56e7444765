"""Do whole runs work with shares: as destination, as source, after a kill, and while the server goes away?"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from coldchain.config.values import Destination, Job
from coldchain.errors import ColdchainError, DestinationAbsent
from coldchain.model import Place, ProofKind
from coldchain.stores.base import open_store
from tests.promises.lab import Lab, data, largest_bytes, names, reasons, states
from tests.stores.smb.serving import PASSWORD, Server, said

LARGE = 9 << 20
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    lab.acquire(20)
    lab.write("run/large.bin", os.urandom(LARGE))
    lab.write("run/empty", b"")
    return lab


def place(server: Server, folder: str) -> Place:
    return Place("nas", server.url(folder), tuple(said().items()))


def to_share(lab: Lab, server: Server, folder: str, **values: object) -> Job:
    return lab.job(destinations=(Destination(place(server, folder)),), **values)


def stored(root: Path) -> dict[str, bytes]:
    """What stands on the server's own disk, without what is coldchain's."""
    return {key: content for key, content in data(root).items() if not key.startswith(".coldchain/")}


def leftovers(root: Path) -> list[str]:
    return names(root, ".~*")


@pytest.mark.parametrize(("verify", "how"), [(ProofKind.READBACK, "smb"), (ProofKind.SIZE, "stat")])
def test_a_folder_goes_to_a_share_and_each_proof_is_what_it_says(
    lab: Lab, samba: Server, verify: ProofKind, how: str
) -> None:
    root = samba.place(f"to-{verify.word}")
    job = to_share(lab, samba, root.name, verify=verify)
    report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    assert states(report) == {"verified": 22}
    assert stored(root) == data(lab.source)
    for name in ("run/f0001.tif", "run/large.bin"):
        assert (root / name).stat().st_mtime_ns == (lab.source / name).stat().st_mtime_ns // 100 * 100
    records = lab.records()
    assert {(record.proof_kind, record.proof_how) for record in records.values()} == {(verify, how)}
    assert leftovers(root) == []
    assert lab.run(job).exit_code == 0
    assert lab.records() == records, "the second run had something to do"


def test_a_changed_file_is_replaced_and_a_foreign_one_left_alone(lab: Lab, samba: Server) -> None:
    root = samba.place("foreign")
    job = to_share(lab, samba, root.name)
    (root / "run").mkdir(mode=0o777)
    (root / "run").chmod(0o777)
    (root / "run/f0003.tif").write_bytes(b"somebody else's")
    report = lab.run(job)
    assert report.exit_code == 3
    assert list(reasons(report)) == ["run/f0003.tif"]
    lab.write("run/f0004.tif", b"a newer version")
    lab.write("run/large.bin", os.urandom(LARGE + 1))
    assert states(lab.run(job)) == {"verified": 21, "refused": 1}
    assert stored(root) == data(lab.source) | {"run/f0003.tif": b"somebody else's"}


def test_equal_bytes_are_adopted_and_a_lost_ledger_costs_no_writing(lab: Lab, samba: Server) -> None:
    root = samba.place("adopted")
    job = to_share(lab, samba, root.name)
    assert lab.run(job).exit_code == 0
    before = {file: file.stat().st_ino for file in root.rglob("run/*")}
    lab.lose_ledger()
    report = lab.run(job, init=False)
    assert report.exit_code == 0, reasons(report)
    assert {file: file.stat().st_ino for file in root.rglob("run/*")} == before
    assert len(lab.records()) == 22


def test_a_share_is_a_source(lab: Lab, samba: Server) -> None:
    root = samba.place("source")
    assert lab.run(to_share(lab, samba, root.name)).exit_code == 0
    back = Lab(lab.folder / "again")
    job = back.job(source=replace(place(samba, root.name), name="lab"))
    report = back.run(job)
    assert report.exit_code == 0, reasons(report)
    assert data(back.nas) == data(lab.source)
    records = back.records()
    assert back.run(job).exit_code == 0
    assert back.records() == records
    (root / "run/f0001.tif").write_bytes(b"changed")
    assert back.run(job).exit_code == 0
    assert (back.nas / "run/f0001.tif").read_bytes() == b"changed"


def test_an_emptied_or_missing_folder_stops_the_run(lab: Lab, samba: Server) -> None:
    """P10: a share without its mark is not a new destination."""
    root = samba.place("marked")
    job = to_share(lab, samba, root.name)
    assert lab.run(job).exit_code == 0
    (root / ".coldchain/destination.json").unlink()
    with pytest.raises(DestinationAbsent, match="lost its mark"):
        lab.run(job, init=False)
    root.rename(root.with_name("gone"))
    with pytest.raises(DestinationAbsent):
        lab.run(job, init=False)


_RUN = """
import sys
from pathlib import Path
from coldchain.config.values import Destination
from coldchain.model import Place
from tests.promises.lab import Lab
from tests.stores.smb.serving import said
lab = Lab.__new__(Lab)
lab.folder, lab.source, lab.roots = Path(sys.argv[1]), Path(sys.argv[1]) / "source", {}
job = lab.job(destinations=(Destination(Place("nas", sys.argv[2], tuple(said().items()))),))
sys.exit(lab.run(job).exit_code)
"""


def until_half_written(root: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a temporary file has grown."""
    until = time.monotonic() + 180
    while largest_bytes(root, ".~*") <= 20 << 20:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.005)


def test_a_run_that_was_killed_in_the_middle_is_finished_by_the_next(lab: Lab, samba: Server) -> None:
    """P11: nothing half-written has its name, nothing lies about; and no secret in what was passed on."""
    root = samba.place("killed")
    with (lab.source / "run/large.bin").open("wb") as file:
        file.truncate(80 << 20)
    job = to_share(lab, samba, root.name)
    command = [sys.executable, "-c", _RUN, str(lab.folder), job.destinations[0].place.url]
    process = subprocess.Popen(command, cwd=ROOT)
    until_half_written(root, process)
    assert PASSWORD.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (root / "run/large.bin").exists()
    assert leftovers(root)
    report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    assert leftovers(root) == []
    assert (root / "run/large.bin").stat().st_size == 80 << 20


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_server_that_dies_in_the_middle_of_a_copy(lab: Lab, own_samba: Server, comes_back: bool) -> None:
    """Where it listens again at once the run goes on by itself; else it ends in words, and the next run converges."""
    root = own_samba.place("dying")
    with (lab.source / "run/large.bin").open("wb") as file:
        file.truncate(80 << 20)
    job = to_share(lab, own_samba, root.name)
    process = subprocess.Popen([sys.executable, "-c", _RUN, str(lab.folder), job.destinations[0].place.url], cwd=ROOT)
    until_half_written(root, process)
    if comes_back:
        own_samba.drop_connections()
    else:
        own_samba.stop()
    code = process.wait(180)
    assert code == (0 if comes_back else 3)
    if not comes_back:
        assert not (root / "run/large.bin").exists()
        own_samba.start()
    report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    if comes_back:  # else nobody could remove it, and a run sweeps only after one that was killed
        assert leftovers(root) == []
    there = {key for key in stored(root) if not key.rpartition("/")[2].startswith(".~")}
    assert there == data(lab.source).keys()
    assert (root / "run/large.bin").stat().st_size == 80 << 20


def test_the_password_is_nowhere(lab: Lab, samba: Server, capfd: pytest.CaptureFixture[str]) -> None:
    """P14: not in the ledger, not at the destination, not in what is said, not in errors."""
    root = samba.place("canary")
    job = to_share(lab, samba, root.name)
    assert lab.run(job).exit_code == 0
    job = lab.job(destinations=(Destination(Place("nas", samba.url("nowhere/at/all"), tuple(said().items()))),))
    with pytest.raises(ColdchainError) as caught:
        lab.run(job)
    said_so = [str(caught.value), repr(caught.value), repr(open_store(place(samba, root.name))), *capfd.readouterr()]
    written = [file.read_bytes() for top in (lab.folder, root) for file in top.rglob("*") if file.is_file()]
    needle = re.compile(re.escape(PASSWORD).encode())
    assert not any(needle.search(text.encode()) for text in said_so)
    assert not any(needle.search(content) for content in written)
