"""How is a server of shares started for tests?"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from coldchain.stores.smb.store import SmbStore
from coldchain.stores.smb.where import Patience
from tests.ports import free_port

USER, PASSWORD = "daemon", "c4n4ry-pässwörd-7f3a"  # not secret: of a server that lives as long as the tests
PREFIX = "COLDTEST_SMB"
HASTY = Patience(connect_s=20, answer_s=20, flush_s=20, tries=4, first_wait_s=0.02, longest_wait_s=0.1, gone_s=0)
_READY_S = 30

_GLOBAL = """
[global]
  workgroup = LAB
  server role = standalone server
  netbios name = COLDTEST
  interfaces = {host}/8
  bind interfaces only = yes
  smb ports = {port}
  disable netbios = yes
  server min protocol = SMB2_10
  private dir = {folder}/private
  lock directory = {folder}/lock
  state directory = {folder}/state
  cache directory = {folder}/cache
  pid directory = {folder}/pid
  ncalrpc dir = {folder}/ncalrpc
  passdb backend = tdbsam
  log file = {folder}/smbd-%m.log
  load printers = no
  disable spoolss = yes
  map to guest = never
  {more}
[data]
  path = {folder}/share
  read only = no
  valid users = {user}
[ro]
  path = {folder}/share
  read only = yes
  valid users = {user}
[small]
  path = {folder}/small
  read only = no
  valid users = {user}
[one]
  path = {folder}/share
  max connections = 1
  valid users = {user}
"""


@dataclass
class Server:
    """A Samba server with folders of its own."""

    folder: Path
    port: int
    more: str = ""
    host: str = "127.0.0.1"
    wrap: tuple[str, ...] = ()
    """What comes before its command, and before one that talks to it."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def share(self) -> Path:
        """What the shares ``data`` and ``ro`` show."""
        return self.folder / "share"

    def prepare(self) -> None:
        """Write the configuration and the password."""
        for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "share", "small"):
            (self.folder / name).mkdir()
        for name in ("share", "small"):
            shutil.chown(self.folder / name, USER)
        (self.folder / "smb.conf").write_text(
            _GLOBAL.format(folder=self.folder, port=self.port, user=USER, more=self.more, host=self.host)
        )
        subprocess.run(
            ["smbpasswd", "-c", str(self.folder / "smb.conf"), "-a", "-s", USER],
            input=f"{PASSWORD}\n{PASSWORD}\n".encode(),
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        """Start, and wait until it listens."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.wrap, "smbd", "--foreground", "--no-process-group", f"--configfile={self.folder}/smb.conf"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + _READY_S
        while True:
            if self._listens():
                return
            if self.process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"smbd does not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def _listens(self) -> bool:
        if self.wrap:
            call = [*self.wrap, "bash", "-c", f"</dev/tcp/{self.host}/{self.port}"]
            return subprocess.run(call, capture_output=True, check=False).returncode == 0
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1):
            return True
        return False

    def children(self) -> list[int]:
        """The processes that serve one connection each, oldest first."""
        assert self.process is not None
        return sorted(
            int(stat.parent.name)
            for stat in Path("/proc").glob("[0-9]*/stat")
            if (words := _words(stat)) and words[0] == str(self.process.pid) and _serves(stat.parent)
        )

    def drop_connections(self) -> None:
        """Let every connection break, as a server does that is restarted; it goes on listening."""
        for child in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, 9)

    def stop(self) -> None:
        """End it and its children."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None

    def url(self, folder: str = "", share: str = "data", user: str = USER) -> str:
        """Names a folder of a share."""
        place = f"smb://{user}@{self.host}:{self.port}/{share}"
        return f"{place}/{folder}" if folder else place

    def store(self, folder: str = "", share: str = "data", **options: str) -> SmbStore:
        """A folder of a share, as a store."""
        return SmbStore(self.url(folder, share), options=said(**options), patience=HASTY)

    def place(self, name: str) -> Path:
        """A new folder on the share."""
        folder = self.share / name
        folder.mkdir()
        shutil.chown(folder, USER)
        return folder


def said(**options: str) -> dict[str, str]:
    """What a configuration would say."""
    return {"credentials": f"env:{PREFIX}", **options}


def _words(stat: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return stat.read_text().rpartition(")")[2].split()[1:2]
    return []


def _serves(process: Path) -> bool:
    """smbd's helpers (notifyd, cleanupd) have names of their own."""
    with contextlib.suppress(OSError):
        return (process / "comm").read_text().strip() not in {"smbd-notifyd", "smbd-cleanupd"}
    return False


def served(more: str = "", host: str = "127.0.0.1", wrap: tuple[str, ...] = ()) -> Iterator[Server]:
    """A server for as long as it is wanted; its folder must be open to its user, so it lies in /tmp itself."""
    if shutil.which("smbd", path=os.environ["PATH"] + ":/usr/sbin") is None:
        pytest.skip("no Samba: scripts/install_test_servers.sh")
    if os.geteuid() != 0:
        pytest.skip("smbd must be started by root")
    folder = Path(tempfile.mkdtemp(prefix="coldchain-smbd-"))
    folder.chmod(0o755)
    server = Server(folder, free_port(), more, host, wrap)
    try:
        server.prepare()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
