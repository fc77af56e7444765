"""How are SSH servers started for tests: Debian's sshd, and one in this process that fails as it is told?"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from coldchain.stores.sftp.store import SftpStore
from coldchain.stores.sftp.where import Patience
from tests.ports import free_port

HASTY = Patience(
    connects=3, first_wait_s=0.02, longest_wait_s=0.1, connect_s=5, login_s=10, stall_s=60, alive_s=5, gone_s=0.2
)
SSHD = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
USER = pwd.getpwuid(os.getuid()).pw_name
_READY_S = 20


def make_key(file: Path, *, passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(file)], check=True)
    return file


@dataclass
class Sshd:
    """Debian's sshd on a port of its own; its sessions may be anywhere below ``folder`` and beyond."""

    folder: Path
    port: int
    more: tuple[str, ...] = ()
    subsystem: str = "sftp internal-sftp"
    host: str = "127.0.0.1"
    wrap: tuple[str, ...] = ()
    """What comes before its command, and before one that talks to it."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("host", "id"):
            if not (self.folder / name).exists():
                make_key(self.folder / name)
        shutil.copy(self.folder / "id.pub", self.folder / "authorized_keys")
        public = (self.folder / "host.pub").read_text().split()
        self.known_hosts.write_text(f"[{self.host}]:{self.port} {public[0]} {public[1]}\n")

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def start(self) -> None:
        assert SSHD is not None
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        lines = [
            f"Port {self.port}",
            f"ListenAddress {self.host}",
            f"HostKey {self.folder / 'host'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            f"PidFile {self.folder / 'pid'}",
            "UsePAM no",
            "StrictModes no",
            "PasswordAuthentication no",
            "PermitRootLogin yes",
            "MaxStartups 100",
            f"Subsystem {self.subsystem}",
            *self.more,
        ]
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [*self.wrap, SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + _READY_S
        while time.monotonic() < until:
            if self._listens():
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.01)
        raise AssertionError("sshd did not come up")

    def _listens(self) -> bool:
        if self.wrap:
            return f"listening on {self.host} port {self.port}" in (self.folder / "log").read_text()
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1) as there:
            return there.recv(4) == b"SSH-"
        return False

    def sessions(self) -> list[int]:
        """The processes that serve its connections."""
        assert self.process is not None
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def cut(self) -> None:
        """End all connections, as when a cable is pulled; the server stays up."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the server and all of its connections."""
        if self.process is not None:
            for pid in [*self.sessions(), self.process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def url(self, root: Path | str) -> str:
        return f"sftp://{USER}@{self.host}:{self.port}{root}"

    def options(self) -> dict[str, str]:
        return {"known_hosts": str(self.known_hosts), "key": str(self.folder / "id")}

    def store(self, root: Path | str, patience: Patience = HASTY) -> SftpStore:
        return SftpStore(self.url(root), options=self.options(), patience=patience)


def served(folder: Path, *more: str, subsystem: str = "sftp internal-sftp") -> Iterator[Sshd]:
    server = Sshd(folder, free_port(), more, subsystem)
    server.start()
    try:
        yield server
    finally:
        server.stop()
