"""``coldchain why``: the life of one file."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from coldchain.cli import session
from coldchain.cli.printing import name, plain, show_json, size

if TYPE_CHECKING:
    from coldchain.config.values import Config
    from coldchain.ledger.ledger import Ledger

_HELP = """Tell the life of one file: seen, held because, stored where, proved how and when.

Example: coldchain why run1/images/0001.tif      (a path below the source, or a file on this machine)
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("why", help=_HELP)(why)


def why(
    path: str = typer.Argument(..., metavar="PATH", help="A path below the source of a job, or a whole path."),
    config: Path | None = session.CONFIG,
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Tell it."""
    from coldchain.errors import UsageError

    configuration = session.load(config, settings)
    with session.reading(configuration) as ledger:
        lives = [
            life
            for candidate in _candidates(configuration, path)
            for job, dataset in ledger.find_path(candidate)
            for life in _lives(ledger, job, dataset, candidate)
        ]
    if not lives:
        raise UsageError(
            f"no run ever met {plain(path)}. Is it below the source of a job, selected by include and exclude, and was "
            f"there a run since it appeared? coldchain plan says what would be done with it"
        )
    for life in lives:
        if as_json:
            show_json({"format": "coldchain-event", "version": 1, **life})
        else:
            print(_sentence(life))
    return 0


def _candidates(config: Config, path: str) -> list[str]:
    """The path as it is typed, and as it would be below the source of each job."""
    whole = os.path.abspath(path)
    found = [path.removeprefix("./")]
    for job in config.jobs.values():
        source = os.path.join(os.path.abspath(job.source.url), "")
        if whole.startswith(source):
            found.append(whole[len(source) :].replace(os.sep, "/"))
    return list(dict.fromkeys(found))


def _lives(ledger: Ledger, job: str, dataset: str, path: str) -> list[dict[str, object]]:
    lives: list[dict[str, object]] = [
        {
            "kind": event.kind,
            "at": event.at.isoformat(),
            "run": event.run,
            "job": job,
            "dataset": dataset,
            "path": path,
            "destination": event.destination,
            "detail": dict(event.detail),
        }
        for event in ledger.events(job=job, dataset=dataset, path=path)
    ]
    for run, trouble in reversed(ledger.last_troubles(job, dataset, path)):
        lives.append(
            {
                "kind": trouble.state.value,
                "run": run,
                "at": ledger.run(run).started.isoformat(),
                "job": job,
                "dataset": dataset,
                "path": path,
                "destination": trouble.destination,
                "detail": {"reason": trouble.reason},
            }
        )
    lives.sort(key=lambda life: (str(life["at"]), str(life["kind"])))
    for destination, record in ledger.copies(job, dataset, path):
        lives.append(
            {
                "kind": "now",
                "at": datetime.fromtimestamp(record.proved_at_us / 1e6, UTC).isoformat(),
                "job": job,
                "dataset": dataset,
                "path": path,
                "destination": destination,
                "detail": {
                    "key": record.key,
                    "size_bytes": record.size_bytes,
                    "digest": str(record.digest),
                    "proof": record.proof_kind.word,
                    "how": record.proof_how,
                    "superseded": record.superseded,
                },
            }
        )
    return lives


def _sentence(life: dict[str, object]) -> str:
    at = str(life["at"])[:19].replace("T", " ")
    detail = cast("dict[str, Any]", life["detail"])
    where = str(life["destination"] or "")
    if life["kind"] == "now":
        old = " (an older version)" if detail["superseded"] else ""
        return (
            f"now                  {where}: {name(str(detail['key']))}, {size(detail['size_bytes'])}, "
            f"{detail['digest']}{old}\n"
            f"                     proved by {detail['proof']} ({detail['how']}) at {at}"
        )
    told = "; ".join(f"{name(str(key))} {name(str(value))}" for key, value in detail.items())
    return f"{at}  {life['kind']:<12} {where}  run {life['run']}  {told}".rstrip()
