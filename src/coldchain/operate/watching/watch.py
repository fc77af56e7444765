"""What does a watcher do all day?

A look at everything is the truth, at start and now and then; hints lead to looks at a few datasets in between.  Nothing
but the request to stop ends it: what is wrong is told once, and tried again at the pace of a back-off.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from coldchain.config.values import Job
from coldchain.errors import AlreadyRunning, ColdchainError, Interrupted, NothingSelected, StoreError
from coldchain.instruments.base import open_instrument
from coldchain.ledger.ledger import Ledger
from coldchain.model import Tally
from coldchain.monitor import Surroundings
from coldchain.operate.fleet.heartbeat import WATCH
from coldchain.operate.opening import Wish, opened
from coldchain.operate.planning import ACQUIRING
from coldchain.operate.watching.backoff import Backoff
from coldchain.operate.watching.down import Down
from coldchain.operate.watching.listening import Listening
from coldchain.operate.watching.once import Once
from coldchain.operate.watching.pending import Pending, datasets_of
from coldchain.operate.watching.polite import running_one
from coldchain.operate.watching.posting import Posting
from coldchain.operate.watching.presence import Presence
from coldchain.operate.watching.waiting import waiting_of, when_settled
from coldchain.steps.report import Report
from coldchain.steps.select import select_datasets
from coldchain.stores.base import Store, open_store

_log = logging.getLogger(__name__)

_PAUSE_ASKED_S = 5.0
_BUSY_LEDGER_S = 1.0


@dataclass(frozen=True, slots=True)
class Means:
    """How a watcher does what needs a door."""

    ledger: Callable[[], AbstractContextManager[Ledger]]
    """The ledger, with the lock of the job's runs; raises AlreadyRunning while somebody else runs it."""
    carry: Callable[[Ledger, Job, Wish, bool], Report]
    """One run; the last argument says whether people are told, which they are not while a destination is left out."""
    post: Callable[[], None]
    """Send the digests and messages that are due; called in a thread of its own."""
    scheduled: bool = False
    """Whether it keeps to the job's schedule, if it has one, instead of listening."""


class Watch:
    """The watcher of one job."""

    def __init__(self, job: Job, presence: Presence, means: Means, around: Surroundings) -> None:
        self._job, self._presence, self._means, self._around = job, presence, means, around
        self._settle = open_instrument(job.instrument).habits.settle if job.settle is None else job.settle
        self._pending = Pending(self._settle.total_seconds())
        self._once = Once(presence.note)
        self._down = Down(job, around, self._once)
        self._general = Backoff()
        self._failing: dict[str, Backoff] = {}
        self._waiting: dict[str, dict[str, Tally]] = {}
        self._held: dict[str, int] = {}
        self._pause_asked, self._pause = -_PAUSE_ASKED_S, ""
        self._posting = Posting(means.post, self._once)
        self._listening = Listening(job, presence, around, self._pending, scheduled=means.scheduled)

    def run(self) -> None:
        """Watch until somebody asks to stop."""
        with closing(self._listening):
            self._presence.update(how=self._listening.how)
            self._listening.begin(self._last_run)
            while not self._presence.stopping:
                if self._listening.hear():
                    self._general.due = 0.0  # what was missing may be there again
                self._posting.go_on()
                if not self._presence.stopping and not self._paused():
                    self._work()
            self._presence.update(phase="stopping")
            self._posting.end()

    def _last_run(self) -> datetime | None:
        """When the last one began; None when there was none, or nobody can say."""
        try:
            with self._means.ledger() as ledger:
                runs = ledger.runs(self._job.name, 1)
        except ColdchainError:
            return None
        return runs[0].started if runs else None

    def _paused(self) -> bool:
        if not self._job.pause_while:
            return False
        if time.monotonic() - self._pause_asked >= _PAUSE_ASKED_S:
            self._pause_asked = time.monotonic()
            before, self._pause = self._pause, running_one(self._job.pause_while)
            if self._pause != before:
                phase, why = ("paused", f"{self._pause} is running") if self._pause else ("waiting", "")
                self._presence.update(phase=phase, why=why)
        return bool(self._pause)

    # --- looking ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        mono = time.monotonic()
        if self._down.names and self._down.due(mono):
            self._ask_after_destinations()
        if mono < self._general.due or (self._down.names and not self._down.rest):
            return
        if self._pending.all_at is not None and mono >= self._pending.all_at:
            self._pending.begin_all()
            self._look(frozenset())
            return
        names = self._pending.due_datasets(mono)
        if paths := self._pending.due_paths(mono):
            found = self._find(paths)
            if found is None:
                self._pending.look_at_all(mono)
                return
            names |= found
        if names and ACQUIRING in self._job.pause_while:  # whether anything is acquired, only all of it can tell
            self._look(frozenset())
        elif names:
            self._look(names)

    def _find(self, paths: frozenset[str]) -> frozenset[str] | None:
        """The datasets in which paths lie; None where the source cannot say."""
        source: Store | None = None
        try:
            source = open_store(self._job.source)
            selected = select_datasets(open_instrument(self._job.instrument), source, self._job)
        except ColdchainError:
            return None
        finally:
            if source is not None:
                source.close()
        return datasets_of(paths, selected.datasets)

    def _look(self, names: frozenset[str]) -> None:
        job = self._down.rest_of(self._job)
        self._presence.update(phase="looking", dataset=", ".join(sorted(names)[:3]), files_done=0, files_total=0)
        try:
            with self._means.ledger() as ledger:
                self._run(ledger, job, names)
        except AlreadyRunning:
            self._later(names, time.monotonic() + _BUSY_LEDGER_S)
        except ColdchainError as error:
            self._trouble(error, names)
        except Exception as error:
            _log.exception("a look of the watcher of %s", self._job.name)
            self._stumble(f"this is a bug in coldchain: {type(error).__name__}: {error}", names)
        finally:
            self._posting.soon()
            if not self._presence.stopping:
                self._presence.update(phase="waiting", dataset="")

    def _run(self, ledger: Ledger, job: Job, names: frozenset[str]) -> None:
        """One run; trouble with a destination is found out while the ledger is open."""
        left_out = frozenset(one.name for one in self._job.destinations if one.required) & self._down.names
        wish = Wish(datasets=names, command=WATCH, vanishing=bool(names), left_out=left_out)
        try:
            if self._general.tries:  # what is still wrong needs no run, no line in a log and no message
                with opened(job, ledger, wish, self._around):
                    pass
            report = self._means.carry(ledger, job, wish, not self._down.names)
        except (Interrupted, AlreadyRunning):
            raise
        except NothingSelected as error:
            if not names:
                self._once.say("nothing", f"{error}; it is watched all the same")
                self._well(names)
            return
        except ColdchainError:
            if self._down.ask_all(ledger):
                self._show_down()
                self._later(names, time.monotonic())  # at once, for the others
                return
            raise
        self._once.forget("nothing")
        self._after(ledger, report, names)

    def _trouble(self, error: ColdchainError, names: frozenset[str]) -> None:
        if isinstance(error, Interrupted):
            return
        place = f"{error.url}: " if isinstance(error, StoreError) and error.url else ""
        self._stumble(f"{place}{error}", names)

    def _stumble(self, sentence: str, names: frozenset[str]) -> None:
        mono = time.monotonic()
        self._general.failed(mono)
        self._later(names, mono)
        self._once.say("general", f"{sentence}\n(it is tried again, at most every 5 minutes)")
        self._presence.update(last_error=sentence)

    def _later(self, names: frozenset[str], mono: float) -> None:
        if not names:
            self._pending.look_at_all(mono)
        for name in names:
            self._pending.look_at(name, mono)

    # --- afterwards ------------------------------------------------------------------------------------------------

    def _well(self, names: frozenset[str]) -> None:
        now = self._around.clock()
        if self._general.tries:
            self._general = Backoff()
            self._once.over("general", "it works again")
        self._presence.update(last_look=now)
        if not names and not self._listening.keeps_to_times:
            self._pending.look_at_all(time.monotonic() + self._job.look_every.total_seconds())
            self._presence.update(next_look=now + self._job.look_every)

    def _after(self, ledger: Ledger, report: Report, names: frozenset[str]) -> None:
        self._well(names)
        mono, now = time.monotonic(), self._around.clock()
        if not names:
            self._waiting.clear()
            self._held.clear()
        failed: set[str] = set()
        for dataset in report.datasets:
            self._waiting[dataset.name] = waiting_of(dataset)
            waits = when_settled(dataset, self._settle, now)
            self._held[dataset.name] = waits.held
            failed |= waits.failed_at
            if waits.failed_at or waits.unclear:
                backoff = self._failing.setdefault(dataset.name, Backoff(first_s=2.0))
                backoff.failed(mono)
                self._again(dataset.name, backoff.due)
            else:
                self._failing.pop(dataset.name, None)
            if waits.due is not None:
                self._again(dataset.name, mono + max(waits.due, timedelta(0)).total_seconds() + 0.1)
            for sentence in waits.sentences:
                self._once.say(f"file {sentence}", sentence)
        for sentence in report.notes:
            self._once.say(f"note {sentence}", sentence)
        if failed and self._down.ask_all(ledger):
            self._show_down()
        self._account(report, now)

    def _again(self, dataset: str, mono: float) -> None:
        if not self._listening.keeps_to_times:
            self._pending.look_at(dataset, mono)

    def _account(self, report: Report, now: datetime) -> None:
        backlog = {
            name: sum((waiting.get(name, Tally()) for waiting in self._waiting.values()), Tally())
            for name in (destination.name for destination in self._job.destinations)
        }
        self._presence.update(backlog=backlog, held=sum(self._held.values()))
        if report.exit_code == 0 and not self._down.names:
            self._presence.update(last_success=now, last_error="")

    def _ask_after_destinations(self) -> None:
        try:
            with self._means.ledger() as ledger:
                back = self._down.ask_again(ledger, time.monotonic())
        except ColdchainError:
            return
        if back:
            self._pending.look_at_all(time.monotonic())
            self._show_down()

    def _show_down(self) -> None:
        self._presence.update(down=dict(self._down.since), **({"last_error": self._down.why} if self._down.why else {}))
