"""What does a person see while a run goes on?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING

from coldchain.cli.printing import name, show_json, size
from coldchain.cli.stopping import STOPPING

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID


class Watcher:
    """Counts, and shows what it counts on a terminal; implements ``coldchain.monitor.Monitor``."""

    def __init__(self, progress: Progress | None, what: str = "", *, as_json: bool = False) -> None:
        self._progress, self._what, self._as_json = progress, what, as_json
        self._task: TaskID | None = progress.add_task(what, total=None, files="0") if progress else None
        self._files = self._total = 0
        self._lock = Lock()

    @property
    def stopping(self) -> bool:
        """See ``cli.stopping``."""
        return STOPPING.is_set()

    def looked(self, files: int) -> None:
        """Show how many files were looked at."""
        self._count(files)

    def planned(self, files: int, size_bytes: int) -> None:
        """From now on there is a goal."""
        with self._lock:
            self._files, self._total = 0, files
        if self._progress is not None and self._task is not None:
            what = "carrying" if self._what == "looking" else self._what
            self._progress.update(self._task, description=what, total=size_bytes, completed=0, files=f"0/{files:,}")

    def moved(self, size_bytes: int) -> None:
        """Bytes."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, size_bytes)

    def finished(self, files: int) -> None:
        """Files."""
        self._count(files)

    def _count(self, files: int) -> None:
        with self._lock:
            self._files += files
            shown = f"{min(self._files, self._total):,}/{self._total:,}" if self._total else f"{self._files:,}"
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, files=shown)

    def note(self, sentence: str) -> None:
        """Say it at once; never raises, not even when nobody reads any more."""
        with suppress(OSError):
            if self._as_json:
                show_json({"format": "coldchain-note", "version": 1, "note": sentence})
            elif self._progress is not None:
                self._progress.console.print(f"note: {name(sentence)}", markup=False, highlight=False)
            elif sys.stderr is not None:
                sys.stderr.write(f"note: {name(sentence)}\n")


@contextmanager
def watching(what: str = "looking", *, as_json: bool) -> Iterator[Watcher]:
    """A progress bar on a terminal; nothing but notes elsewhere."""
    if as_json or sys.stderr is None or not sys.stderr.isatty():
        yield Watcher(None, as_json=as_json)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """Bytes per second, in the units of everything else; rich counts in powers of 1000."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{size(speed)}/s" if speed else "")

    columns = (
        TextColumn("{task.description}"),
        TextColumn("{task.fields[files]} files"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Watcher(progress, what)
