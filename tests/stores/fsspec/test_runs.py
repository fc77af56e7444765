"""Do whole runs work with a place that only fsspec knows: there, back, again, and with what goes wrong on the way?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coldchain.config.values import Destination
from coldchain.errors import DestinationAbsent
from coldchain.model import Place
from tests.promises.lab import Lab, data, reasons, states
from tests.stores.fsspec.conftest import Served


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    lab.acquire(10)
    lab.write("run/empty", b"")
    return lab


def place_of(served: Served, scheme: str, folder: str) -> Place:
    (served.folder / folder).mkdir()
    return Place("nas", f"{scheme}://127.0.0.1:{served.port}/{folder}", (("credentials", "env:LAB"),))


@pytest.mark.parametrize("scheme", ["webdav", "ftp"])
def test_a_folder_goes_there_is_adopted_and_comes_back(
    lab: Lab, request: pytest.FixtureRequest, scheme: str, tmp_path: Path
) -> None:
    if scheme == "webdav":  # over FTP fsspec sends a large file in pieces, which rclone's server does not take
        lab.write("run/large.bin", os.urandom(9 << 20))
    there = place_of(request.getfixturevalue(scheme), scheme, f"run-{scheme}")
    job = lab.job(destinations=(Destination(there),))
    report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    assert states(report) == {"verified": len(data(lab.source))}
    assert lab.run(job).exit_code == 0
    back = Lab(tmp_path / "back")
    home = back.job(source=there, destinations=(Destination(Place("nas", str(back.roots["nas"]))),))
    report = back.run(home)
    assert report.exit_code == 0, reasons(report)
    came = {key: value for key, value in data(back.roots["nas"]).items() if not key.startswith(".coldchain")}
    assert came == data(lab.source)


def test_a_server_that_is_not_there_is_told_in_words(lab: Lab) -> None:
    gone = Place("nas", "webdav://127.0.0.1:9/lab")
    with pytest.raises(DestinationAbsent) as told:
        lab.run(lab.job(destinations=(Destination(gone),)))
    assert "the server cannot be reached" in str(told.value)
