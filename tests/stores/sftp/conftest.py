"""Which servers do the tests of SFTP talk to?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("asyncssh", reason='SFTP needs packages: pip install "coldchain[sftp]"')

import asyncssh

from tests.stores.sftp.failing import PASSWORD, Server
from tests.stores.sftp.failing import served as served_here
from tests.stores.sftp.serving import SSHD, Sshd, served


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Debian's sshd, for as long as the tests last."""
    if SSHD is None:
        pytest.skip("no sshd: apt-get install openssh-server")
    yield from served(tmp_path_factory.mktemp("sshd"))


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """Another one, which a test may stop and start."""
    if SSHD is None:
        pytest.skip("no sshd: apt-get install openssh-server")
    yield from served(tmp_path / "sshd")


@pytest.fixture(autouse=True)
def nobody_s_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keys, agent, known hosts and ssh_config of whoever runs the tests play no part."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server in this process that fails as it is told."""
    folder = tmp_path / "failing"
    folder.mkdir()
    monkeypatch.setenv("COLDTEST_PASSWORD", PASSWORD)
    yield from served_here(folder)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, failing: Server) -> Server:
    """The same without a single extension of OpenSSH."""
    monkeypatch.setattr(asyncssh.sftp.SFTPServerHandler, "_extensions", [])
    return failing
