"""``coldchain check``: prove stored copies again."""

from __future__ import annotations

from pathlib import Path

import typer

from coldchain.cli import session
from coldchain.cli.printing import complain, name, show_json, tally
from coldchain.cli.progress import watching

_HELP = """Read stored copies again, past every cache, and compare them with what was recorded.

Example: coldchain check merscope --within 90d --repair

Ends with 4 when a copy is wrong or lost and was not mended.
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check", help=_HELP)(check)


def check(
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    dataset: str = typer.Option("", "--dataset", "-d", metavar="NAME", help="Only this dataset."),
    only: list[str] = typer.Option([], "--only", metavar="DESTINATION", help="Only these destinations."),
    sample: str = typer.Option("", "--sample", metavar="SHARE", help="A random share of the copies, such as 5%."),
    within: str = typer.Option(
        "", "--within", metavar="TIME", help="The copies that are due, so that none stays unproved for longer."
    ),
    repair: bool = typer.Option(False, "--repair", help="Mend what is wrong from the source or another destination."),
    workers: int = session.WORKERS,
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Check."""
    from coldchain.cli.run import _worst, narrowed
    from coldchain.config.units import parse_duration, parse_share
    from coldchain.errors import ColdchainError, UsageError
    from coldchain.operate.check import Extent, check_job
    from coldchain.operate.job import Wish

    if sample and within:
        raise UsageError("--sample and --within are two ways to choose; take one")
    try:
        extent = Extent(
            parse_share(sample) if sample else 1.0, parse_duration(within) if within else None, dataset, repair
        )
    except ColdchainError as error:
        raise UsageError(str(error)) from error
    configuration = session.load(config, settings)
    codes = []
    for job in session.chosen(configuration, jobs):
        try:
            with watching(as_json=as_json) as monitor, session.writing(configuration, job.name) as ledger:
                around = session.surroundings(monitor, workers)
                report = check_job(narrowed(job, only), ledger, extent, Wish(command="check"), around)
        except ColdchainError as error:
            complain(str(error))
            codes.append(error.exit_code)
            continue
        codes.append(report.exit_code)
        if as_json:
            show_json(report.as_json())
            continue
        for destination, finding, done in report.shown:
            print(f"{job.name}  {destination}: {name(finding.record.key)}: {finding.reason}")
            if done:
                print(f"{job.name}  {destination}: {name(finding.record.key)}: {done}")
        wrong = f", {report.bad:,} wrong or lost" if report.bad else ""
        mended = f", {report.mended:,} mended" if report.mended else ""
        unread = f", {report.unreadable:,} could not be read" if report.unreadable else ""
        print(f"{job.name}: {tally(report.good)} proved again{wrong}{mended}{unread}")
        if report.bad > report.mended and not repair:
            print(f"mend them: coldchain check {job.name} --repair")
    return _worst(codes)
