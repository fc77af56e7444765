"""``coldchain list``: which datasets lie where, and in which state."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.jobs import chosen
from coldchain.cli.printing import name, show_json, tally
from coldchain.model import Tally

if TYPE_CHECKING:
    from coldchain.ledger.acquisitions import Acquisition
    from coldchain.ledger.ledger import Ledger
    from coldchain.ledger.records import TallyRow

_HELP = """List datasets and their state at each destination.

What is told is what the ledger knows; coldchain check looks again.

\b
Example:
  coldchain list merscope --long
"""

_RUNS = 100


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list", help=_HELP)(list_datasets)


def list_datasets(
    job: str | None = session.JOB,
    config: Path | None = session.CONFIG,
    long: bool = typer.Option(False, "--long", "-l", help="Also proofs, what is missing, and what headers say."),
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """List."""
    configuration = session.load(config, settings)
    with session.reading(configuration) as ledger:
        for one in chosen(configuration, [job] if job else None):
            rows = {(row.dataset, row.destination): row for row in ledger.tallies(one.name)}
            open_ones = _open(ledger, one.name)
            if not rows and not open_ones and not as_json:
                print(f"{one.name}: nothing is stored yet (coldchain run {one.name})")
            before = None
            for dataset, destination in sorted(rows.keys() | open_ones.keys()):
                row, waiting = rows.get((dataset, destination)), open_ones[dataset, destination]
                judged = ledger.acquisition(one.name, dataset) if dataset != before or as_json else None
                if as_json:
                    said = {"job": one.name, "dataset": dataset, "destination": destination}
                    known = {**_json(row, waiting), **_judged_json(judged)}
                    show_json({"format": "coldchain-dataset", "version": 1, **said, **known})
                else:
                    if judged:
                        _show_judged(one.name, dataset, judged, long=long)
                    print(f"{one.name}  {name(dataset):<40} {destination:<12} {_told(row, waiting, long=long)}")
                before = dataset
    return 0


def _show_judged(job: str, dataset: str, judged: Acquisition, *, long: bool) -> None:
    verdict = judged.verdict
    if verdict.condition != "unknown" or long:
        said = f"{verdict.condition:<12} {name(verdict.summary)}".rstrip()
        print(f"{job}  {name(dataset):<40} {said}")
    if long:
        for missing in verdict.missing:
            print(f"    missing   {name(missing)}")
        for path, sentence in verdict.remarks:
            print(f"    flagged   {name(path)}: {name(sentence)}")
        for field, value in verdict.catalogue.items():
            print(f"    {name(field)} = {name(str(value))}")


def _judged_json(judged: Acquisition | None) -> dict[str, object]:
    from coldchain.steps.report import condition_json

    if judged is None:
        return {"instrument": None, "condition": "unknown", "summary": "", "catalogue": {}}
    return {
        "instrument": judged.instrument,
        **condition_json(judged.verdict),
        "first_seen": judged.first_seen.isoformat(),
        "completed": judged.completed.isoformat() if judged.completed else None,
        "catalogue": dict(judged.verdict.catalogue),
        "units": [dict(unit) for unit in judged.verdict.units],
    }


def _open(ledger: Ledger, job: str) -> Counter[tuple[str, str]]:
    """How many files of which dataset the last run could not verify at which destination."""
    last = next((row for row in ledger.runs(job, _RUNS) if row.command == "run"), None)
    troubles = ledger.troubles(last.id) if last else ()
    return Counter((dataset, trouble.destination) for dataset, trouble in troubles)


def _told(row: TallyRow | None, waiting: int, *, long: bool) -> str:
    parts = [tally(row.tally if row else Tally())]
    if row and long:
        parts.append(f"{row.weakest.word}, oldest {row.oldest_proof:%Y-%m-%d %H:%M}")
    if waiting:
        parts.append(f"{waiting:,} not verified in the last run")
    return "   ".join(parts)


def _json(row: TallyRow | None, waiting: int) -> dict[str, object]:
    return {
        "files": row.tally.files if row else 0,
        "size_bytes": row.tally.size_bytes if row else 0,
        "weakest_proof": row.weakest.word if row else None,
        "oldest_proof": row.oldest_proof.isoformat() if row else None,
        "troubles_in_last_run": waiting,
    }
