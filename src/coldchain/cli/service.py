"""``coldchain service``: the system starts the watcher by itself, and again when it fails."""

from __future__ import annotations

from pathlib import Path

import typer

from coldchain.cli import session
from coldchain.cli.jobs import chosen
from coldchain.cli.printing import plain
from coldchain.cli.schedule import (
    PRINT,
    SYSTEM,
    TO,
    VERB,
    To,
    Verb,
    all_installed,
    program,
    put_in,
    take_away,
    target_of,
    this_machine,
)

_HELP = """Have the system keep the watcher running: install, show, remove.

It begins with the machine (or with the session of this user), and again when it fails.  One service watches all jobs;
name jobs for a service of each.

\b
Example:
  coldchain service install
"""
_ALL = "watch"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("service", help=_HELP)(service)


def service(
    verb: Verb = VERB,
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    to: To | None = TO,
    only_print: bool = PRINT,
    system: bool = SYSTEM,
    no_battery: bool = typer.Option(False, "--no-battery", help="Windows: not while it runs on its battery."),
) -> int:
    """Do it for the watcher of all jobs, or of each that is named."""
    from coldchain.schedules.tasks import Manner, Task

    configuration = session.load(config, [])
    machine, target = this_machine(configuration), target_of(configuration, to)
    manner = Manner(system, on_battery=not no_battery)
    path = str(configuration.path)
    if verb is Verb.REMOVE:
        return take_away("service", configuration, jobs, (machine, target, manner))
    if verb is Verb.SHOW:
        found = [one for one in all_installed(machine, target, manner) if " service " in one.mark]
        for one in found:
            print(f"{plain(one.where)}: {plain(one.mark)}")
        if not found:
            print(f"no service is installed ({target.value}): coldchain service install")
        return 0
    named = [job.name for job in chosen(configuration, jobs)] if jobs else [_ALL]
    tasks = [Task(name, (*program(), "watch", *([name] if jobs else []), "--config", path), path) for name in named]
    return put_in(tasks, (machine, target, manner), only_print=only_print)
