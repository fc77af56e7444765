"""``coldchain list``: which datasets lie where, and in which state."""

from __future__ import annotations

from pathlib import Path

import typer

from coldchain.cli import session
from coldchain.cli.printing import name, show_json, tally

_HELP = """List the datasets of a job and their state at each destination, from the ledger.

Example: coldchain list merscope --long
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list", help=_HELP)(list_datasets)


def list_datasets(
    job: str | None = session.JOB,
    config: Path | None = session.CONFIG,
    long: bool = typer.Option(False, "--long", "-l", help="Also the kind and the age of the weakest proof."),
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """List."""
    configuration = session.load(config, settings)
    with session.reading(configuration) as ledger:
        for one in session.chosen(configuration, [job] if job else None):
            rows = ledger.tallies(one.name)
            last = ledger.runs(one.name, 1)
            troubles: dict[str, int] = {}
            if last:
                for dataset, _ in ledger.troubles(last[0].id):
                    troubles[dataset] = troubles.get(dataset, 0) + 1
            if not rows and not as_json:
                print(f"{one.name}: nothing is stored yet (coldchain run {one.name})")
            for row in rows:
                open_ones = troubles.get(row.dataset, 0)
                if as_json:
                    show_json(
                        {
                            "format": "coldchain-dataset",
                            "version": 1,
                            "job": one.name,
                            "dataset": row.dataset,
                            "destination": row.destination,
                            "files": row.tally.files,
                            "size_bytes": row.tally.size_bytes,
                            "weakest_proof": row.weakest.word,
                            "oldest_proof": row.oldest_proof.isoformat(),
                            "troubles_in_last_run": open_ones,
                        }
                    )
                    continue
                proof = f"   {row.weakest.word}, oldest {row.oldest_proof:%Y-%m-%d %H:%M}" if long else ""
                more = f"   {open_ones:,} not verified in the last run" if open_ones else ""
                print(f"{one.name}  {name(row.dataset):<40} {row.destination:<12} {tally(row.tally)}{proof}{more}")
    return 0
