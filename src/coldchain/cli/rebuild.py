"""``coldchain rebuild``: make a lost ledger again from the manifests beside the data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.jobs import chosen, each
from coldchain.cli.printing import complain, files, name, show_json, tally
from coldchain.cli.progress import watching

if TYPE_CHECKING:
    from coldchain.config.values import Job
    from coldchain.steps.recollect import RebuildReport

_HELP = """Make a lost ledger again from the manifests.

The manifests lie beside the data.  Every copy is read again and compared; with --quick only sizes are compared, and
the next run reads what it needs.

\b
Example:
  coldchain rebuild merscope
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rebuild", help=_HELP)(rebuild)


def rebuild(
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    quick: bool = typer.Option(False, "--quick", help="Compare sizes only; what is recorded is then proved by size."),
    workers: int = session.WORKERS,
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Rebuild; the exit code that matters most of all jobs."""
    from coldchain.operate.rebuild import rebuild_job

    configuration = session.load(config, settings)

    def rebuild_one(job: Job) -> int:
        watched = watching("reading", as_json=as_json)
        with watched as monitor, session.writing(configuration, job.name) as ledger:
            report = rebuild_job(job, ledger, session.surroundings(monitor, workers), quick=quick)
        if as_json:
            show_json(report.as_json())
        else:
            _show(report)
        return report.exit_code

    return each(chosen(configuration, jobs), rebuild_one, as_json=as_json)


def _show(report: RebuildReport) -> None:
    for trouble in report.troubles:
        print(name(trouble))
    if report.more_troubles:
        print(f"... and {report.more_troubles:,} more")
    read = f"{report.manifests:,} manifest{'' if report.manifests == 1 else 's'}"
    print(f"{report.job}: {tally(report.rebuilt)} recorded anew from {read}; {files(report.known)} were known already")
    if not report.manifests and not report.troubles:
        complain(f"{report.job}: no manifest was found; coldchain run adopts what stands at the destinations")
