"""``coldchain stop``: end what watches in the background."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.jobs import each
from coldchain.cli.naming import jobs_named
from coldchain.cli.printing import complain

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job

_HELP = """End the watchers of jobs, within ten seconds.

What is under way is finished or taken back.  JOB may also be a source folder or a destination.  It ends with 6 when
nothing ran.

\b
Example:
  coldchain stop merscope
"""
_PATIENCE_S = 10.0
_NAP_S = 0.1


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stop", help=_HELP)(stop)


def stop(
    jobs: list[str] = session.JOBS, config: Path | None = session.CONFIG, settings: list[str] = session.SET
) -> int:
    """Ask all of them first, then wait; without a name it is enough that one ran."""
    configuration = session.load(config, settings)
    wanted = jobs_named(configuration, jobs)
    running = [job for job in wanted if _ask(configuration, job)]
    for job in wanted:
        if job not in running and (jobs or not running):
            complain(f"{job.name} is not watched: nothing to stop")
    code = each(running, lambda job: _wait(configuration, job), as_json=False)
    return code or (0 if len(running) == len(wanted) or (running and not jobs) else 6)


def _ask(config: Config, job: Job) -> bool:
    from coldchain.operate.watching.agent import ask_to_stop, forget_state, is_alive

    folder = config.state / "agents"
    if not is_alive(folder, job.name):
        forget_state(folder, job.name)  # a dead one was seen, and nobody wants it
        return False
    try:
        ask_to_stop(folder, job.name)
    except OSError as error:
        complain(f"{job.name} cannot be asked to stop: {folder}: {error.strerror}")
    return True


def _wait(config: Config, job: Job) -> int:
    from coldchain.operate.watching.agent import is_alive

    ends = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        if not is_alive(config.state / "agents", job.name):
            print(f"{job.name}: stopped")
            return 0
        time.sleep(_NAP_S)
    complain(f"{job.name} was asked to stop, and does not: is its process suspended, or waits it for a dead share?")
    return 3
