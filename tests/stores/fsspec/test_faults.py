"""What becomes of a run when the server behind fsspec dies, is full, refuses or does not know us?"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coldchain.config.values import Destination
from coldchain.errors import DestinationAbsent
from coldchain.model import Place
from tests.promises.lab import Lab, data, largest_bytes, names, reasons
from tests.stores.fsspec.conftest import CANARY, Served, serve

LARGE_BYTES = 48 << 20
TEMPORARY = "*.~*"
SCHEMES = ["webdav", "ftp"]
pytestmark = pytest.mark.filterwarnings(  # fsspec closes nothing when the other end is gone
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    lab.acquire(5)
    return lab


class Nas:
    """A server with one folder, which can be killed and started again at the same port."""

    def __init__(self, scheme: str, folder: Path) -> None:
        self.scheme, self.folder = scheme, folder
        self.share = folder / "share"
        (self.share / "lab").mkdir(parents=True)
        self._port = 0

    @contextlib.contextmanager
    def served(self, *more: str) -> Iterator[Served]:
        with contextlib.contextmanager(serve)(self.scheme, self.share, self.folder / "log", *more) as server:
            self._port = server.port
            yield server

    def destination(self) -> Destination:
        url = f"{self.scheme}://127.0.0.1:{self._port}/lab"
        return Destination(Place("nas", url, (("credentials", "env:LAB"),)))

    def stored(self) -> dict[str, bytes]:
        files = data(self.share / "lab")
        return {key: content for key, content in files.items() if not key.startswith(".coldchain")}


@pytest.fixture(params=SCHEMES)
def nas(request: pytest.FixtureRequest, tmp_path: Path) -> Nas:
    return Nas(request.param, tmp_path / "nas")


def when(holds: Callable[[], bool], deed: Callable[[], None]) -> threading.Thread:
    """Do something as soon as something holds."""

    def watch() -> None:
        until = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < until
            time.sleep(0.002)
        deed()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_p03_a_server_that_dies_in_mid_copy_has_nothing_half_and_the_next_run_finishes(lab: Lab, nas: Nas) -> None:
    with nas.served():
        first = lab.job(destinations=(nas.destination(),))
        assert lab.run(first).exit_code == 0
    lab.write("run/large.bin", os.urandom(LARGE_BYTES if nas.scheme == "webdav" else 7 << 20))
    before = nas.stored()
    with nas.served() as server:
        job = lab.job(destinations=(nas.destination(),))
        killer = when(lambda: largest_bytes(nas.share, TEMPORARY) > 0, server.process.kill)
        report = lab.run(job)
        killer.join()
    assert report.exit_code == 3
    assert "run/large.bin" in reasons(report)
    assert {key: content for key, content in nas.stored().items() if "/.~" not in key} == before
    with nas.served():
        report = lab.run(lab.job(destinations=(nas.destination(),)))
        assert report.exit_code == 0, reasons(report)
        assert nas.stored() == data(lab.source)  # nor is anything left of the first attempt
        assert names(nas.share, TEMPORARY) == []


def test_a_place_that_may_only_be_read_is_told_in_one_sentence(lab: Lab, nas: Nas) -> None:
    with nas.served("--read-only"):
        with pytest.raises(DestinationAbsent) as told:
            lab.run(lab.job(destinations=(nas.destination(),)))
        assert "\n" not in str(told.value)
    assert nas.stored() == {}


def test_p14_wrong_credentials_are_told_without_them(lab: Lab, nas: Nas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PASSWORD", f"{CANARY}-wrong")
    with nas.served(), pytest.raises(DestinationAbsent) as told:
        lab.run(lab.job(destinations=(nas.destination(),)))
    assert "user or password is wrong" in str(told.value)
    assert CANARY not in repr(told.value) + str(told.value) + str(told.value.__cause__)
    assert nas.stored() == {}


def test_p14_the_password_is_said_and_written_nowhere(lab: Lab, nas: Nas, tmp_path: Path) -> None:
    with nas.served():
        lab.configure(destinations={"nas": {"url": nas.destination().place.url, "credentials": "env:LAB"}})
        said = [lab.cli(*words).said for words in (("run", "--init"), ("plan",), ("check",), ("doctor",), ("list",))]
        wrong = lab.cli("run", env={"LAB_PASSWORD": f"{CANARY}-wrong"})
        assert wrong.code == 3
    assert not [text for text in (*said, wrong.said) if CANARY in text]
    written = [file for top in (lab.folder, nas.share) for file in top.rglob("*") if file.is_file()]
    assert any(file.name == "ledger.sqlite" for file in written)
    assert not [file for file in written if CANARY.encode() in file.read_bytes()]
    assert nas.stored() == data(lab.source)


@pytest.mark.skipif(sys.platform != "linux", reason="a file system of a given size is made on Linux")
def test_p01_a_full_place_is_told_and_the_rest_comes_when_there_is_room(lab: Lab, nas: Nas) -> None:
    lab.write("run/large.bin", os.urandom(7 << 20))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "lab", str(nas.share)], check=True)
    try:
        (nas.share / "lab").mkdir()
        with nas.served():
            job = lab.job(destinations=(nas.destination(),))
            report = lab.run(job)
            assert report.exit_code == 3
            assert "run/large.bin" in reasons(report)
            assert names(nas.share, TEMPORARY) == []
            whole = data(lab.source)
            assert all(whole[key] == content for key, content in nas.stored().items())
            assert "run/large.bin" not in nas.stored()
            subprocess.run(["mount", "-o", "remount,size=64m", str(nas.share)], check=True)
            report = lab.run(job)
            assert report.exit_code == 0, reasons(report)
            assert nas.stored() == whole
    finally:
        subprocess.run(["umount", "-l", str(nas.share)], check=True)
