"""How does a message reach the services that Apprise knows: chats, phones, webhooks?"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import urlsplit

from coldchain.notify.base import Message, NotifyError, NotifyRefused, Sent, Tone

_KINDS = {Tone.WELL: "success", Tone.TROUBLE: "failure", Tone.OVER: "warning", Tone.SUMMARY: "info"}
_TALKERS = ("apprise", "urllib3", "requests")
"""Loggers that name whole URLs, whose paths hold the keys of many services."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}")
_STATUS = re.compile(r"error[=: ]+(\d{3})\b")


class AppriseLine:
    """One Apprise URL."""

    def __init__(self, channel: str, number: int, way: str, url: str) -> None:
        scheme = urlsplit(url).scheme.lower() if "://" in url else ""
        self.way = way
        self.name = f"{scheme if _SCHEME.fullmatch(scheme) else 'Apprise'}, URL {number} of {channel}"
        self._url = url

    def send(self, message: Message, done: tuple[str, ...], patience_s: float) -> Sent:
        """Send it; Apprise tells no more than whether all of it went well."""
        try:
            apprise = import_module("apprise")
        except ImportError:
            raise NotifyRefused("Apprise is not there: pip install 'coldchain[notify]'") from None
        answers: SimpleQueue[tuple[bool | None, str]] = SimpleQueue()

        def work() -> None:
            answers.put(self._notify(apprise, message))

        # Its services wait as long as each of them likes: whoever takes too long is left to itself.
        Thread(target=work, daemon=True, name="coldchain-apprise").start()
        try:
            went, said = answers.get(timeout=patience_s)
        except Empty:
            raise NotifyError(f"{self.name}: no answer within {patience_s:.0f} s") from None
        if went is None:
            raise NotifyRefused(f"{self.name}: Apprise does not understand the URL")
        if not went:
            raise NotifyError(f"{self.name}: not sent{f' (the service answered {said})' if said else ''}")
        return Sent((self.way,))

    def _notify(self, apprise: object, message: Message) -> tuple[bool | None, str]:
        with _quiet() as heard:
            try:
                went = self._call(apprise, message)
            except Exception as error:  # services are plugins by many hands, and an alarm is no reason to fall
                return False, type(error).__name__
        return went, next(iter(_STATUS.findall(" ".join(heard))), "")

    def _call(self, apprise: object, message: Message) -> bool | None:
        module: object = apprise
        kind = getattr(module, "AppriseAsset")  # noqa: B009 - has no types
        stays = {"http_redirects": False} if hasattr(kind, "http_redirects") else {}  # what is said goes nowhere else
        asset = kind(app_id="coldchain", async_mode=False, **stays)
        sender = getattr(module, "Apprise")(asset=asset)  # noqa: B009
        if not sender.add(self._url):
            return None
        return bool(
            sender.notify(
                body=message.text, title=message.subject, notify_type=_KINDS[message.tone], body_format="text"
            )
        )


class _Ear(logging.Handler):
    """Keeps the last lines for itself."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        self.heard = [*self.heard[-9:], record.getMessage()]


@contextmanager
def _quiet() -> Iterator[list[str]]:
    """Let nothing that is logged meanwhile get beyond this module; the list is filled when the block is over."""
    ear, heard = _Ear(), list[str]()
    loggers = [logging.getLogger(name) for name in _TALKERS]
    before = [(one.propagate, one.handlers[:]) for one in loggers]
    for one in loggers:
        one.propagate, one.handlers = False, [ear]
    try:
        yield heard
    finally:
        heard.extend(ear.heard)
        for one, (propagate, handlers) in zip(loggers, before, strict=True):
            one.propagate, one.handlers = propagate, handlers
