"""Do messages arrive?"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

from coldchain.config.values import Channel, Config
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.messages import Fate, Post
from coldchain.monitor import Surroundings
from coldchain.notify.base import Line, Message, NotifyError, lines_of
from coldchain.notify.letter import html_of, subject_of, text_of
from coldchain.operate.doctor import Advice
from coldchain.operate.telling.letters import trial_letter
from coldchain.operate.telling.posting import channels_of, deliver_due

_PATIENCE_S = 20.0
_REMEMBERED = timedelta(days=30)
"""For so long the doctor calls a message that never arrived trouble."""


def try_channels(config: Config, around: Surroundings) -> Iterator[Advice]:
    """Send a test by each way of each channel, and say what became of it."""
    channels = channels_of(config)
    if not channels:
        yield Advice(None, "notify", "the configuration has no [notify.NAME]: nobody is told of anything")
    for channel in channels:
        for line in lines_of(channel, around.host):
            yield _try(channel, line, around)


def _try(channel: Channel, line: Line, around: Surroundings) -> Advice:
    letter = trial_letter(around.host, channel.name)
    message = Message(
        uuid.uuid4().hex, subject_of(letter), text_of(letter), html_of(letter), letter.tone, around.clock()
    )
    what = f"notify {channel.name}"
    try:
        sent = line.send(message, (), _PATIENCE_S)
    except NotifyError as error:
        return Advice(False, what, str(error))
    if missed := {**sent.refused, **sent.later}:
        said = "; ".join(f"{one}: {why}" for one, why in missed.items())
        return Advice(False, what, f"{line.name}: taken for {len(sent.accepted)}, but not by {said}")
    to = f" for {', '.join(sent.accepted)}" if channel.mail is not None and line.way == "mail" else ""
    return Advice(True, what, f"{line.name}: a test was taken{to}")


def examine_spool(ledger: Ledger, now: datetime) -> Iterator[Advice]:
    """Whether messages wait, or never arrived in the last weeks; says nothing when all were sent."""
    if waiting := ledger.messages(Fate.WAITING, 1):
        yield Advice(None, "messages", _said(ledger.count_messages(Fate.WAITING), "wait to be sent", waiting[0]))
    given_up = ledger.messages(Fate.GIVEN_UP, 1000)
    if lost := [one for one in given_up if one.created is not None and now - one.created < _REMEMBERED]:
        yield Advice(False, "messages", _said(len(lost), "were given up", lost[0]))


def deliver_waiting(config: Config, ledger: Ledger, around: Surroundings) -> Advice:
    """Send what waits, without waiting for the time of its next try."""
    deliver_due(config, ledger, around, early=True)
    if waiting := ledger.messages(Fate.WAITING, 1):
        return Advice(False, "messages", _said(ledger.count_messages(Fate.WAITING), "still wait", waiting[0]))
    return Advice(True, "messages", "none waits")


def _said(count: int, what: str, first: Post) -> str:
    since = f" since {first.created:%Y-%m-%d %H:%M} UTC" if first.created else ""
    why = f": {first.said}" if first.said else ""
    return f"{count:,} {what}; the oldest by {first.channel}{since}{why}"
