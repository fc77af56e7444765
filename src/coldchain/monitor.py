"""What does a run get from the door: somebody to tell what goes on, a clock, the name of the host?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


class Monitor(Protocol):
    """Listens to a run; called from several threads at once, must return quickly and never raise."""

    @property
    def stopping(self) -> bool:
        """Somebody asked the run to end; what is under way is finished or taken back, nothing new begins."""

    def looked(self, files: int) -> None:
        """So many more source files were looked at while planning."""

    def planned(self, files: int, size_bytes: int) -> None:
        """So much is to be read in all."""

    def moved(self, size_bytes: int) -> None:
        """So many more bytes were read and handed to the destinations."""

    def finished(self, files: int) -> None:
        """So many more files came to an end, well or not."""

    def note(self, sentence: str) -> None:
        """Something a person should know, while it happens."""


class SilentMonitor:
    """Listens to nothing and never stops."""

    stopping = False

    def looked(self, files: int) -> None:
        """Ignore it."""

    def planned(self, files: int, size_bytes: int) -> None:
        """Ignore it."""

    def moved(self, size_bytes: int) -> None:
        """Ignore it."""

    def finished(self, files: int) -> None:
        """Ignore it."""

    def note(self, sentence: str) -> None:
        """Ignore it."""


SILENT = SilentMonitor()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a story is told of the world: nothing below the doors reads the clock or the host's name by itself."""

    host: str
    clock: Callable[[], datetime]
    """Aware, UTC."""
    monitor: Monitor = SILENT
    workers: int = 2
    begun: Path | None = None
    """The folder in which a run writes down what it is about to publish (``steps.begun``); None: it does not."""
