"""Does somebody answer at the address of the configuration while jobs are watched?"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from coldchain.cli.printing import complain

if TYPE_CHECKING:
    from coldchain.config.values import Config

_PATIENCE_S = 20.0
_NAP_S = 0.1

Launch = Callable[[list[str], Path], tuple[subprocess.Popen[bytes], int]]


def answer_in_background(config: Config, settings: list[str], launch: Launch) -> None:
    """Start ``coldchain metrics --listen`` apart from this terminal, unless somebody listens there already.

    It ends by itself when the last watcher was stopped.  That it cannot be started is said and changes nothing else.
    """
    if not config.listen or _answers(config.listen):
        return
    words = [sys.executable, "-m", "coldchain", "metrics", "--config", str(config.path)]
    words += [word for setting in settings for word in ("--set", setting)]
    log = config.state / "logs" / "metrics.agent.log"
    process, offset = launch([*words, "--listen", config.listen, "--while-started"], log)
    ends = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        if process.poll() is not None:
            said = log.read_bytes()[offset:].decode("utf-8", "backslashreplace").strip()
            complain(f"nobody answers at {config.listen}: {said}")
            return
        if _answers(config.listen):
            print(f"metrics: http://{config.listen}/metrics (process {process.pid})")
            break
        time.sleep(_NAP_S)
    process.returncode = 0  # it lives on, and is nobody's to wait for


def _answers(where: str) -> bool:
    host, _, port = where.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=1):
            return True
    except (OSError, ValueError):
        return False
