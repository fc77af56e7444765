"""``coldchain check``: prove stored copies again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.jobs import chosen, each, narrowed
from coldchain.cli.printing import name, show_json, tally
from coldchain.cli.progress import watching
from coldchain.errors import ConfigurationError, NothingSelected, UsageError
from coldchain.model import Tally

if TYPE_CHECKING:
    from coldchain.config.values import Job
    from coldchain.ledger.ledger import Ledger
    from coldchain.monitor import Monitor
    from coldchain.operate.check import CheckReport, Extent

_HELP = """Prove stored copies again: read them, and compare.

What is read comes from the disk, past every cache; the manifests beside the copies are read as well.  Ends with 4 when
a copy is wrong or lost, or a manifest wrong, and was not mended; with 3 when a manifest is lost or outdated.

\b
Example:
  coldchain check merscope --within "90 days" --repair
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
    repair: bool = typer.Option(
        False, "--repair", help="Mend what is wrong from the source or another destination, manifests from the ledger."
    ),
    workers: int = session.WORKERS,
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Check; the exit code that matters most of all jobs."""
    extent = _extent(sample, within, dataset, repair=repair)
    configuration = session.load(config, settings)

    def check_one(job: Job) -> int:
        from coldchain.operate.check import check_job
        from coldchain.operate.opening import Wish

        watched = watching("checking", as_json=as_json)
        with watched as monitor, session.writing(configuration, job.name) as ledger:
            _look_for(dataset, job, ledger)
            if not (sample or within):
                _announce(dataset, job, ledger, monitor)
            report = check_job(job, ledger, extent, Wish(command="check"), session.surroundings(monitor, workers))
        if as_json:
            show_json(report.as_json())
        else:
            for line in _lines(report, repair=repair):
                print(line)
        return report.exit_code

    return each(narrowed(chosen(configuration, jobs), only), check_one, as_json=as_json)


def _extent(sample: str, within: str, dataset: str, *, repair: bool) -> Extent:
    from coldchain.config.units import parse_duration, parse_share
    from coldchain.operate.check import Extent

    if sample and within:
        raise UsageError("--sample and --within are two ways to choose; take one")
    option = "--sample" if sample else "--within"
    try:
        share = parse_share(sample) if sample else 1.0
        return Extent(share, parse_duration(within) if within else None, dataset, repair)
    except ConfigurationError as error:
        raise UsageError(f"{option}: {error}") from error


def _look_for(dataset: str, job: Job, ledger: Ledger) -> None:
    """Proving nothing must not look like a success, nor a slip of the finger like an empty archive."""
    from coldchain.config.problems import suggestion

    known = ledger.datasets(job.name)
    if not known:
        raise NothingSelected(
            f"{job.name}: nothing is stored yet; carry it: coldchain run {job.name} "
            f"(or, if the ledger was lost: coldchain rebuild {job.name})"
        )
    if dataset and dataset not in known:
        raise UsageError(f"{job.name}: nothing is stored of a dataset {dataset!r}; {suggestion(dataset, known)}")


def _announce(dataset: str, job: Job, ledger: Ledger, monitor: Monitor) -> None:
    """How much there is to read, when it is everything."""
    names = {destination.name for destination in job.destinations}
    rows = (row for row in ledger.tallies(job.name) if row.destination in names and dataset in ("", row.dataset))
    total = sum((row.tally for row in rows), Tally())
    monitor.planned(total.files, total.size_bytes)


def _lines(report: CheckReport, *, repair: bool) -> Iterator[str]:
    for destination, finding, done in report.shown:
        yield f"{report.job}  {destination}: {name(finding.record.key)}: {name(finding.reason)}"
        if done:
            yield f"{report.job}  {destination}: {name(finding.record.key)}: {name(done)}"
    for destination, found, done in report.shown_manifests:
        yield f"{report.job}  {destination}: {name(found.key)}: {found.state}: {name(found.reason)}"
        if done:
            yield f"{report.job}  {destination}: {name(found.key)}: {done}"
    more = report.bad + report.unreadable - len(report.shown)
    if more > 0:
        yield f"{report.job}  ... and {more:,} more"
    wrong = f", {report.bad:,} wrong or lost" if report.bad else ""
    mended = f", {report.mended:,} mended" if report.mended else ""
    unread = f", {report.unreadable:,} could not be read" if report.unreadable else ""
    manifests = "".join(
        f", {number:,} {'manifest' if number == 1 else 'manifests'} {what}"
        for what, number in (
            ("wrong or lost", sum(report.manifests[state] for state in ("corrupt", "lost", "outdated"))),
            ("written anew", report.manifests["mended"]),
            ("that could not be read", report.manifests["unreadable"]),
        )
        if number
    )
    end = "; interrupted, not all were looked at" if report.interrupted else ""
    yield f"{report.job}: {tally(report.good)} proved again{wrong}{mended}{unread}{manifests}{end}"
    if not (report.good.files or wrong or unread or end):
        yield f"{report.job}: no copy was chosen; take a larger share, or a shorter time"
    due = report.manifests.keys() & {"corrupt", "lost", "outdated"}
    if (report.bad > report.mended or due) and not repair:
        yield f"mend them: coldchain check {report.job} --repair"
    elif report.bad > report.mended:
        yield "what was not mended is neither at the source nor whole at another destination"
