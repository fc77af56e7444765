"""Which destinations cannot be used, and when are they asked again?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from threading import Thread

from coldchain.config.values import Destination, Job
from coldchain.errors import ColdchainError
from coldchain.ledger.ledger import Ledger
from coldchain.model import Identity
from coldchain.monitor import Surroundings
from coldchain.operate.watching.backoff import Backoff
from coldchain.operate.watching.once import Once
from coldchain.steps.identify import Writer, identify_destination
from coldchain.stores.base import open_store

ANSWER_S = 10.0
"""So long is waited for the answers of all destinations together; who has not answered by then is away."""


class Asked:
    """One destination that is asked how it is, in a thread of its own: a server that never answers holds nobody up."""

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask = ask
        self._answer: str | None = None
        self._thread = Thread(target=self._run, name="asking", daemon=True)
        self._thread.start()

    def answer(self, until: float = 0.0) -> str | None:
        """Why it cannot be used, "" when it can; None when it has not answered, at this moment of the monotonic clock.

        A moment that has passed is not waited for.
        """
        self._thread.join(max(0.0, until - time.monotonic()))
        return self._answer

    def _run(self) -> None:
        try:
            self._answer = self._ask()
        except Exception as error:  # or it would be asked for ever
            self._answer = f"this is a bug in coldchain: {type(error).__name__}: {error}"


class Down:
    """The destinations of a job that are away; the others are served meanwhile."""

    def __init__(self, job: Job, around: Surroundings, once: Once) -> None:
        self._job, self._around, self._once = job, around, once
        self._backoffs: dict[str, Backoff] = {}
        self._asked: dict[str, Asked] = {}
        """Those of them that have not answered yet."""
        self.since: dict[str, datetime] = {}
        self.why = ""

    @property
    def names(self) -> frozenset[str]:
        """Those that are away."""
        return frozenset(self._backoffs)

    @property
    def rest(self) -> tuple[Destination, ...]:
        """Those that are not."""
        return tuple(one for one in self._job.destinations if one.name not in self._backoffs)

    def rest_of(self, job: Job) -> Job:
        """The job with these only."""
        return replace(job, destinations=self.rest) if self._backoffs else job

    def due(self, mono: float) -> bool:
        """Whether one of them is to be asked again, or has answered."""
        return any(
            backoff.due <= mono if (asked := self._asked.get(name)) is None else asked.answer() is not None
            for name, backoff in self._backoffs.items()
        )

    def ask_all(self, ledger: Ledger) -> bool:
        """Ask those that seemed well, for ten seconds at most; returns whether one is away after all."""
        found = False
        until = time.monotonic() + ANSWER_S
        asked = {destination.name: self._ask(ledger, destination) for destination in self.rest}
        for name, one in asked.items():
            reason = one.answer(until)
            if reason is None:
                self._asked[name], reason = one, f"{name}: it does not answer"
            if reason:
                found = True
                self.why = reason
                self._backoffs[name] = Backoff()
                self._backoffs[name].failed(time.monotonic())
                self.since[name] = self._around.clock()
                self._say(name, reason)
        return found

    def ask_again(self, ledger: Ledger, mono: float) -> bool:
        """Ask those that are due, and hear those that were asked; returns whether one is back."""
        found = False
        for destination in self._job.destinations:
            name = destination.name
            backoff, asked = self._backoffs.get(name), self._asked.get(name)
            if backoff is None:
                continue
            if asked is None:
                if backoff.due <= mono:
                    self._asked[name] = self._ask(ledger, destination)
                continue
            if (reason := asked.answer()) is None:
                continue
            del self._asked[name]
            if reason:
                backoff.failed(mono)
                self._say(name, reason)
                continue
            found = True
            del self._backoffs[name], self.since[name]
            self._once.over(f"destination {name}", f"{name} is back")
        return found

    def _ask(self, ledger: Ledger, destination: Destination) -> Asked:
        writer = Writer(self._job.name, self._around.host)
        known = ledger.destination(self._job.name, destination.name)
        return Asked(lambda: _reason(writer, destination, known))

    def _say(self, name: str, reason: str) -> None:
        meanwhile = "the others are served meanwhile, and " if self.rest else ""
        self._once.say(f"destination {name}", f"{reason}\n({meanwhile}it is tried again)")


def _reason(writer: Writer, destination: Destination, known: Identity | None) -> str:
    """Why it cannot be used, or ""."""
    try:
        store = open_store(destination.place)
    except ColdchainError as error:
        return f"{destination.name}: {error}"
    try:
        identify_destination(writer, destination, store, known)
    except ColdchainError as error:
        return str(error) if str(error).startswith(destination.name) else f"{destination.name}: {error}"
    finally:
        store.close()
    return ""
