"""What did one command cost?"""

from __future__ import annotations

import compileall
import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

RECENTLY_S = 300
_REMOVED = "removed"


class Sample(NamedTuple):
    """One run of one program."""

    wall_s: float
    user_s: float
    system_s: float
    peak_bytes: int
    """The largest resident size of any of its processes."""


class CommandFailed(Exception):
    """A program that was to be measured did not do its work."""


def timed(command: list[str], log: Path, environment: dict[str, str] | None = None) -> Sample:
    """Run a command to its end; raises CommandFailed unless it ends with 0."""
    with log.open("ab") as out:
        begun = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(environment or {})}
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        end = log.read_text(errors="replace")[-2000:]
        raise CommandFailed(f"{' '.join(command)} ended with {child.returncode}:\n{end}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Sample(wall_s, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * unit)


def compile_ahead() -> None:
    """Compile our own modules, as pip does for every program that it installs.

    Run from its sources where PYTHONDONTWRITEBYTECODE is set, coldchain would compile them in each run: 0.4 s.
    """
    compileall.compile_dir(Path(__file__).resolve().parents[1] / "src" / "coldchain", quiet=1)


def settle_disk() -> None:
    """Let nobody pay for what the one before left to be written."""
    os.sync()
    time.sleep(0.2)


def forget(folder: Path) -> None:
    """Remove all that was written, at the end: see ``wait_for_quiet``."""
    work = folder / "work"
    if work.exists():
        shutil.rmtree(work)
        os.sync()
        (folder / _REMOVED).touch()


def wait_for_quiet(folder: Path) -> None:
    """Wait until an earlier run's removal of many files is forgotten.

    ext4 does not give the number of a file that was removed within the last five minutes to a new one, and looks at
    each of them before it takes another (``recently_deleted`` in fs/ext4/ialloc.c, Linux 6.18): after the removal of
    100,000 files the next 20,000 cost ten seconds more, whoever writes them.
    """
    with contextlib.suppress(FileNotFoundError):
        age_s = time.time() - (folder / _REMOVED).stat().st_mtime
        if 0 < age_s < RECENTLY_S:
            print_line(f"waiting {RECENTLY_S - age_s:.0f} s, until the file system has forgotten the last run's files")
            time.sleep(RECENTLY_S - age_s)


def print_line(line: str) -> None:
    """Print at once, also into a file."""
    print(line, flush=True)
