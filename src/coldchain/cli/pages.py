"""How is a past run shown on a page of its own, to somebody who has nothing but a browser?"""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coldchain import __version__
from coldchain.cli.plots import throughput_plot
from coldchain.cli.printing import duration, files, name, size
from coldchain.errors import UsageError
from coldchain.model import State

if TYPE_CHECKING:
    from jinja2 import Environment

    from coldchain.ledger.ledger import Ledger
    from coldchain.ledger.runs import RunRow

SHOWN = 5_000
"""So many rows of a table; the page must open in any browser, and the ledger has the others."""
_MARK = b'<meta name="generator" content="coldchain '
_WORDS = {
    0: ("good", "all verified"),
    1: ("bad", "a bug in coldchain"),
    2: ("bad", "wrong usage or configuration"),
    3: ("open", "not everything is verified"),
    4: ("bad", "a stored copy is wrong"),
    5: ("bad", "another run was going on"),
    6: ("open", "nothing was selected"),
    130: ("open", "interrupted"),
    None: ("bad", "no end: it was killed, or still goes on"),
}


def page_of(row: RunRow, ledger: Ledger) -> Iterator[str]:
    """The page, piece by piece; holds everything that it needs, and no script."""
    templates = _templates()
    style = templates.get_template("report.css").render()
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    summary: dict[str, Any] = dict(row.summary or {})
    datasets = [one for one in summary.get("datasets") or [] if one["files"] or one["troubles"]]
    kind, verdict = _WORDS.get(row.exit_code, ("bad", "an exit code that nobody knows"))
    troubles = [
        {"dataset": dataset, "state": str(trouble.state), "path": trouble.path or ".", **_where(trouble)}
        for dataset, trouble in islice(ledger.troubles(row.id), SHOWN + 1)
    ]
    yield from templates.get_template("report.html").generate(
        row=row,
        style=style,
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        version=__version__,
        kind=kind,
        verdict=verdict,
        source=summary.get("source", ""),
        facts=list(_facts(row, summary)),
        plot=throughput_plot(summary.get("throughput") or {}, summary.get("duration_s") or 0),
        datasets=datasets[:SHOWN],
        more_datasets=max(0, len(datasets) - SHOWN),
        states=[state.value for state in State],
        troubles=troubles[:SHOWN],
        more_troubles=len(troubles) > SHOWN,
        findings=list(_findings(summary)),
        notes=summary.get("notes") or [],
        absent=summary.get("absent") or [],
    )


def write_page(file: Path, pieces: Iterator[str]) -> None:
    """Write it whole or not at all; only an older page of ours is written over."""
    if file.exists() and not _is_ours(file):
        raise UsageError(f"{file} is there already, and is no page of coldchain; give another name")
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        try:
            with fresh.open("x", encoding="utf-8") as opened:
                opened.writelines(pieces)
            fresh.replace(file)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error


def _is_ours(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return _MARK in opened.read(1000)


def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("coldchain.cli"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"name": lambda text: name(str(text)), "size": size, "files": files, "span": duration}
    return made


def _where(trouble: Any) -> Mapping[str, object]:
    return {"reason": trouble.reason, "destination": trouble.destination, "size_bytes": trouble.size_bytes}


def _facts(row: RunRow, summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a person wants to know first."""
    if "files" in summary:
        yield "selected", f"{files(summary['files'])}, {size(summary['size_bytes'])}"
    datasets = summary.get("datasets") or []
    sent, sent_bytes = _sent(datasets)
    if datasets:
        yield "sent in this run", f"{files(sent)}, {size(sent_bytes)}"
    took = summary.get("duration_s")
    if took is None and row.ended is not None:
        took = (row.ended - row.started).total_seconds()
    if took is not None:
        yield "duration", duration(took)
    if took and sent_bytes:
        yield "rate", f"{size(sent_bytes / took)}/s"
    if "good" in summary:
        yield "proved again", f"{files(summary['good']['files'])}, {size(summary['good']['size_bytes'])}"
    if "rebuilt" in summary:
        yield "recorded anew", f"{files(summary['rebuilt']['files'])}, {size(summary['rebuilt']['size_bytes'])}"
    yield "exit code", "none" if row.exit_code is None else str(row.exit_code)


def _sent(datasets: list[Any]) -> tuple[int, int]:
    """Files and bytes that were written or adopted, at the destination that got most of them."""
    sums: dict[str, tuple[int, int]] = {}
    for dataset in datasets:
        for destination, lot in dataset["destinations"].items():
            before = sums.get(destination, (0, 0))
            sums[destination] = before[0] + lot["sent"]["files"], before[1] + lot["sent"]["size_bytes"]
    return max(sums.values(), key=lambda one: one[1], default=(0, 0))


def _findings(summary: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    """What a check or a rebuild found."""
    for one in summary.get("findings") or []:
        yield {key: str(one.get(key) or "") for key in ("state", "dataset", "destination", "key", "reason", "done")}
    if summary.get("format") == "coldchain-rebuild":
        for sentence in summary.get("troubles") or []:
            yield {"state": "trouble", "dataset": "", "destination": "", "key": "", "reason": sentence, "done": ""}
