"""How fast did a run go, minute by minute?"""

from __future__ import annotations

import time
from threading import Lock
from typing import Protocol, runtime_checkable

from coldchain.errors import ColdchainError
from coldchain.monitor import Monitor
from coldchain.steps.report import DatasetReport, Report

POINTS = 240
"""At most so many: a plot is no wider, and a summary stays small however long the run takes."""
_FIRST_STEP_S = 0.25


@runtime_checkable
class Chronicler(Protocol):
    """A monitor that also wants to hear of the run and of each dataset, in the thread of the run; never raises."""

    def run_begun(self, report: Report) -> None:
        """The run has its number; ``report`` fills while it goes on."""

    def dataset_ended(self, dataset: DatasetReport) -> None:
        """Every file of a dataset has its state."""

    def run_ended(self, report: Report) -> None:
        """Everything was done; nobody was told of it yet."""

    def run_stopped(self, error: ColdchainError) -> None:
        """The run could not begin, or go on; nobody was told of it yet."""


class Sampling:
    """Passes on to another monitor what it hears, and keeps how much moved in each stretch of time."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._begun = time.monotonic()
        self._step_s = _FIRST_STEP_S
        self._moved: list[int] = []
        self._lock = Lock()

    @property
    def stopping(self) -> bool:
        """As the other says."""
        return self._monitor.stopping

    def looked(self, files: int) -> None:
        """Pass it on."""
        self._monitor.looked(files)

    def planned(self, files: int, size_bytes: int) -> None:
        """Pass it on."""
        self._monitor.planned(files, size_bytes)

    def moved(self, size_bytes: int) -> None:
        """Count it, and pass it on."""
        elapsed_s = time.monotonic() - self._begun
        with self._lock:
            while elapsed_s >= self._step_s * POINTS:
                self._widen()
            place = int(elapsed_s / self._step_s)
            self._moved.extend([0] * (place + 1 - len(self._moved)))
            self._moved[place] += size_bytes
        self._monitor.moved(size_bytes)

    def finished(self, files: int) -> None:
        """Pass it on."""
        self._monitor.finished(files)

    def note(self, sentence: str) -> None:
        """Pass it on."""
        self._monitor.note(sentence)

    def run_begun(self, report: Report) -> None:
        """Pass it on, if the other wants to know."""
        if isinstance(self._monitor, Chronicler):
            self._monitor.run_begun(report)

    def dataset_ended(self, dataset: DatasetReport) -> None:
        """Pass it on, if the other wants to know."""
        if isinstance(self._monitor, Chronicler):
            self._monitor.dataset_ended(dataset)

    def run_ended(self, report: Report) -> None:
        """Pass it on, if the other wants to know."""
        if isinstance(self._monitor, Chronicler):
            self._monitor.run_ended(report)

    def run_stopped(self, error: ColdchainError) -> None:
        """Pass it on, if the other wants to know."""
        if isinstance(self._monitor, Chronicler):
            self._monitor.run_stopped(error)

    def throughput(self) -> dict[str, object]:
        """Bytes that were read and handed on, in each step from the begin of the run (docs/json.md)."""
        with self._lock:
            return {"step_s": self._step_s, "moved_bytes": list(self._moved)}

    def _widen(self) -> None:
        """Make each step twice as long."""
        moved = self._moved
        self._moved = [sum(moved[place : place + 2]) for place in range(0, len(moved), 2)]
        self._step_s *= 2
