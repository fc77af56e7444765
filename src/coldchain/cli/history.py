"""``coldchain history``: past runs, and whether the record of them is whole."""

from __future__ import annotations

from pathlib import Path

import typer

from coldchain.cli import session
from coldchain.cli.printing import complain, duration, show_json

_HELP = """List past runs, newest first.

Example: coldchain history merscope --limit 10      or: coldchain history --verify
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
    names = [one.name for one in session.chosen(configuration, [job] if job else None)]
    with session.reading(configuration) as ledger:
        if verify:
            report = ledger.verify_chain()
            if as_json:
                show_json(
                    {
                        "format": "coldchain-chain",
                        "version": 1,
                        "events": report.events,
                        "head": report.head,
                        "first_broken": report.first_broken,
                        "why": report.why,
                    }
                )
            elif report.first_broken is None:
                print(f"{report.events:,} events, unbroken; the last hash is {report.head or 'none'}")
            else:
                complain(
                    f"event {report.first_broken:,} of the ledger was altered ({report.why}). Its records may be "
                    f"wrong: move the ledger away, and coldchain rebuild"
                )
            return 0 if report.first_broken is None else 4
        for row in ledger.runs(job, limit) if job else (r for r in ledger.runs(None, limit) if r.job in names):
            if as_json:
                show_json(
                    {
                        "format": "coldchain-run",
                        "version": 1,
                        "run": row.id,
                        "job": row.job,
                        "command": row.command,
                        "started": row.started.isoformat(),
                        "ended": row.ended.isoformat() if row.ended else None,
                        "exit_code": row.exit_code,
                    }
                )
                continue
            took = duration((row.ended - row.started).total_seconds()) if row.ended else "did not end"
            code = "" if row.exit_code is None else f"exit code {row.exit_code}"
            print(f"{row.id:>6}  {row.started:%Y-%m-%d %H:%M:%S}  {row.job:<16} {row.command:<8} {took:<12} {code}")
    return 0
