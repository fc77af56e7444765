"""``coldchain status``: what does each watcher do, and is it alive?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.naming import jobs_named
from coldchain.cli.printing import files, name, show_json, size, tally

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job
    from coldchain.operate.watching.agent import AgentState

_HELP = """Show what the watchers of jobs do.

JOB may also be a source folder or a destination.  It ends with 3 when one that was started is dead.

\b
Example:
  coldchain status
"""
_WORDS = {True: "running", False: "dead", None: "not started"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status", help=_HELP)(status)


def status(
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Only looks."""
    configuration = session.load(config, settings)
    from coldchain.operate.watching.agent import is_alive, read_states

    folder = configuration.state / "agents"
    states = {state.job: state for state in read_states(folder)}
    dead = False
    for job in jobs_named(configuration, jobs):
        state = states.get(job.name)
        alive = is_alive(folder, job.name) or (None if state is None else False)
        dead = dead or alive is False
        if as_json:
            show_json(_json(job, state, alive))
        else:
            for line in _lines(configuration, job, state, alive):
                print(line)
    return 3 if dead else 0


def _json(job: Job, state: AgentState | None, alive: bool | None) -> dict[str, object]:
    said: dict[str, object] = {"format": "coldchain-status", "version": 1, "job": job.name, "state": _WORDS[alive]}
    if state is None:
        return said
    values = asdict(state)
    del values["job"]
    values["down"] = dict(state.down)
    return said | {"agent": {key: _plain(value) for key, value in values.items()}}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return {key: _plain(one) for key, one in value.items()} if isinstance(value, dict) else value


def _lines(config: Config, job: Job, state: AgentState | None, alive: bool | None) -> Iterator[str]:
    if state is None:
        yield f"{job.name}  {_WORDS[alive]}"
        return
    if not alive:
        yield f"{job.name}  DEAD: it was last heard of at {_when(state.written)}; coldchain start {job.name}"
    else:
        yield f"{job.name}  running since {_when(state.started)} (process {state.pid}), by {name(state.how)}"
        yield f"  {state.phase:<12} {_doing(state)}".rstrip()
    for destination, waiting in state.backlog.items():
        yield f"  {'backlog':<12} {destination}: {tally(waiting)}" if waiting.files else f"  {destination}: no backlog"
    if state.held:
        yield f"  {'held':<12} {files(state.held)} may still be written"
    for destination, since in state.down.items():
        yield f"  {'down':<12} {destination}, since {_when(since)}"
    yield f"  {'last success':<12} {_when(state.last_success)}; last look {_when(state.last_look)}"
    if alive and state.next_look is not None:
        yield f"  {'next look':<12} {_when(state.next_look)}, at everything"
    if state.last_error:
        yield f"  {'last error':<12} {name(state.last_error)}"


def _doing(state: AgentState) -> str:
    if state.why:
        return name(state.why)
    if state.phase == "carrying":
        done = f"{state.files_done:,}/{files(state.files_total)}"
        return f"{name(state.dataset)} {done}, {size(state.bytes_done)} of {size(state.bytes_total)}".strip()
    return name(state.dataset)


def _when(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
