"""``coldchain find``: which datasets have such values in their headers?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.printing import name, show_json

if TYPE_CHECKING:
    from coldchain.steps.search import Hit, Term

_HELP = """Find datasets by what their headers say.

Conditions are a field, a sign (= != < <= > >= ~) and a value; all must be true.  coldchain list --long shows the
fields.  Ends with 6 when nothing is found.

\b
Example:
  coldchain find 'instrument=ifcb start>=2023-01-01 roiCount>1000'
"""

_NOTHING = 6


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("find", help=_HELP)(find)


def find(
    conditions: list[str] = typer.Argument(..., metavar="CONDITION", help="Such as roiCount>1000; in quotes."),
    config: Path | None = session.CONFIG,
    job: str | None = typer.Option(None, "--job", "-j", metavar="JOB", help="Only datasets of this job."),
    long: bool = typer.Option(False, "--long", "-l", help="All fields of each."),
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Search, and print."""
    from coldchain.cli.jobs import chosen
    from coldchain.steps.search import parse_question

    configuration = session.load(config, settings)
    wanted = chosen(configuration, [job] if job else None)
    search = parse_question(conditions)
    found = False
    with session.reading(configuration) as ledger:
        rows = (row for one in wanted for row in ledger.acquisitions(one.name))
        for hit in search.hits(rows):
            found = True
            if as_json:
                show_json(
                    {"format": "coldchain-found", "version": 1, "job": hit.job, "dataset": hit.dataset}
                    | {"unit": hit.unit or None, "fields": dict(hit.fields)}
                )
            else:
                _show(hit, search.terms, long=long)
    return 0 if found else _NOTHING


def _show(hit: Hit, terms: tuple[Term, ...], *, long: bool) -> None:
    where = f"{hit.job}  {name(hit.dataset)}" + (f"  {name(hit.unit)}" if hit.unit else "")
    if long:
        print(where)
        for field, value in hit.fields.items():
            print(f"    {name(field)} = {name(str(value))}")
        return
    asked = {term.field.lower() for term in terms} - {"job", "dataset", "unit"}
    told = [f"{name(field)}={name(str(value))}" for field, value in hit.fields.items() if field.lower() in asked]
    print("  ".join([where, *told]))
