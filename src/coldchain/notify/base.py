"""How are people told of something, whatever the way?

A line sends one message and returns who has it.  What went wrong is said in words that hold no secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from typing import ClassVar, Protocol

from coldchain.config.values import Channel
from coldchain.errors import ColdchainError


class Tone(StrEnum):
    """What kind of news a message is; decides who hears it."""

    WELL = "well"
    TROUBLE = "trouble"
    OVER = "over"
    """Trouble has ended: for those who heard of it, too."""
    SUMMARY = "summary"
    """Of many runs, at fixed times."""


@dataclass(frozen=True, slots=True)
class Message:
    """What people are told; every text is plain, see ``plain``."""

    id: str
    """Hexadecimal digits; the same however often it is tried."""
    subject: str
    text: str
    html: str
    tone: Tone
    at: datetime
    """When the news were made, aware."""
    thread: str = ""
    """Hexadecimal digits that it shares with other messages of one dataset; "" for none."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of sending; whoever is named nowhere has it for good."""

    accepted: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    """Those who will never take it, and why."""
    later: Mapping[str, str] = field(default_factory=dict)
    """Those who may take it another time, and why not now."""


class NotifyError(ColdchainError):
    """Nobody got the message, as far as can be known; a later try may succeed."""

    exit_code = 3
    temporary: ClassVar[bool] = True


class NotifyRefused(NotifyError):
    """As things are set up nobody ever gets it: a person must look."""

    temporary = False


class Line(Protocol):
    """One way to people."""

    way: str
    """Tells this way from the others of its channel, as long as its address stays the same; holds no secret."""
    name: str
    """What a person calls it: the server, or the kind of service; holds no secret."""

    def send(self, message: Message, done: tuple[str, ...], patience_s: float) -> Sent:
        """Send a message to all who shall have it except ``done``; takes about ``patience_s`` at most.

        Raises NotifyError.  After one the message may have arrived all the same: no protocol can rule that out.
        """


def lines_of(channel: Channel, host: str) -> tuple[Line, ...]:
    """The ways of a channel, none of which is opened before something is sent."""
    found: list[Line] = []
    if channel.mail is not None:
        found.append(import_module("coldchain.notify.mail").MailLine(channel.name, channel.mail, host))
    for number, url in enumerate(channel.urls, 1):
        way = f"url {hashlib.sha256(url.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
        found.append(import_module("coldchain.notify.apprise").AppriseLine(channel.name, number, way, url))
    return tuple(found)


def plain(text: str) -> str:
    """Text on one line that can steer nothing: control characters, lone surrogates and direction marks are spelt out.

    Unicode's technical report 36 says what direction marks can make of a file's name.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def short(text: str, length: int) -> str:
    """At most ``length`` characters of a plain text, cut in its middle: the end of a name tells as much as its head."""
    text = plain(text)
    if len(text) <= length:
        return text
    tail = (length - 1) // 3
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"
