"""``coldchain run``: one run of one or more jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.printing import complain, show_json
from coldchain.cli.progress import watching

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job
    from coldchain.operate.job import Wish
    from coldchain.steps.report import Report

_HELP = """Carry what is new from the source to the destinations, and prove every file.

Example: coldchain run merscope --dataset 202205231554_MouseSagittalM3S1_VMSC01101

Ends with 0 only if every selected file is verified at every required destination.  Interrupt it whenever you like: the
same command again finishes the work.
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
    """Run jobs one after the other; the worst exit code counts."""
    from coldchain.operate.job import Wish
    from coldchain.steps.identify import Consent

    configuration = session.load(config, settings)
    chosen = [narrowed(job, only) for job in session.chosen(configuration, jobs)]
    consent = Consent(init, accept_source, frozenset(accept_destination), accept_changes)
    wish = Wish(consent, dataset, "run")
    if dry_run:
        from coldchain.cli.plan import show_plans

        return show_plans(configuration, chosen, wish, as_json=as_json, every_file=True)
    return _worst([_run_one(configuration, job, wish, workers, as_json=as_json) for job in chosen])


def narrowed(job: Job, only: list[str]) -> Job:
    """The job with only some of its destinations."""
    from dataclasses import replace

    from coldchain.errors import UsageError

    if not only:
        return job
    known = {destination.name for destination in job.destinations}
    if unknown := set(only) - known:
        raise UsageError(f"{job.name} has no destination {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    return replace(job, destinations=tuple(d for d in job.destinations if d.name in only))


def _run_one(config: Config, job: Job, wish: Wish, workers: int, *, as_json: bool) -> int:
    from coldchain.cli.logs import log_report
    from coldchain.errors import ColdchainError
    from coldchain.operate.job import run_job

    try:
        with watching(as_json=as_json) as monitor, session.writing(config, job.name) as ledger:
            report = run_job(job, ledger, wish, session.surroundings(monitor, workers))
    except ColdchainError as error:
        complain(str(error))
        if as_json:
            show_json({"format": "coldchain-error", "version": 1, "job": job.name, "error": str(error)})
        return error.exit_code
    show(report, as_json=as_json)
    log_report(config, report)
    if lost := list(report.unaccounted()):
        complain("this is a bug in coldchain: the counts do not add up: " + "; ".join(lost))
        return 1
    return report.exit_code


def show(report: Report, *, as_json: bool) -> None:
    """Print a report."""
    from coldchain.cli.summary import summary

    if as_json:
        show_json(report.as_json())
    else:
        for line in summary(report):
            print(line)


def _worst(codes: list[int]) -> int:
    """0 if all are 0, else the one that matters most."""
    order = (1, 130, 4, 3, 2, 5, 6)
    return next((code for code in order if code in codes), 0)
