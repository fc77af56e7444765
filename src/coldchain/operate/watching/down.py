"""Which destinations cannot be used, and when are they asked again?"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from coldchain.config.values import Destination, Job
from coldchain.errors import ColdchainError
from coldchain.ledger.ledger import Ledger
from coldchain.monitor import Surroundings
from coldchain.operate.watching.backoff import Backoff
from coldchain.operate.watching.once import Once
from coldchain.steps.identify import Writer, identify_destination
from coldchain.stores.base import open_store


class Down:
    """The destinations of a job that are away; the others are served meanwhile."""

    def __init__(self, job: Job, around: Surroundings, once: Once) -> None:
        self._job, self._around, self._once = job, around, once
        self._backoffs: dict[str, Backoff] = {}
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
        """Whether one of them is to be asked again."""
        return any(backoff.due <= mono for backoff in self._backoffs.values())

    def ask_all(self, ledger: Ledger, mono: float, why: str) -> bool:
        """Ask those that seemed well; returns whether one is away after all."""
        found = False
        for destination in self.rest:
            if reason := self._reason(ledger, destination):
                found = True
                self.why = reason
                self._backoffs[destination.name] = Backoff()
                self._backoffs[destination.name].failed(mono)
                self.since[destination.name] = self._around.clock()
                self._say(destination.name, reason)
        return found

    def ask_again(self, ledger: Ledger, mono: float) -> bool:
        """Ask those that are due; returns whether one is back."""
        found = False
        for destination in self._job.destinations:
            backoff = self._backoffs.get(destination.name)
            if backoff is None or backoff.due > mono:
                continue
            if reason := self._reason(ledger, destination):
                backoff.failed(mono)
                self._say(destination.name, reason)
                continue
            found = True
            del self._backoffs[destination.name], self.since[destination.name]
            self._once.over(f"destination {destination.name}", f"{destination.name} is back")
        return found

    def _reason(self, ledger: Ledger, destination: Destination) -> str:
        """Why it cannot be used, or ""."""
        writer = Writer(self._job.name, self._around.host)
        known = ledger.destination(self._job.name, destination.name)
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

    def _say(self, name: str, reason: str) -> None:
        meanwhile = "the others are served meanwhile, and " if self.rest else ""
        self._once.say(f"destination {name}", f"{reason}\n({meanwhile}it is tried again)")
