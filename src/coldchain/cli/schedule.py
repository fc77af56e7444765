"""``coldchain schedule``: the system's own scheduler runs the jobs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.jobs import chosen
from coldchain.cli.printing import plain
from coldchain.errors import UsageError

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job
    from coldchain.operate.installing import Found, Machine, Target, Told
    from coldchain.schedules.tasks import Manner, Task

_HELP = """Have the system run jobs at their times: install, show, remove.

The times are the key `schedule` of each job.  What is installed is systemd timers, lines of cron, agents of launchd or
tasks of Windows, whichever this machine has.

\b
Example:
  coldchain schedule install microscope
"""
LEFT_TO_DO = 3
"""Written, but the system does not act on it yet."""


class Verb(StrEnum):
    """What to do."""

    INSTALL = "install"
    SHOW = "show"
    REMOVE = "remove"


class To(StrEnum):
    """Whose scheduler."""

    SYSTEMD = "systemd"
    CRON = "cron"
    LAUNCHD = "launchd"
    WINDOWS = "windows"


VERB = typer.Argument(metavar="install|show|remove", help="What to do.")
TO = typer.Option(None, "--to", help="Whose scheduler; that of this machine, when nothing is said.")
PRINT = typer.Option(False, "--print", help="Only show what would be installed; write nothing.")
SYSTEM = typer.Option(False, "--system", help="For the whole machine, not for this user.")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("schedule", help=_HELP)(schedule)


def schedule(
    verb: Verb = VERB,
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    to: To | None = TO,
    only_print: bool = PRINT,
    system: bool = SYSTEM,
    only_idle: bool = typer.Option(False, "--only-idle", help="Windows: only while nobody works at the computer."),
    no_battery: bool = typer.Option(False, "--no-battery", help="Not while the computer runs on its battery."),
    no_catch_up: bool = typer.Option(False, "--no-catch-up", help="Do not make up for a time that was missed."),
    limit: str = typer.Option("", "--limit", metavar="DURATION", help="End a run after so long, such as '8 h'."),
    settings: list[str] = session.SET,
) -> int:
    """Do it for the jobs that have a schedule."""
    from coldchain.config.units import parse_duration
    from coldchain.schedules.tasks import Manner

    configuration = session.load(config, settings)
    machine, target = this_machine(configuration), target_of(configuration, to)
    manner = Manner(system, only_idle, not no_battery, not no_catch_up, parse_duration(limit) if limit else None)
    if verb is Verb.SHOW:
        return _show(configuration, machine, target, manner)
    if verb is Verb.REMOVE:
        return take_away("schedule", configuration, jobs, (machine, target, manner))
    if settings:
        raise UsageError("--set holds for once, and what is installed stays: write it into the configuration")
    tasks = [_task(configuration, job) for job in _with_schedule(configuration, jobs)]
    return put_in(tasks, (machine, target, manner), only_print=only_print)


def _with_schedule(config: Config, names: list[str] | None) -> list[Job]:
    wanted = chosen(config, names)
    for job in wanted:
        if names and not job.schedule:
            raise UsageError(f'{config.path}: [jobs.{job.name}] has no schedule; write one, such as "30 2 * * *"')
    found = [job for job in wanted if job.schedule]
    if not found:
        raise UsageError(f'{config.path}: no job has a schedule; write one, such as schedule = "30 2 * * *"')
    return found


def _task(config: Config, job: Job) -> Task:
    from coldchain.schedules.tasks import Task

    command = (*program(), "run", job.name, "--config", str(config.path))
    return Task(job.name, command, str(config.path), job.schedule, job.timezone)


# --- what the command ``service`` needs too ---------------------------------------------------------------------------

Where = tuple["Machine", "Target", "Manner"]


def program() -> tuple[str, ...]:
    """This very program, by its absolute path, whatever the PATH of a scheduler is."""
    return (sys.executable, "-m", "coldchain")


def this_machine(config: Config) -> Machine:
    """What the door knows of this computer."""
    from coldchain.operate.installing import Machine

    return Machine(sys.platform, os.environ, Path.home(), config.state)


def target_of(config: Config, to: To | None) -> Target:
    """Whose scheduler is meant."""
    from coldchain.operate.installing import Target, usual_target

    return Target(to.value) if to is not None else usual_target(this_machine(config))


def put_in(tasks: Sequence[Task], where: Where, *, only_print: bool) -> int:
    """Install tasks, or show what would be installed."""
    from coldchain.operate.installing import install, installation

    machine, target, manner = where
    if not only_print:
        return _say(install(tasks, target, manner, machine, session.now()))
    for task in tasks:
        planned = installation(task, target, manner, machine, session.now())
        for path, content in planned.files:
            encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
            print(f"--- {plain(str(path))}\n{plain(content.decode(encoding))}")
    return 0


def take_away(kind: str, config: Config, names: list[str] | None, where: Where) -> int:
    """Remove what was installed of these jobs; of all of this configuration, when none is named."""
    from coldchain.operate.installing import installed, remove
    from coldchain.schedules.tasks import Task

    machine, target, manner = where
    path = str(config.path)
    there = [found.job_of(kind, path) for found in installed(target, manner, machine)]
    wanted = list(dict.fromkeys(names or [job for job in there if job]))
    if not wanted:
        print(f"nothing is installed of {plain(path)}")
        return 0
    # Only the name counts: a job may have lost its schedule, or be gone, since it was installed.
    tasks = [Task(job, (), path, "@daily" if kind == "schedule" else "") for job in wanted]
    return _say(remove(tasks, target, manner, machine, session.now()))


def _say(told: Told) -> int:
    for text in told.sentences:
        print(plain(text))
    return 0 if told.done else LEFT_TO_DO


def all_installed(machine: Machine, target: Target, manner: Manner) -> list[Found]:
    """Everything of coldchain's that this target has."""
    from coldchain.operate.installing import installed

    return installed(target, manner, machine)


def _show(config: Config, machine: Machine, target: Target, manner: Manner) -> int:
    """What is installed, and the next times by the configuration as it is now."""
    path = str(config.path)
    places: dict[str, list[str]] = {}
    for found in all_installed(machine, target, manner):
        if name := found.job_of("schedule", path):
            places.setdefault(name, []).append(found.where)
        elif " schedule " in found.mark:
            print(f"{plain(found.where)}: {plain(found.mark)}")
    for job in config.jobs.values():
        if job.schedule:
            print(_times(job))
            where = places.pop(job.name, [f"not installed ({target.value}): coldchain schedule install {job.name}"])
            _list(where)
    for gone, where in places.items():
        print(f"{plain(gone)}: has no schedule any more, but is installed: coldchain schedule remove {plain(gone)}")
        _list(where)
    return 0


def _times(job: Job) -> str:
    from coldchain.schedules.times import Timetable

    table = Timetable(job.schedule, job.timezone)
    first = table.after(session.now())
    times = ", ".join(f"{moment.astimezone():%Y-%m-%d %H:%M %z}" for moment in (first, table.after(first)))
    return f"{job.name}: {plain(table.explain())}; next {times}"


def _list(where: list[str]) -> None:
    for one in where:
        print(f"  {plain(one)}")
