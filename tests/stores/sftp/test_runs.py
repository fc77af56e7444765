"""Do whole runs work with a folder on an SSH server: as destination, as source, killed, and cut off?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from coldchain.config.values import Destination, Job
from coldchain.errors import DestinationAbsent
from coldchain.model import Place, ProofKind
from tests.promises.lab import Lab, data, largest_bytes, names, reasons, states
from tests.stores.sftp.serving import Sshd

LARGE = 5 << 20


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    lab.acquire(40)
    lab.write("run/large.bin", os.urandom(LARGE))
    lab.write("run/empty", b"")
    lab.write(os.fsdecode(b"run/latin-\xe9 #%.tif"), b"odd")
    return lab


def place(server: Sshd, root: Path, name: str = "nas") -> Place:
    return Place(name, server.url(root), tuple(server.options().items()))


def to_server(lab: Lab, server: Sshd, **values: object) -> Job:
    return lab.job(destinations=(Destination(place(server, lab.nas)),), **values)


def leftovers(folder: Path) -> list[str]:
    return names(folder, ".~*") + names(folder, ".before-*")


@pytest.mark.parametrize(("verify", "how"), [(ProofKind.READBACK, "server"), (ProofKind.SIZE, "stat")])
def test_a_folder_goes_to_a_server_and_back(lab: Lab, sshd: Sshd, verify: ProofKind, how: str) -> None:
    (lab.source / "run/f0000.tif").chmod(0o444)
    job = to_server(lab, sshd, verify=verify)
    report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    assert states(report) == {"verified": 43}
    assert data(lab.nas) == data(lab.source)
    for path in data(lab.source):
        ours, theirs = (lab.source / path).stat(), (lab.nas / path).stat()
        assert int(ours.st_mtime) == int(theirs.st_mtime)
        assert ours.st_mode == theirs.st_mode
    records = lab.records()
    assert {(record.proof_kind, record.proof_how) for record in records.values()} == {(verify, how)}
    assert lab.run(job).exit_code == 0
    assert lab.records() == records, "the second run had something to do"
    back = Lab(lab.folder / "back")
    report = back.run(back.job(source=place(sshd, lab.nas, "lab")))
    assert report.exit_code == 0, reasons(report)
    assert data(back.nas) == data(lab.source)


def test_what_changed_is_replaced_what_is_foreign_left_and_a_lost_ledger_costs_no_writing(lab: Lab, sshd: Sshd) -> None:
    job = to_server(lab, sshd)
    (lab.nas / "run").mkdir()
    (lab.nas / "run/f0003.tif").write_bytes(b"somebody else's")
    assert lab.run(job).exit_code == 3
    lab.write("run/f0004.tif", b"a newer version")
    report = lab.run(job)
    assert states(report) == {"verified": 42, "refused": 1}
    assert data(lab.nas) == data(lab.source) | {"run/f0003.tif": b"somebody else's"}
    (lab.nas / "run/f0003.tif").unlink()
    assert lab.run(job).exit_code == 0
    before = {path: (lab.nas / path).stat().st_ino for path in data(lab.nas)}
    lab.lose_ledger()
    assert lab.run(job, init=False).exit_code == 0
    assert {path: (lab.nas / path).stat().st_ino for path in data(lab.nas)} == before
    assert leftovers(lab.nas) == []


def test_a_place_that_is_gone_or_refuses_us_stops_the_run_in_one_sentence(lab: Lab, sshd: Sshd, tmp_path: Path) -> None:
    job = to_server(lab, sshd)
    unknown = Place("nas", sshd.url(lab.nas), (("known_hosts", str(tmp_path / "none")),))
    with pytest.raises(DestinationAbsent, match="ssh-keyscan"):
        lab.run(replace(job, destinations=(Destination(unknown),)))
    assert lab.run(job).exit_code == 0
    lab.nas.rename(lab.folder / "elsewhere")
    with pytest.raises(DestinationAbsent, match="no such folder"):
        lab.run(job, init=False)


_RUN = """
import sys
from pathlib import Path
from coldchain.config.values import Destination
from coldchain.model import Place
from tests.promises.lab import Lab
lab = Lab.__new__(Lab)
lab.folder, lab.source, lab.roots = Path(sys.argv[1]), Path(sys.argv[1]) / "source", {}
options = (("known_hosts", sys.argv[3]), ("key", sys.argv[4]))
job = lab.job(destinations=(Destination(Place("nas", sys.argv[2], options)),))
sys.exit(lab.run(job).exit_code)
"""


def test_a_run_that_was_killed_is_finished_by_the_next_and_leaves_no_garbage(lab: Lab, sshd: Sshd) -> None:
    with (lab.source / "run/large.bin").open("wb") as file:
        file.truncate(150 << 20)
    job = to_server(lab, sshd)
    chosen = sshd.options()
    command = [sys.executable, "-c", _RUN, str(lab.folder), sshd.url(lab.nas), chosen["known_hosts"], chosen["key"]]
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[3])
    until = time.monotonic() + 60
    while largest_bytes(lab.nas, ".~*") <= LARGE and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert leftovers(lab.nas), "it was over before the kill"
    assert not (lab.nas / "run/large.bin").exists()
    lab.write("run/large.bin", os.urandom(LARGE))
    report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    assert leftovers(lab.nas) == []
    assert data(lab.nas) == data(lab.source)


@pytest.mark.parametrize("deed", ["cut", "stop"])
def test_a_connection_that_breaks_off_mid_copy_costs_time_or_an_honest_failure(
    lab: Lab, own_sshd: Sshd, deed: str
) -> None:
    with (lab.source / "run/large.bin").open("wb") as file:
        file.truncate(80 << 20)
    job = to_server(lab, own_sshd)

    def harm() -> None:
        until = time.monotonic() + 60
        while largest_bytes(lab.nas, ".~*") <= LARGE and time.monotonic() < until:
            time.sleep(0.005)
        own_sshd.cut() if deed == "cut" else own_sshd.stop()
        if deed == "stop":
            time.sleep(1)  # as long as a restart of a server takes
            own_sshd.start()

    thread = threading.Thread(target=harm)
    thread.start()
    report = lab.run(job)
    thread.join()
    assert report.exit_code == 0, reasons(report)
    assert {path: len(content) for path, content in data(lab.nas).items()} == {
        path: len(content) for path, content in data(lab.source).items()
    }
    assert lab.run(job).exit_code == 0
    assert leftovers(lab.nas) == []
