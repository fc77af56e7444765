"""How do messages get from the spool to people, and what becomes of those that do not?"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from coldchain.config.values import Channel, Config
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.messages import LONGEST_WAIT, Fate, Post
from coldchain.monitor import Surroundings
from coldchain.notify.base import Line, Message, NotifyError, NotifyRefused, Tone, lines_of
from coldchain.notify.letter import Letter, html_of, subject_of, text_of

BUDGET_S = 30.0
"""All messages together hold a run up for no longer."""
_ONE_S = 20.0
_LEAST_S = 1.0
_FIRST_WAIT = timedelta(minutes=1)
_GIVEN_UP_AFTER = timedelta(days=7)


def posts_of(
    channel: Channel, letter: Letter, key: tuple[str, ...], ledger_id: str, around: Surroundings
) -> list[Post]:
    """The lines of the spool for a letter: one for each way of the channel.

    ``key`` says what it is about (the last of it its thread, "" for none); the same key gives the same Message-ID.
    """
    identity = digits(ledger_id, channel.name, *key)
    content: dict[str, object] = {
        "text": text_of(letter),
        "html": html_of(letter),
        "tone": letter.tone.value,
        "at": around.clock().isoformat(),
        "thread": digits(ledger_id, key[-1]) if key[-1] else "",
    }
    subject = subject_of(letter)
    job = key[0]
    return [Post(channel.name, line.way, identity, job, subject, content) for line in lines_of(channel, around.host)]


def digits(*words: str) -> str:
    """Hexadecimal digits that stand for some words."""
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:32]


def deliver_due(
    config: Config, ledger: Ledger, around: Surroundings, *, budget_s: float = BUDGET_S, early: bool = False
) -> None:
    """Send what is due, oldest first; what fails waits for its next try.  Never raises for what a channel does.

    A way that failed once is left alone until the next call; ``early`` does not wait for the next try.
    """
    end, tired, by = time.monotonic() + budget_s, set[tuple[str, str]](), uuid.uuid4().hex
    while (left_s := end - time.monotonic()) > _LEAST_S:
        post = ledger.claim_message(by, around.clock(), tired, early=early)
        if post is None:
            return
        after, wait = send(config, post, around, min(_ONE_S, left_s))
        ledger.settle_message(after, around.clock(), wait)
        if after.state is not Fate.SENT:
            tired.add((post.channel, post.way))


def send(config: Config, post: Post, around: Surroundings, patience_s: float) -> tuple[Post, timedelta | None]:
    """Try once; returns what came of it, and how long it waits for the next try."""
    try:
        line = _line(config, post, around.host)
        sent = line.send(message_of(post), post.done, patience_s)
    except NotifyError as error:
        return _failed(post, str(error), around, temporary=error.temporary)
    except Exception as error:  # a server or a plugin that drives us into a bug must not stop the others
        return _failed(post, f"this is a bug in coldchain ({type(error).__name__})", around, temporary=False)
    done = (*post.done, *sent.accepted, *sent.refused)
    said = "; ".join(f"{one}: {why}" for one, why in {**sent.refused, **sent.later}.items())
    if said:
        around.monitor.note(f"{line.name}: not taken by {said}")
    if sent.later:
        return _failed(replace(post, done=done), said, around, temporary=True)
    return replace(post, state=Fate.SENT, done=done, said=said, tries=post.tries + 1), None


def message_of(post: Post) -> Message:
    """The message that a line of the spool holds."""
    content: Mapping[str, object] = post.content
    return Message(
        post.message_id,
        post.subject,
        str(content["text"]),
        str(content["html"]),
        Tone(str(content["tone"])),
        datetime.fromisoformat(str(content["at"])),
        str(content["thread"]),
    )


def _line(config: Config, post: Post, host: str) -> Line:
    channel = config.channels.get(post.channel) or _of_jobs(config).get(post.channel)
    found = [one for one in lines_of(channel, host) if one.way == post.way] if channel else []
    if not found:
        raise NotifyRefused(f"the configuration no longer has this way of the channel {post.channel}")
    return found[0]


def channels_of(config: Config) -> list[Channel]:
    """Every channel that the configuration has."""
    return list((_of_jobs(config) | dict(config.channels)).values())


def _of_jobs(config: Config) -> dict[str, Channel]:
    return {channel.name: channel for job in config.jobs.values() for channel in job.notify}


def _failed(post: Post, why: str, around: Surroundings, *, temporary: bool) -> tuple[Post, timedelta]:
    now = around.clock()
    tries = post.tries + 1
    too_old = post.created is not None and now - post.created > _GIVEN_UP_AFTER
    if too_old:
        around.monitor.note(f"{post.channel}: the message {post.subject!r} is given up: {why}")
        return replace(post, state=Fate.GIVEN_UP, said=why, tries=tries), LONGEST_WAIT
    if why != post.said or tries == 1:
        around.monitor.note(f"{post.channel}: a message waits and is tried again: {why}")
    wait = min(LONGEST_WAIT, _FIRST_WAIT * 2 ** min(tries - 1, 10)) if temporary else LONGEST_WAIT
    return replace(post, said=why, tries=tries), wait


def send_directly(
    config: Config, posts: list[Post], around: Surroundings, *, budget_s: float = BUDGET_S
) -> Iterator[str]:
    """Send what the spool could not take; yields what went wrong, as nobody tries again."""
    end = time.monotonic() + budget_s
    for post in posts:
        left_s = end - time.monotonic()
        if left_s <= _LEAST_S:
            yield f"{post.channel}: there was no time left to send {post.subject!r}"
            continue
        after, _ = send(config, post, around, min(_ONE_S, left_s))
        if after.state is not Fate.SENT:
            yield f"{post.channel}: {after.said}"
