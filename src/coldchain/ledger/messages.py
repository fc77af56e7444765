"""Which messages wait to be sent, and what were people told last?

A message is a line here before anybody tries to send it, so that neither a server that is down nor a kill loses it.
Whoever sends one claims it first, for a while: of two processes only one does, and what a killed one had claimed is
free again when the while is over.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, delete, func, or_, select, tuple_, update

from coldchain.ledger.columns import canonical_json, microseconds, moment, printable
from coldchain.ledger.database import Database
from coldchain.ledger.events import Draft, Events
from coldchain.ledger.schema import messages, told

CLAIM = timedelta(minutes=2)
"""So long is one who sends left alone; sending takes less."""
LONGEST_WAIT = timedelta(hours=1)
KEPT = timedelta(days=90)
"""What was sent or given up is forgotten after so long."""


class Fate(StrEnum):
    """What became of a message."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given-up"


@dataclass(frozen=True, slots=True)
class Post:
    """A message on its way, by one way of one channel."""

    channel: str
    way: str
    """Which of the channel's ways; holds no secret."""
    message_id: str
    job: str
    """"" when it concerns more than one."""
    subject: str
    content: Mapping[str, object]
    """Anything JSON can hold, without secrets; forgotten when it was sent."""
    number: int = 0
    done: tuple[str, ...] = ()
    """Those who have it already, or will never take it."""
    said: str = ""
    """What went wrong last, in words."""
    state: Fate = Fate.WAITING
    tries: int = 0
    created: datetime | None = None
    next: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a channel told last of a topic."""

    channel: str
    topic: tuple[str, ...]
    state: str
    at: datetime


class Messages:
    """The tables of messages and of what was told; see ``ledger.Ledger`` for the promises of each method."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events

    def post(self, posts: Iterable[Post], states: Iterable[Told], now: datetime) -> None:
        """Put messages into the spool, and remember what they tell, in one transaction."""
        at = microseconds(now)
        with self._database.write() as connection:
            for one in posts:
                same = and_(
                    messages.c.channel == one.channel,
                    messages.c.way == one.way,
                    messages.c.message_id == one.message_id,
                )
                if connection.execute(select(messages.c.id).where(same)).first() is None:
                    connection.execute(messages.insert().values(_row(one, at)))
            for state in states:
                _tell(connection, state)
            old = microseconds(now - KEPT)
            done = messages.c.state != Fate.WAITING.value
            connection.execute(delete(messages).where(done, messages.c.created_us < old))

    def told(self, channel: str, topic: Sequence[str]) -> Told | None:
        """What was told last."""
        statement = select(told.c.state, told.c.at_us).where(told.c.channel == channel, told.c.topic == _topic(topic))
        row = self._database.read(lambda connection: connection.execute(statement).first())
        return None if row is None else Told(channel, tuple(topic), row.state, moment(row.at_us))

    def claim(self, by: str, now: datetime, without: Collection[tuple[str, str]], *, early: bool) -> Post | None:
        """Take the oldest message that is due and that nobody else is sending."""
        at = microseconds(now)
        latest = microseconds(now + CLAIM)
        free = or_(messages.c.claimed_us <= at, messages.c.claimed_us > latest)  # later: the clock was set back
        due = or_(messages.c.next_us <= at, messages.c.next_us > microseconds(now + LONGEST_WAIT))
        statement = select(messages).where(messages.c.state == Fate.WAITING.value, free)
        if not early:
            statement = statement.where(due)
        if without:
            statement = statement.where(tuple_(messages.c.channel, messages.c.way).not_in(list(without)))
        statement = statement.order_by(messages.c.id).limit(1)
        if self._database.read(lambda connection: connection.execute(statement).first()) is None:
            return None  # a watcher asks every few seconds: that must not lock the ledger
        with self._database.write() as connection:
            row = connection.execute(statement).first()
            if row is None:
                return None
            claimed = {"claimed_us": latest, "claimed_by": by}
            connection.execute(update(messages).where(messages.c.id == row.id).values(claimed))
        return _post(row)

    def settle(self, post: Post, now: datetime, wait: timedelta | None = None) -> None:
        """Write down what came of a claimed message: ``state``, ``done``, ``said`` and ``tries`` as it has them."""
        due = microseconds(now + wait) if wait else 0
        values = {
            "state": post.state.value,
            "done": json.dumps(list(post.done)),
            "said": printable(post.said),
            "tries": post.tries,
            "next_us": due,
            "claimed_us": 0,
            "claimed_by": "",
        }
        if post.state is Fate.SENT:
            values["content"] = "{}"
        with self._database.write() as connection:
            connection.execute(update(messages).where(messages.c.id == post.number).values(values))
            if post.state is Fate.GIVEN_UP:
                detail = {"channel": post.channel, "subject": post.subject, "why": post.said}
                self._events.append(
                    connection, 0, now, [Draft("message-given-up", post.job, detail=canonical_json(detail))]
                )

    def all(self, state: Fate, limit: int) -> list[Post]:
        """Messages in a state, oldest first."""
        statement = select(messages).where(messages.c.state == state.value).order_by(messages.c.id).limit(limit)
        return self._database.made(_post, self._database.read(lambda connection: connection.execute(statement).all()))

    def count(self, state: Fate) -> int:
        """How many there are."""
        statement = select(func.count()).where(messages.c.state == state.value)
        return self._database.read(lambda connection: connection.execute(statement).scalar()) or 0


def _row(one: Post, at: int) -> dict[str, object]:
    return {
        "channel": one.channel,
        "way": one.way,
        "message_id": one.message_id,
        "job": one.job,
        "subject": printable(one.subject),
        "content": canonical_json(one.content),
        "done": "[]",
        "said": "",
        "state": Fate.WAITING.value,
        "tries": 0,
        "created_us": at,
        "next_us": 0,
        "claimed_us": 0,
        "claimed_by": "",
    }


def _post(row: Any) -> Post:
    return Post(
        row.channel,
        row.way,
        row.message_id,
        row.job,
        row.subject,
        json.loads(row.content),
        row.id,
        tuple(json.loads(row.done)),
        row.said,
        Fate(row.state),
        row.tries,
        moment(row.created_us),
        moment(row.next_us),
    )


def _topic(topic: Sequence[str]) -> str:
    return json.dumps(list(topic))


def _tell(connection: Connection, one: Told) -> None:
    key = and_(told.c.channel == one.channel, told.c.topic == _topic(one.topic))
    values = {"state": one.state, "at_us": microseconds(one.at)}
    if not connection.execute(update(told).where(key).values(values)).rowcount:
        connection.execute(told.insert().values({"channel": one.channel, "topic": _topic(one.topic), **values}))
