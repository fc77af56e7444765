"""``coldchain report``: what came of one past run, with every file that is not verified."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from coldchain.cli import session
from coldchain.cli.printing import files, name, show_json, size
from coldchain.errors import UsageError
from coldchain.model import State

if TYPE_CHECKING:
    from coldchain.ledger.ledger import Ledger
    from coldchain.ledger.runs import RunRow

_HELP = """Print the report of a past run, the last one by default.

Every file that is not verified is named, with the reason.  Ends with 0, whatever the run ended with.

With --html it is written to FILE, one page that needs nothing but a browser.

\b
Examples:
  coldchain report 17 --json
  coldchain report 17 --html run-17.html
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report", help=_HELP)(report)


def report(
    run: int | None = typer.Argument(None, metavar="RUN", help="Its number, from coldchain history."),
    file: Path | None = typer.Argument(None, metavar="FILE", help="Where --html writes (coldchain-run-RUN.html)."),
    html: bool = typer.Option(False, "--html", help="A page for a browser, in FILE; - for standard output."),
    config: Path | None = session.CONFIG,
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Print it; ends with 0, whatever the run ended with."""
    from coldchain.steps.report import trouble_json

    if file is not None and not html:
        raise UsageError(f"what is {file} for? A page is written with --html")
    configuration = session.load(config, settings)
    with session.reading(configuration) as ledger:
        if not (last := ledger.runs(None, 1)):
            raise UsageError("there was no run yet: coldchain run")
        row = last[0] if run is None else ledger.run(run)
        if html:
            _write_page(row, ledger, file or Path(f"coldchain-run-{row.id}.html"))
        elif as_json:
            troubles = [{"dataset": dataset, **trouble_json(trouble)} for dataset, trouble in ledger.troubles(row.id)]
            said = {"run": row.id, "job": row.job, "exit_code": row.exit_code, **(row.summary or {})}
            show_json({"format": "coldchain-report", "version": 1, **said, "all_troubles": troubles})
        else:
            for line in _lines(row, ledger):
                print(line)
    return 0


def _write_page(row: RunRow, ledger: Ledger, file: Path) -> None:
    from coldchain.cli.pages import page_of, write_page

    if str(file) == "-":
        for piece in page_of(row, ledger):
            sys.stdout.write(piece)
        return
    write_page(file, page_of(row, ledger))
    print(file)


def _lines(row: RunRow, ledger: Ledger) -> Iterator[str]:
    ended = f"{row.ended:%Y-%m-%d %H:%M:%S}" if row.ended else "never"
    yield f"run {row.id}: {row.command} of {row.job}, {row.started:%Y-%m-%d %H:%M:%S} to {ended} (UTC)"
    code = row.exit_code if row.exit_code is not None else "none: it was killed, or still goes on"
    yield f"exit code: {code}"
    summary: dict[str, Any] = dict(row.summary or {})
    for dataset in summary.get("datasets") or ():
        yield from _dataset(dataset)
    if summary.get("format") == "coldchain-check":
        yield from _check(summary)
    if summary.get("format") == "coldchain-rebuild":
        yield from _rebuild(summary)
    for dataset, trouble in ledger.troubles(row.id):
        what = f"{name(dataset)}: {name(trouble.path)}: {name(trouble.reason)}"
        yield f"  {trouble.state:<9} {what} ({trouble.destination})"
    for note in summary.get("notes") or ():
        yield f"  note: {name(note)}"


def _dataset(dataset: Mapping[str, Any]) -> Iterator[str]:
    yield f"{name(dataset['dataset'])}   {files(dataset['files'])}   {size(dataset['size_bytes'])}"
    for destination, lot in dataset["destinations"].items():
        states = "  ".join(f"{state} {lot[state]['files']:,}" for state in State)
        yield f"  {destination:<10} {states}  (sent {lot['sent']['files']:,})"


def _check(summary: Mapping[str, Any]) -> Iterator[str]:
    good = summary["good"]
    yield f"proved again {files(good['files'])}, {size(good['size_bytes'])}"
    yield f"wrong or lost {summary['bad']:,}, mended {summary['mended']:,}, not readable {summary['unreadable']:,}"
    for one in summary["findings"]:
        done = f"; {name(one['done'])}" if one["done"] else ""
        yield f"  {one['state']:<9} {name(one['key'])}: {name(one['reason'])}{done} ({one['destination']})"


def _rebuild(summary: Mapping[str, Any]) -> Iterator[str]:
    rebuilt = summary["rebuilt"]
    said = f"{files(rebuilt['files'])}, {size(rebuilt['size_bytes'])}"
    yield f"recorded anew {said} from {summary['manifests']:,} manifests"
    for trouble in summary["troubles"]:
        yield f"  {name(trouble)}"
