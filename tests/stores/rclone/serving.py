"""How are the servers started that stand behind the remotes?"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from coldchain.stores.rclone.calling import Patience
from coldchain.stores.rclone.store import RcloneStore

HASTY = Patience(tries=3, first_wait_s=0.02, longest_wait_s=0.1, away_s=0)
CANARY = "canary-7f3a9b"  # not secret: searched for in everything that the tests write
_READY_S = 30


@dataclass(frozen=True)
class Remotes:
    """A configuration of rclone, and what is needed to use it."""

    config: Path

    def options(self, **more: str) -> dict[str, str]:
        return {"config": str(self.config), **more}

    def store(self, remote: str, folder: str = "", **more: str) -> RcloneStore:
        url = f"rclone://{remote}/{folder}" if folder else f"rclone://{remote}"
        return RcloneStore(url, options=self.options(**more), patience=HASTY)


def program(name: str) -> str:
    """A program of this environment or of the system."""
    found = shutil.which(
        name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])
    )
    if found is None:
        pytest.skip(f"the program {name} is missing")
    return found


@contextmanager
def served(
    command: list[str], ready: Callable[[], bool], folder: Path, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program, wait until it answers, and end it."""
    log = folder / "log"
    with (
        log.open("wb") as said,
        subprocess.Popen(command, stdout=said, stderr=said, env={**os.environ, **more}) as process,
    ):
        try:
            until = time.monotonic() + _READY_S
            while not ready():
                if process.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"{command[0]} does not start: {log.read_text()[-2000:]}")
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


def answers(port: int) -> Callable[[], bool]:
    """Whether somebody listens."""

    def ready() -> bool:
        with socket.socket() as one:
            one.settimeout(1)
            return one.connect_ex(("127.0.0.1", port)) == 0

    return ready


def obscured(secret: str) -> str:
    """As rclone wants passwords in its configuration."""
    done = subprocess.run([program("rclone"), "obscure", "-"], input=secret, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def write_config(file: Path, remotes: Mapping[str, Mapping[str, str]]) -> Path:
    lines = []
    for name, values in remotes.items():
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in values.items()), ""]
    file.write_text("\n".join(lines))
    file.chmod(0o600)
    return file


def me() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
