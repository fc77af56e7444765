"""When does a watcher have reason to look: by what it hears, by the clock, or by its schedule?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime

from coldchain.config.values import Job
from coldchain.hints.base import Ear, open_ear
from coldchain.model import Entry, Oddity
from coldchain.monitor import Surroundings
from coldchain.operate.watching.pending import Pending
from coldchain.operate.watching.presence import Presence
from coldchain.schedules.times import Timetable
from coldchain.stores.base import open_store, scheme_of

TICK_S = 0.3
_JUMP_S = 5.0
"""Wall clock and monotonic clock differ by so much: the machine slept, or somebody set the clock."""


class Listening:
    """Turns hints, jumps of the clock and times of a schedule into what is pending."""

    def __init__(
        self, job: Job, presence: Presence, around: Surroundings, pending: Pending, *, scheduled: bool
    ) -> None:
        """``scheduled``: it keeps to the job's schedule, if it has one, instead of listening."""
        self._job, self._presence, self._around, self._pending = job, presence, around, pending
        self._timetable = Timetable(job.schedule, job.timezone) if scheduled and job.schedule else None
        self._next_time: datetime | None = None
        self._stack = ExitStack()
        self._ear = self._open() if self._timetable is None else None
        self._offset = self._clocks()

    @property
    def how(self) -> str:
        """The means, as a phrase for people."""
        return self._ear.how if self._ear else f"the schedule {self._job.schedule}"

    @property
    def keeps_to_times(self) -> bool:
        """Whether only its times are a reason to look."""
        return self._timetable is not None

    def begin(self, last: Callable[[], datetime | None]) -> None:
        """Everything is looked at now; by a schedule only where a time was missed since the ``last`` run began."""
        if self._timetable is None:
            self._pending.look_at_all(time.monotonic())
            return
        now = self._around.clock()
        self._next_time = self._timetable.after(now)
        self._presence.update(phase="waiting", next_look=self._next_time)
        if (before := last()) is not None and self._timetable.missed(before, now):
            self._pending.look_at_all(time.monotonic())

    def hear(self) -> bool:
        """Listen for a moment; returns whether what was missing at the source may be there again."""
        everywhere = False
        if self._ear is None:
            time.sleep(TICK_S)
        else:
            hints = self._ear.wait(TICK_S, lambda: self._presence.stopping)
            self._pending.take(hints, time.monotonic())
            everywhere = bool(hints.everywhere)
            if self._ear.how != self._presence.state.how:
                self._presence.update(how=self._ear.how)
        offset, before = self._clocks(), self._offset
        self._offset = offset
        jumped = abs(offset - before) > _JUMP_S
        if self._timetable is not None:
            self._keep_time(self._timetable, backwards=offset < before - _JUMP_S)
        elif self._presence.stalled() or jumped:
            self._pending.look_at_all(time.monotonic())
        return everywhere

    def close(self) -> None:
        """Stop listening."""
        self._stack.close()

    def _open(self) -> Ear:
        place = self._job.source
        source = open_store(place)
        self._stack.callback(source.close)
        folder = getattr(source, "path", None) if scheme_of(place.url) == "file" else None
        poll_s = None if self._job.poll is None else self._job.poll.total_seconds()

        def listing() -> Iterator[Entry | Oddity]:
            source.close()  # what was mounted since is another folder
            return source.list()

        ear = open_ear(listing, folder, poll_s=poll_s)
        self._stack.callback(ear.close)
        return ear

    def _keep_time(self, timetable: Timetable, *, backwards: bool) -> None:
        now = self._around.clock()
        if self._next_time is None:
            return
        if now >= self._next_time:
            self._pending.look_at_all(time.monotonic())
        if now >= self._next_time or backwards:
            self._next_time = timetable.after(now)
            self._presence.update(next_look=self._next_time)

    def _clocks(self) -> float:
        return self._around.clock().timestamp() - time.monotonic()
