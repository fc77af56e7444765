"""``coldchain history``: past runs, and whether the record of them is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.jobs import chosen
from coldchain.cli.printing import complain, duration, show_json

if TYPE_CHECKING:
    from coldchain.ledger.ledger import Ledger
    from coldchain.ledger.runs import RunRow

_HELP = """List past runs, newest first.

With --verify the chain of all events is computed again: it shows whether anybody altered the ledger.

\b
Examples:
  coldchain history merscope --limit 10
  coldchain history --verify
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("history", help=_HELP)(history)


def history(
    job: str | None = session.JOB,
    config: Path | None = session.CONFIG,
    limit: int = typer.Option(20, "--limit", min=1, help="So many runs."),
    verify: bool = typer.Option(False, "--verify", help="Compute the chain of all events again."),
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """List, or verify."""
    configuration = session.load(config, settings)
    names = {one.name for one in chosen(configuration, [job] if job else None)}
    with session.reading(configuration) as ledger:
        if verify:
            return _verify(ledger, as_json=as_json)
        rows = [row for row in ledger.runs(job, limit) if row.job in names]
        for row in rows:
            if as_json:
                show_json(_json(row))
            else:
                print(_line(row))
        if not rows and not as_json:
            print("there was no run yet: coldchain run")
    return 0


def _verify(ledger: Ledger, *, as_json: bool) -> int:
    """0 when no event was altered, else 4."""
    report = ledger.verify_chain()
    if as_json:
        said = {"events": report.events, "head": report.head, "first_broken": report.first_broken, "why": report.why}
        show_json({"format": "coldchain-chain", "version": 1, **said})
    elif report.first_broken is None:
        print(f"{report.events:,} events, unbroken; the last hash is {report.head or 'none'}")
    else:
        complain(
            f"event {report.first_broken:,} of the ledger was altered ({report.why}). Its records may be wrong: move "
            f"the ledger away, and make it again from the manifests: coldchain rebuild"
        )
    return 0 if report.first_broken is None else 4


def _line(row: RunRow) -> str:
    took = duration((row.ended - row.started).total_seconds()) if row.ended else "did not end"
    code = "" if row.exit_code is None else f"exit code {row.exit_code}"
    return f"{row.id:>6}  {row.started:%Y-%m-%d %H:%M:%S}  {row.job:<16} {row.command:<8} {took:<12} {code}".rstrip()


def _json(row: RunRow) -> dict[str, object]:
    return {
        "format": "coldchain-run",
        "version": 1,
        "run": row.id,
        "job": row.job,
        "command": row.command,
        "started": row.started.isoformat(),
        "ended": row.ended.isoformat() if row.ended else None,
        "exit_code": row.exit_code,
    }
