"""``coldchain report``: what came of one past run, with every file that is not verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from coldchain.cli import session
from coldchain.cli.printing import name, show_json, size
from coldchain.errors import UsageError
from coldchain.model import State

_HELP = """Print the report of a past run; the last one when no number is given.

Example: coldchain report 17 --json
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report", help=_HELP)(report)


def report(
    run: int | None = typer.Argument(None, metavar="[RUN]", help="Its number, from coldchain history."),
    config: Path | None = session.CONFIG,
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Print it; ends with 0, whatever the run ended with."""
    from coldchain.steps.report import trouble_json

    configuration = session.load(config, settings)
    with session.reading(configuration) as ledger:
        if run is None:
            runs = ledger.runs(None, 1)
            if not runs:
                raise UsageError("there was no run yet")
            run = runs[0].id
        row = ledger.run(run)
        summary: dict[str, Any] = dict(row.summary or {})
        if as_json:
            troubles = [{"dataset": dataset, **trouble_json(trouble)} for dataset, trouble in ledger.troubles(run)]
            show_json({**summary, "all_troubles": troubles})
            return 0
        ended = f"{row.ended:%Y-%m-%d %H:%M:%S}" if row.ended else "never"
        print(f"run {row.id}: {row.command} of {row.job}, {row.started:%Y-%m-%d %H:%M:%S} to {ended} (UTC)")
        print(f"exit code: {row.exit_code if row.exit_code is not None else 'none: it was killed'}")
        for dataset in summary.get("datasets") or ():
            print(f"{name(dataset['dataset'])}   {dataset['files']:,} files   {size(dataset['size_bytes'])}")
            for destination, lot in dataset["destinations"].items():
                states = "  ".join(f"{state} {lot[state]['files']:,}" for state in State)
                print(f"  {destination:<10} {states}  (sent {lot['sent']['files']:,})")
        for dataset, trouble in ledger.troubles(run):
            what = f"{name(dataset)}: {name(trouble.path)}: {name(trouble.reason)}"
            print(f"  {trouble.state:<9} {what} ({trouble.destination})")
        for note in summary.get("notes") or ():
            print(f"  note: {name(note)}")
        if "datasets" not in summary and summary:
            print(json.dumps(summary, indent=2))
    return 0
