"""Do whole runs work with a place of objects: as destination, as source, and after a kill?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from coldchain.config.values import Destination, Job
from coldchain.errors import DestinationAbsent
from coldchain.model import Place, ProofKind
from coldchain.stores.base import Store, open_store
from tests.promises.lab import Lab, data, reasons, states

LARGE = (9 << 20) + 5  # more than one piece

_RUN = """
import json, sys
from pathlib import Path
from coldchain.config.values import Destination
from coldchain.model import Place
from tests.promises.lab import Lab
lab = Lab.__new__(Lab)
lab.folder, lab.source, lab.roots = Path(sys.argv[1]), Path(sys.argv[1]) / "source", {}
options = tuple(map(tuple, json.loads(sys.argv[3])))
job = lab.job(destinations=(Destination(Place("nas", sys.argv[2], options)),))
print("begun", flush=True)
sys.exit(lab.run(job).exit_code)
"""


class Runs:
    """A kind gives the fixture ``place``, and says how somebody else writes there."""

    checksums: ClassVar[set[str]]

    @pytest.fixture
    def place(self) -> Place:
        raise NotImplementedError

    def theirs(self, place: Place, key: str, content: bytes) -> None:
        raise NotImplementedError

    def keys(self, place: Place) -> list[str]:
        raise NotImplementedError

    @pytest.fixture
    def lab(self, tmp_path: Path) -> Lab:
        lab = Lab(tmp_path / "lab")
        lab.acquire(12)
        lab.write("run/large.bin", os.urandom(LARGE))
        lab.write("run/empty", b"")
        lab.write("run/µ 100%#1.tif", b"odd")
        return lab

    @pytest.mark.parametrize("verify", list(ProofKind))
    def test_a_folder_goes_there_and_each_proof_is_what_it_says(
        self, lab: Lab, place: Place, verify: ProofKind
    ) -> None:
        job = to(place, lab, verify=verify)
        report = lab.run(job)
        assert report.exit_code == 0, reasons(report)
        assert states(report) == {"verified": 15}
        assert stored(open_store(place)) == data(lab.source)
        records = lab.records()
        hows = {record.proof_how for record in records.values()}
        # a server that does not refuse wrong checksums vouches for nothing, and then everything is read back
        expected = {
            ProofKind.SIZE: {"stat"},
            ProofKind.READBACK: {"get"},
            ProofKind.CHECKSUM: self.checksums or {"get"},
        }
        assert hows == expected[verify]
        assert not [key for key in self.keys(place) if "probe-" in key]
        again = lab.run(job)
        assert again.exit_code == 0, reasons(again)
        assert lab.records() == records, "the second run had something to do"

    def test_a_changed_file_is_replaced_and_a_foreign_one_left_alone(self, lab: Lab, place: Place) -> None:
        self.theirs(place, "run/f0003.tif", b"somebody else's")
        self.theirs(place, "run/large.bin", b"also somebody else's")
        report = lab.run(to(place, lab))
        assert report.exit_code == 3
        assert sorted(reasons(report)) == ["run/f0003.tif", "run/large.bin"]
        lab.write("run/f0004.tif", b"a newer version")
        lab.write("run/large2.bin", os.urandom(LARGE))
        assert lab.run(to(place, lab)).exit_code == 3
        lab.write("run/large2.bin", os.urandom(LARGE + 1))
        assert states(lab.run(to(place, lab))) == {"verified": 14, "refused": 2}
        kept = {"run/f0003.tif": b"somebody else's", "run/large.bin": b"also somebody else's"}
        assert stored(open_store(place)) == data(lab.source) | kept

    def test_equal_bytes_are_adopted_and_a_lost_ledger_costs_no_writing(self, lab: Lab, place: Place) -> None:
        assert lab.run(to(place, lab)).exit_code == 0
        before = list(open_store(place).list(without=[".coldchain"]))
        lab.lose_ledger()
        report = lab.run(to(place, lab), init=False)
        assert report.exit_code == 0, reasons(report)
        assert list(open_store(place).list(without=[".coldchain"])) == before
        assert len(lab.records()) == 15

    def test_it_is_a_source(self, lab: Lab, place: Place) -> None:
        assert lab.run(to(place, lab)).exit_code == 0
        back = Lab(lab.folder / "again")
        job = back.job(source=replace(place, name="lab"))
        report = back.run(job)
        assert report.exit_code == 0, reasons(report)
        assert data(back.nas) == data(lab.source)
        self.theirs(place, "run/f0001.tif", b"changed")
        report = back.run(job)
        assert report.exit_code == 0, reasons(report)
        assert (back.nas / "run/f0001.tif").read_bytes() == b"changed"

    def test_a_place_that_lost_its_mark_stops_the_run(self, lab: Lab, place: Place) -> None:
        assert lab.run(to(place, lab)).exit_code == 0
        open_store(place).delete(".coldchain/destination.json")
        with pytest.raises(DestinationAbsent, match="lost its mark"):
            lab.run(to(place, lab), init=False)

    def test_a_killed_run_is_finished_by_the_next(self, lab: Lab, place: Place) -> None:
        """P11: nothing half-written is seen, nothing lies about."""
        with (lab.source / "run/large.bin").open("wb") as file:
            file.truncate(64 << 20)
        command = [sys.executable, "-c", _RUN, str(lab.folder), place.url, json.dumps(place.options)]
        root = Path(__file__).resolve().parents[3]
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        until = time.monotonic() + 30
        while not [key for key in self.keys(place) if key.endswith("destination.json")] and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.15)  # into the upload
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert process.returncode == -signal.SIGKILL
        assert not [key for key in self.keys(place) if key.endswith("large.bin")], "it was over before the kill"
        report = lab.run(to(place, lab))
        assert report.exit_code == 0, reasons(report)
        found = {item.path: item for item in open_store(place).list(without=[".coldchain"])}
        assert sorted(found) == sorted(data(lab.source))
        assert open_store(place).stat("run/large.bin").size_bytes == 64 << 20


def to(place: Place, lab: Lab, **values: object) -> Job:
    return lab.job(destinations=(Destination(place),), **values)


def stored(store: Store) -> dict[str, bytes]:
    found = {}
    for item in store.list(without=[".coldchain"]):
        with store.read(item.path) as reader:
            found[item.path] = b"".join(map(bytes, reader.chunks()))
    return found
