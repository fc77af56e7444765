"""What does the file of an agent say, if nobody tampered with it?

The format is described in docs/json.md (coldchain-agent) and docs/schemas/agent-1.json.  It lies where others can
write, so every field is looked at before it is believed, and one that is wrong spoils the whole file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coldchain.model import Tally
from coldchain.steps.publish import agent_key

LIMIT_BYTES = 1 << 20
_FIRST_YEAR, _LAST_YEAR = 1900, 2999
"""With times beyond these one cannot reckon: a clock without a battery begins in 1904, 1970 or 1980."""


class Damaged(ValueError):
    """Somebody tampered with it, it is cut short, or it is of a newer coldchain; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Word:
    """What one job on one host left at one destination; None where an older coldchain says nothing."""

    host: str
    job: str
    version: str
    heard: datetime | None
    """When it left this word, by its own clock."""
    exit_code: int | None
    only_held: bool
    problem: str
    last_success: datetime | None
    last_new: datetime | None
    next_run: datetime | None
    due: datetime | None
    watched: bool
    schedule: str
    source: str
    files: int | None
    backlog: Tally | None
    held: Tally | None
    refused: Tally | None
    failed: Tally | None


def read_words(key: str, content: bytes) -> list[Word]:
    """The words of all jobs in one file, ascending by job; raises Damaged."""
    if len(content) > LIMIT_BYTES:
        raise Damaged("it is far too long")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        raise Damaged("it is no JSON") from None
    if not isinstance(values, dict) or values.get("format") != "coldchain-agent":
        raise Damaged("it is not what an agent leaves")
    if values.get("version") != 1:
        raise Damaged("it is of a newer coldchain than this one")
    host, jobs = values.get("host"), values.get("jobs")
    if not isinstance(host, str) or not isinstance(jobs, dict) or agent_key(host) != key:
        raise Damaged("it names another host than its file does")
    version = values.get("coldchain")
    return [_word(host, job, str(version), jobs[job]) for job in sorted(jobs)]


def _word(host: str, job: str, version: str, values: object) -> Word:
    if not isinstance(values, dict):
        raise Damaged("one of its jobs is no object")
    fields = _Fields(values)
    heard = fields.moment("heard") or fields.moment("ended")
    return Word(
        host,
        job,
        fields.text("coldchain") or version,
        heard,
        fields.number("exit_code"),
        bool(values.get("only_held")),
        fields.text("problem"),
        fields.moment("last_success"),
        fields.moment("last_new"),
        fields.moment("next_run"),
        fields.moment("due"),
        bool(values.get("watched")),
        fields.text("schedule"),
        fields.text("source"),
        fields.number("files"),
        *(fields.tally(name) for name in ("backlog", "held", "refused", "failed")),
    )


class _Fields:
    """Values that are what they should be; raises Damaged for others."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        value = self._values.get(name)
        if value is not None and not isinstance(value, str):
            raise Damaged(f"{name} is no text")
        return value or ""

    def number(self, name: str, values: Mapping[str, Any] | None = None) -> int | None:
        value = (self._values if values is None else values).get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise Damaged(f"{name} is no number of anything")
        return value

    def moment(self, name: str) -> datetime | None:
        if not (text := self.text(name)):
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise Damaged(f"{name} is no time") from None
        if moment.tzinfo is None:
            raise Damaged(f"{name} does not say its time zone")
        if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            raise Damaged(f"{name} is a time that no clock shows")
        return moment

    def tally(self, name: str) -> Tally | None:
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise Damaged(f"{name} is no tally")
        files, size_bytes = self.number("files", value), self.number("size_bytes", value)
        if files is None or size_bytes is None:
            raise Damaged(f"{name} is no tally")
        return Tally(files, size_bytes)
