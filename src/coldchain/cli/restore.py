"""``coldchain restore``: bring a dataset, or some of its files, back."""

from __future__ import annotations

from pathlib import Path

import typer

from coldchain.cli import session
from coldchain.cli.printing import name, show_json, tally
from coldchain.cli.progress import watching

_HELP = """Bring back a dataset, or the files that fit patterns, and check every byte.

Example: coldchain restore merscope 202205231554_MouseSagittalM3S1_VMSC01101 'settings/*' --to /data/back

Files come to lie in the folder as they lay below the source.  What is there already is never overwritten unasked.
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("restore", help=_HELP)(restore)


def restore(
    job: str = typer.Argument(..., metavar="JOB"),
    dataset: str = typer.Argument(..., metavar="DATASET", help="As coldchain list names it."),
    patterns: list[str] = typer.Argument(None, metavar="[PATTERN]...", help="gitignore patterns; all files without."),
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
    one = session.one(configuration, job)
    wanted = Wanted(dataset, to.absolute(), tuple(patterns or ()), overwrite, origin)
    with watching(as_json=as_json) as monitor, session.reading(configuration) as ledger:
        report = restore_dataset(one, ledger, wanted, session.surroundings(monitor, workers))
    if as_json:
        show_json(report.as_json())
        return report.exit_code
    for trouble in list(report.troubles.values())[:20]:
        print(f"{trouble.state:<10} {name(trouble.path)}: {name(trouble.reason)}")
    if len(report.troubles) > 20:
        print(f"... and {len(report.troubles) - 20:,} more")
    origins = ", ".join(f"{number:,} from {origin}" for origin, number in report.origins.items())
    brought = f"{tally(report.restored)} of {report.wanted.files:,}"
    print(f"{one.name}  {name(dataset)}: {brought} in {to} ({origins or 'none'})")
    if report.exit_code == 0:
        print("every file was compared with its record: all equal")
    return report.exit_code
