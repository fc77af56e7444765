"""``coldchain run``: one run of one or more jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.jobs import chosen, each, narrowed
from coldchain.cli.printing import complain, show_json
from coldchain.cli.progress import Watcher, watching
from coldchain.errors import AlreadyRunning, ColdchainError, UsageError

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job
    from coldchain.ledger.ledger import Ledger
    from coldchain.operate.opening import Wish
    from coldchain.steps.report import Report

_HELP = """Carry what is new to the destinations; prove every file.

Ends with 0 only if every selected file is verified at every required destination.  Interrupt it whenever you like: the
same command again finishes the work.

\b
Example:
  coldchain run merscope --dataset 202205231554_MouseSagittal_VMSC01101
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", help=_HELP)(run)


def run(
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    dataset: str = typer.Option("", "--dataset", "-d", metavar="NAME", help="Only this dataset."),
    only: list[str] = typer.Option([], "--only", metavar="DESTINATION", help="Only these destinations."),
    dry_run: bool = typer.Option(False, "--dry-run", "-n", help="Only say what would be done (coldchain plan)."),
    init: bool = typer.Option(False, "--init", help="Mark destinations that were never used before."),
    accept_source: bool = typer.Option(False, "--accept-source", help="The source is right, though it changed."),
    accept_destination: list[str] = typer.Option(
        [], "--accept-destination", metavar="NAME", help="This destination is right, though it changed."
    ),
    accept_changes: bool = typer.Option(False, "--accept-changes", help="So many changed files are right."),
    workers: int = session.WORKERS,
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Run jobs one after the other; the exit code that matters most counts."""
    from coldchain.operate.opening import Wish
    from coldchain.steps.identify import Consent

    configuration = session.load(config, settings)
    wanted = narrowed(chosen(configuration, jobs), only)
    _look_for(accept_destination, wanted)
    wish = Wish(
        Consent(init, accept_source, frozenset(accept_destination), accept_changes), session.only(dataset), "run"
    )
    if dry_run:
        from coldchain.cli.plan import show_plans

        return show_plans(configuration, wanted, wish, as_json=as_json, short=False)
    return each(wanted, lambda job: run_one(configuration, job, wish, workers, as_json=as_json), as_json=as_json)


def _look_for(destinations: list[str], jobs: list[Job]) -> None:
    from coldchain.config.problems import suggestion

    known = {destination.name for job in jobs for destination in job.destinations}
    for name in destinations:
        if name not in known:
            raise UsageError(f"--accept-destination {name}: there is none of this name; {suggestion(name, known)}")


def run_one(config: Config, job: Job, wish: Wish, workers: int, *, as_json: bool) -> int:
    """One run of one job, logged, told and shown; returns its exit code."""
    from coldchain.cli.logs import logged
    from coldchain.operate.ending import run_and_tell

    with (
        watching(as_json=as_json) as monitor,
        _ledger(config, job, wish, monitor) as ledger,
        logged(config, job, ledger, monitor) as listening,
    ):
        around = session.surroundings(listening, workers, session.begun_of(config, job))
        report = run_and_tell(config, job, ledger, wish, around)
    show(report, as_json=as_json)
    if lost := list(report.unaccounted()):
        complain("this is a bug in coldchain: the counts do not add up: " + "; ".join(lost))
        return 1
    return report.exit_code


@contextmanager
def _ledger(config: Config, job: Job, wish: Wish, monitor: Watcher) -> Iterator[Ledger]:
    """The ledger of the run; those who want to know hear of it, too, when there is none to be had."""
    from coldchain.operate.ending import tell_of_no_run

    with ExitStack() as stack:
        try:
            ledger = stack.enter_context(session.writing(config, job.name))
        except AlreadyRunning:
            raise
        except ColdchainError as error:
            tell_of_no_run(config, job, wish, error, session.surroundings(monitor))
            raise
        yield ledger


def show(report: Report, *, as_json: bool) -> None:
    """Print a report."""
    from coldchain.cli.summary import summary

    if as_json:
        show_json(report.as_json())
    else:
        for line in summary(report):
            print(line)
