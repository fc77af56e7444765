"""``coldchain restore``: bring a dataset, or some of its files, back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.jobs import one
from coldchain.cli.printing import name, show_json, tally
from coldchain.cli.progress import watching
from coldchain.errors import UsageError

if TYPE_CHECKING:
    from coldchain.operate.restore import RestoreReport

_HELP = """Bring back a dataset, or the files that fit patterns.

Files come to lie in the folder as they lay below the source, and every byte is checked.  What is there already is
never overwritten unasked.

\b
Example:
  coldchain restore merscope run1 'settings/*' --to /data/back
"""

_SHOWN = 20


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("restore", help=_HELP)(restore)


def restore(
    job: str = typer.Argument(..., metavar="JOB"),
    dataset: str = typer.Argument(..., metavar="DATASET", help="As coldchain list names it."),
    patterns: list[str] = typer.Argument(None, metavar="PATTERN", help="gitignore patterns; all files without."),
    to: Path = typer.Option(..., "--to", metavar="DIR", help="The folder to restore into."),
    origin: str = typer.Option("", "--from", metavar="DESTINATION", help="Only from this destination."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace files that are there and differ."),
    config: Path | None = session.CONFIG,
    workers: int = session.WORKERS,
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Restore."""
    from coldchain.operate.restore import Wanted, restore_dataset

    configuration = session.load(config, settings)
    whose = one(configuration, job)
    if to.exists() and not to.is_dir():
        raise UsageError(f"--to {to}: is a file; name a folder, it is made when it is not there")
    if to.exists() and not os.access(to, os.W_OK | os.X_OK):
        raise UsageError(f"--to {to}: this account may not write there; name another folder")
    wanted = Wanted(dataset, to.absolute(), tuple(patterns or ()), overwrite, origin)
    with watching("restoring", as_json=as_json) as monitor, session.reading(configuration) as ledger:
        report = restore_dataset(whose, ledger, wanted, session.surroundings(monitor, workers))
    if as_json:
        show_json(report.as_json())
    else:
        for line in _lines(report, to):
            print(line)
    return report.exit_code


def _lines(report: RestoreReport, to: Path) -> Iterator[str]:
    troubles = list(report.troubles.values())
    for trouble in troubles[:_SHOWN]:
        yield f"{trouble.state:<10} {name(trouble.path)}: {name(trouble.reason)}"
    if len(troubles) > _SHOWN:
        yield f"... and {len(troubles) - _SHOWN:,} more"
    origins = ", ".join(f"{number:,} from {origin}" for origin, number in report.origins.items())
    brought = f"{tally(report.restored)} of {report.wanted.files:,}"
    yield f"{report.job}  {name(report.dataset)}: {brought} in {name(str(to))} ({origins or 'none'})"
    if report.exit_code == 0:
        yield "every file was compared with its record: all equal"
    elif report.interrupted:
        yield "interrupted; the same command again goes on"
