"""``coldchain rebuild``: make a lost ledger again from the manifests beside the data."""

from __future__ import annotations

from pathlib import Path

import typer

from coldchain.cli import session
from coldchain.cli.printing import complain, plain, show_json, tally
from coldchain.cli.progress import watching

_HELP = """Make a lost or outdated ledger again from the manifests beside the data, by reading only.

Example: coldchain rebuild merscope

Every copy is read again and compared.  With --quick only sizes are compared, and the next run reads what it needs.
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
    """Rebuild."""
    from coldchain.cli.run import _worst
    from coldchain.operate.rebuild import rebuild_job

    configuration = session.load(config, settings)
    codes = []
    for job in session.chosen(configuration, jobs):
        with watching(as_json=as_json) as monitor, session.writing(configuration, job.name) as ledger:
            report = rebuild_job(job, ledger, session.surroundings(monitor, workers), quick=quick)
        codes.append(report.exit_code)
        if as_json:
            show_json(report.as_json())
            continue
        for trouble in report.troubles:
            print(plain(trouble))
        if report.more_troubles:
            print(f"... and {report.more_troubles:,} more")
        print(
            f"{job.name}: {tally(report.rebuilt)} recorded anew from {report.manifests:,} manifests, "
            f"{report.known:,} were known"
        )
        if not report.manifests and not report.troubles:
            complain(f"{job.name}: no manifest was found; coldchain run adopts what stands at the destinations")
    return _worst(codes)
