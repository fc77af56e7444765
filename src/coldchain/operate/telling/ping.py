"""Does somebody who counts heartbeats hear of a run?

As health checks want it (healthchecks.io/docs/http_api): the URL itself for success, with ``/fail`` behind its path for
anything else, and a short text as the body.  The URL is a secret: whoever knows it can say that all is well.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from coldchain import __version__
from coldchain.config.values import Config
from coldchain.content.private import make_private
from coldchain.ledger.ledger import Ledger
from coldchain.model import State, Tally
from coldchain.monitor import Surroundings

if TYPE_CHECKING:
    from coldchain.operate.ending import Ending

_log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
_TRIES = 2
_SELDOM = timedelta(minutes=5)
"""A watcher looks every few seconds; nobody who counts heartbeats wants to hear each."""


def ping(config: Config, ending: Ending, ledger: Ledger, around: Surroundings) -> None:
    """Say how the run ended, if the job asks for it; a ping that is not heard is a note and nothing else (P13)."""
    url, well = ending.job.ping, ending.exit_code == 0
    if not url or (ending.watched and ending.exit_code == 130):  # a watcher that was stopped is no failure
        return
    memory = config.state / "pings" / f"{ending.job.name}.json"
    if ending.watched and _lately(memory, around.clock(), well=well):
        return
    why = "it is no http or https URL"
    if urlsplit(url).scheme in {"http", "https"}:
        address = url if well else _failing(url)
        for _ in range(_TRIES):
            if not (why := _ask(address, _body(ending))):
                _remember(memory, around.clock(), well=well)
                return
    around.monitor.note(f"the ping after this run of {ending.job.name} was not heard: {why}")


def _failing(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/fail"))


def _body(ending: Ending) -> bytes:
    """Numbers only: names of files are nobody's business there."""
    lines = [f"coldchain {__version__}: {ending.command} of {ending.job.name}, exit code {ending.exit_code}"]
    if (report := ending.report) is not None:
        lines.append(f"selected: {report.selected.files} files, {report.selected.size_bytes} bytes")
        for destination in report.destinations:
            lots = [dataset.lots[destination] for dataset in report.datasets]
            told = (f"{state} {sum((lot.tally(state) for lot in lots), Tally()).files}" for state in State)
            lines.append(f"{destination}: {', '.join(told)}")
    if ending.error is not None:
        lines.append(type(ending.error).__name__)
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def _ask(url: str, body: bytes) -> str:
    """Why it was not heard, without the URL; "" when it was.

    In a thread, because names are looked up, and drops of an answer taken, for as long as it pleases the other side.
    """
    answers: list[str] = []
    thread = Thread(target=lambda: answers.append(_post(url, body)), name="ping", daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    return answers[0] if answers else f"no answer within {TIMEOUT_S:.0f} s"


def _post(url: str, body: bytes) -> str:
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Here(HTTPRedirectHandler):
        """Goes nowhere else: urllib would take https to http, and turn what was posted into a mere question."""

        def redirect_request(self, *_: object) -> None:
            """Leave the answer as it is: the ping was not heard."""

    headers = {"User-Agent": f"coldchain/{__version__}", "Content-Type": "text/plain; charset=utf-8"}
    request = Request(url, body, headers)  # noqa: S310 - the scheme was looked at
    try:
        with build_opener(Here).open(request, timeout=TIMEOUT_S) as answer:
            status = int(answer.status)
    except HTTPError as error:
        error.close()
        status = error.code
    except Exception as error:  # what the other side can do wrong has no end, and texts of errors may hold the URL
        reason = getattr(error, "reason", error)
        return str(getattr(reason, "strerror", "") or type(reason).__name__)
    return "" if status < 300 else f"the answer was {status}"


def _lately(memory: Path, now: datetime, *, well: bool) -> bool:
    """Whether the same was said a short while ago."""
    try:
        values = json.loads(memory.read_bytes())
        said = datetime.fromisoformat(values["at"])
        return bool(values["well"] is well and timedelta(0) <= now - said < _SELDOM)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _remember(memory: Path, now: datetime, *, well: bool) -> None:
    with suppress(OSError):
        make_private(memory.parent)
        fresh = memory.with_suffix(".new")
        fresh.write_text(json.dumps({"at": now.isoformat(), "well": well}), encoding="utf-8")
        fresh.replace(memory)
