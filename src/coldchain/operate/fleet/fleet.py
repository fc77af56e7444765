"""Which agents left word at a place, and who of them is late or in trouble?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from coldchain import __version__
from coldchain.errors import ManifestDamaged, StoreError
from coldchain.model import OWN_FOLDER, Entry, Place
from coldchain.operate.fleet.agents import Damaged, Word, read_words
from coldchain.steps.deliver import fetch
from coldchain.steps.identify import read_writers
from coldchain.stores.base import Store, open_store

FOLDER = f"{OWN_FOLDER}/agents"
_SKEW = timedelta(minutes=5)
"""Clocks that differ by less are not worth a word."""
_COPIED = timedelta(hours=24)
"""An object that is so much younger than the word in it is a copy of it: its time says nothing of the agent."""


class Condition(StrEnum):
    """How an agent does; all but the first two are trouble."""

    WELL = "well"
    HOLDING = "holding"
    """The last run held files back, and nothing worse: a dataset is still being acquired."""
    LATE = "late"
    TROUBLE = "trouble"
    """It was heard in time, and what it says is not good."""
    SILENT = "silent"
    """It may write there, and never left word."""
    DAMAGED = "damaged"
    """What lies there is not what an agent leaves."""

    @property
    def is_trouble(self) -> bool:
        """Whether a person must look."""
        return self not in {Condition.WELL, Condition.HOLDING}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person wants to know."""

    late: timedelta | None = None
    """Silent for longer is late, whatever the agents themselves say."""
    nothing_new: timedelta | None = None
    """Nothing new for longer is trouble."""
    ignored: frozenset[str] = frozenset()
    """``HOST`` or ``HOST/JOB`` that are retired."""

    def ignores(self, host: str, job: str) -> bool:
        """Whether nobody wants to hear of it."""
        return host in self.ignored or f"{host}/{job}" in self.ignored


@dataclass(frozen=True, slots=True)
class Agent:
    """One job of one host at one place, and what is to be said of it."""

    place: str
    host: str
    job: str
    condition: Condition
    why: str
    word: Word | None = None
    remarks: tuple[str, ...] = field(default=())
    """What is no trouble by itself and worth knowing: an old version, a clock that is wrong."""


def read_fleet(place: Place, asked: Asked, now: datetime) -> Iterator[Agent]:
    """Yield every agent at one place, by host and job; writes nothing.

    Raises StoreError when the place cannot be read: then nothing is known of anybody there.
    """
    store = open_store(place)
    try:
        store.volume()  # raises NotFound when the whole place is not there, which no listing of a bucket does
        heard: set[tuple[str, str]] = set()
        for found in store.list(FOLDER):
            if not isinstance(found, Entry):
                yield Agent(place.url, _host(found.path), "", Condition.DAMAGED, found.reason)
            elif found.path.endswith(".json"):
                for agent in _read(store, place.url, found, asked, now):
                    heard.add((agent.job, agent.host))
                    yield agent
        damaged = {host for job, host in heard if not job}
        for job, host in sorted(_writers(store, place.url), key=lambda writer: (writer[1], writer[0])):
            if (job, host) not in heard and host not in damaged and not asked.ignores(host, job):
                why = "may write there, and never left word"
                yield Agent(place.url, host, job, Condition.SILENT, why)
    finally:
        store.close()


def _writers(store: Store, url: str) -> tuple[tuple[str, str], ...]:
    try:
        return read_writers(store)
    except ManifestDamaged as error:
        raise StoreError(f"who may write there cannot be read: {error}", url=url) from error


def _read(store: Store, url: str, found: Entry, asked: Asked, now: datetime) -> Iterator[Agent]:
    host = _host(found.path)
    try:
        content = fetch(store, found.path)
        words = [] if content is None else read_words(found.path, content)
    except Damaged as error:
        if host not in asked.ignored:
            yield Agent(url, host, "", Condition.DAMAGED, f"its file was damaged by somebody: {error}")
        return
    latest = max((word.heard for word in words if word.heard), default=None)
    ahead, remark = _clock(latest, found.mtime_ns)
    for word in words:
        if not asked.ignores(word.host, word.job):
            yield _judged(url, word, asked, now, ahead, remark)


def _host(key: str) -> str:
    """Who a file belongs to, by its name alone."""
    from coldchain.ledger.quoting import unquote_dataset

    quoted = key.rpartition("/")[2].removesuffix(".json")
    try:
        return unquote_dataset(quoted) or quoted
    except UnicodeError:  # no name that an agent makes
        return quoted


def _clock(latest: datetime | None, mtime_ns: int) -> tuple[timedelta, str]:
    """By how much the agent's clock is ahead of the store's, as far as it can be told, and a remark about it.

    The store's time of the object is when the last word came, by a clock that all agents there share.
    """
    if latest is None or not mtime_ns:
        return timedelta(0), ""
    ahead = latest - datetime.fromtimestamp(mtime_ns / 1e9, UTC)
    if ahead < -_COPIED:
        return timedelta(0), "its file is much younger than the word in it: this is a copy"
    if abs(ahead) < _SKEW:
        return ahead, ""
    return ahead, f"its clock is {_span(abs(ahead))} {'ahead of' if ahead > timedelta(0) else 'behind'} the store's"


def _judged(url: str, word: Word, asked: Asked, now: datetime, ahead: timedelta, clock: str) -> Agent:
    remarks = [clock] if clock else []
    if _parts(word.version) < _parts(__version__):
        remarks.append(f"runs coldchain {word.version}; this is {__version__}")
    limit = None if word.heard is None else (word.heard + asked.late if asked.late else word.due)
    if limit is None:
        remarks.append("nobody says when it should run: --late SPAN does")
    condition, why = _condition(word, asked, now + ahead, limit)
    return Agent(url, word.host, word.job, condition, why, word, tuple(remarks))


def _condition(word: Word, asked: Asked, now: datetime, limit: datetime | None) -> tuple[Condition, str]:
    """``now`` is by the clock of the agent."""
    if word.heard is not None and word.heard > now + _SKEW:
        return Condition.TROUBLE, f"its word is of {_span(word.heard - now)} from now: a clock is wrong"
    if limit is not None and now > limit and word.heard is not None:
        return (
            Condition.LATE,
            f"was heard {_span(now - word.heard)} ago, and should have been by {limit:%Y-%m-%d %H:%M}",
        )
    if word.problem and word.exit_code:
        return Condition.TROUBLE, word.problem
    for state, tally in (("refused", word.refused), ("failed", word.failed)):
        if tally is not None and tally.files:
            return Condition.TROUBLE, f"{state} in its last run: {tally.files:,} file{'' if tally.files == 1 else 's'}"
    if word.exit_code and not word.only_held:
        return Condition.TROUBLE, f"its last run ended with exit code {word.exit_code}"
    newest = word.last_new
    if asked.nothing_new is not None and (newest is None or now - newest > asked.nothing_new):
        return (
            Condition.TROUBLE,
            "has never sent anything" if newest is None else f"nothing new for {_span(now - newest)}",
        )
    if word.exit_code:
        held = f"{word.held.files:,} files" if word.held else "files"
        return Condition.HOLDING, f"held {held} back in its last run"
    return Condition.WELL, ""


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"[0-9]{1,9}", version)[:3]))


def _span(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 72 * 60 else f"{minutes // 1440} days"
