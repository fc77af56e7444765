"""``coldchain start``: watch jobs in the background."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from coldchain.cli import session
from coldchain.cli.jobs import each
from coldchain.cli.metrics_start import answer_in_background
from coldchain.cli.naming import jobs_named
from coldchain.cli.printing import complain, plain
from coldchain.cli.watch import command

if TYPE_CHECKING:
    from datetime import datetime

    from coldchain.config.values import Config, Job
    from coldchain.operate.watching.agent import AgentState

_HELP = """Watch jobs in the background, each in a process of its own.

It returns when they really watch, or says why they do not.  They survive the terminal; coldchain status shows what they
do, coldchain stop ends them.  A job with a schedule runs at its times.

\b
Example:
  coldchain start merscope
"""
_PATIENCE_S = 60.0
_NAP_S = 0.1
_TOLD_BYTES = 4000


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("start", help=_HELP)(start)


def start(
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    workers: int = session.WORKERS,
    settings: list[str] = session.SET,
) -> int:
    """Start them one after the other, whatever becomes of the others."""
    configuration = session.load(config, settings)
    words = command(configuration, settings, workers, scheduled=True)
    wanted = jobs_named(configuration, jobs)
    code = each(wanted, lambda job: _start(configuration, job, [*words, job.name]), as_json=False)
    answer_in_background(configuration, settings, _launch)
    return code


def _start(config: Config, job: Job, words: list[str]) -> int:
    from coldchain.errors import AlreadyRunning
    from coldchain.operate.watching.agent import is_alive

    folder, began = config.state / "agents", session.now()
    if is_alive(folder, job.name):
        raise AlreadyRunning(f"job {job.name} is watched already; see: coldchain status {job.name}")
    log = _log(config, job)
    process, offset = _launch([*words, "--log", str(log)], log)
    ends = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        if (code := process.poll()) is not None:
            complain(f"{job.name} could not be started:\n{_tail(log, offset)}")
            return code or 1
        state = _state(folder, job, began)
        if state is not None and state.how:
            print(f"{job.name}: watching {plain(job.source.url)} by {state.how} (process {state.pid})")
            process.returncode = 0  # it lives on, and is nobody's to wait for
            return 0
        time.sleep(_NAP_S)
    complain(f"{job.name} was started, but does not watch yet; see: coldchain status {job.name}, and {log}")
    process.returncode = 0
    return 3


def _state(folder: Path, job: Job, began: datetime) -> AgentState | None:
    from coldchain.operate.watching.agent import read_states

    states = (state for state in read_states(folder) if state.job == job.name and state.started >= began)
    return next(states, None)


def _log(config: Config, job: Job) -> Path:
    """Where the watcher says what a person should know."""
    from coldchain.cli.agent_log import make_way
    from coldchain.content.private import make_private

    log = config.state / "logs" / f"{job.name}.agent.log"
    make_private(log.parent)
    make_way(log, config.logs)
    return log


def _launch(words: list[str], log: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A process that has nothing in common with this terminal; also says where its lines begin."""
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        apart = {"creationflags": flags}
    with log.open("ab") as said:
        offset = said.tell()
        root = os.path.abspath(os.sep)
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=root, close_fds=True, **apart
        )
    return process, offset


def _tail(log: Path, offset: int) -> str:
    with log.open("rb") as said:
        said.seek(offset)
        return said.read(_TOLD_BYTES).decode("utf-8", "backslashreplace").strip() or "it said nothing"
