"""``coldchain why``: the life of one file."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from coldchain.cli import session
from coldchain.cli.printing import name, show_json, size

if TYPE_CHECKING:
    from coldchain.config.values import Config
    from coldchain.ledger.ledger import Ledger
    from coldchain.model import Record

_HELP = """Tell the life of one file.

When it was seen, why it was held back, where it is stored, how and when that was proved.  The path is one below the
source, or that of a file on this machine.

\b
Example:
  coldchain why run1/images/0001.tif
"""

_SHORT = len("sha256:") + 12
"""So much of a digest is enough to recognise it."""


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
            f"no run ever met {name(path)}. Is it below the source of a job, selected by include and exclude, and was "
            f"there a run since it appeared? coldchain plan says what would be done with it"
        )
    for life in lives:
        if as_json:
            show_json({"format": "coldchain-event", "version": 1, **life})
        else:
            for line in _lines(life):
                print(line)
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
    whose = {"job": job, "dataset": dataset, "path": path}
    lives: list[dict[str, object]] = [
        {**whose, "kind": event.kind, "at": event.at.isoformat(), "run": event.run}
        | {"destination": event.destination, "detail": dict(event.detail)}
        for event in ledger.events(job=job, dataset=dataset, path=path)
    ]
    for run, trouble in ledger.last_troubles(job, dataset, path):
        at = ledger.run(run).started.isoformat()
        detail = {"reason": trouble.reason}
        lives.append(
            {**whose, "kind": trouble.state.value, "at": at, "run": run}
            | {"destination": trouble.destination, "detail": detail}
        )
    lives.sort(key=lambda life: (str(life["at"]), str(life["kind"])))
    for destination, record in ledger.copies(job, dataset, path):
        at = datetime.fromtimestamp(record.proved_at_us / 1e6, UTC).isoformat()
        lives.append({**whose, "kind": "now", "at": at, "destination": destination, "detail": _copy(record)})
    return lives


def _copy(record: Record) -> dict[str, object]:
    return {
        "key": record.key,
        "size_bytes": record.size_bytes,
        "digest": str(record.digest),
        "proof": record.proof_kind.word,
        "how": record.proof_how,
        "superseded": record.superseded,
    }


def _lines(life: dict[str, object]) -> list[str]:
    at = str(life["at"])[:19].replace("T", " ")
    detail = cast("dict[str, Any]", life["detail"])
    where = name(str(life["destination"] or ""))
    if life["kind"] == "now":
        old = " (an older version)" if detail["superseded"] else ""
        lead = f"{'now':<19}  {where}: "
        return [
            f"{lead}{name(str(detail['key']))}, {size(detail['size_bytes'])}{old}",
            f"{'':<21}{name(str(detail['digest']))}",
            f"{'':<21}proved by {detail['proof']} ({detail['how']}) at {at} UTC",
        ]
    return [f"{at}  {life['kind']:<9} {where}  run {life['run']}: {_told(detail)}".rstrip(" :")]


def _told(detail: dict[str, Any]) -> str:
    """The details of an event as words; ``--json`` has all of them."""
    parts = [name(str(detail[key])) for key in ("reason", "why") if detail.get(key)]
    if "size_bytes" in detail:
        parts.append(size(detail["size_bytes"]))
    parts += [name(str(detail[key]))[:_SHORT] for key in ("old_digest", "digest") if detail.get(key)]
    if "proof" in detail:
        parts.append(f"proved by {detail['proof']} ({detail.get('how', '')})")
    return ", ".join(parts) or ", ".join(f"{name(str(key))} {name(str(value))}" for key, value in detail.items())
