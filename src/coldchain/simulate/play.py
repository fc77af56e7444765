"""How do the steps of an acquisition happen on a disk?

This is the only place of the simulators that writes, waits, or looks at a clock (which both come in).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from errno import EEXIST
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from coldchain.errors import UsageError, from_os_error
from coldchain.simulate.steps import Append, Close, MakeFolder, Mark, Open, Opening, Pause, Remove, Rename, Step

PIECE_BYTES = 1 << 20
"""A file grows by pieces of at most this size, and of at most a tenth of a second when there is a pace."""
CATCH_UP_S = 1.0
"""After it fell behind, a play hurries to catch up on no more than so much."""


class Progress(NamedTuple):
    """What was played so far."""

    step: Step
    """The step that was just taken."""
    files: int
    """Files that were closed."""
    size_bytes: int
    """Bytes that were written."""


def play(
    steps: Iterable[Step],
    folder: Path,
    rate_bytes_per_s: float | None,
    sleep: Callable[[float], None],
    monotonic: Callable[[], float],
) -> Generator[Progress, None, None]:
    """Take the steps below ``folder``, one each time that the caller asks for the next.

    Nothing happens until the result is iterated over.  Between two steps the files that the instrument holds open are
    open, unbuffered, and as long as they have grown; when the steps end, or the caller closes the iterator, they are
    closed as they are (as when the instrument's program dies).

    Args:
        steps: What the instrument does; they may never end (see the fault ``growing``).
        folder: Where; it and the folders above it are made.
        rate_bytes_per_s: The pace, or None to write as fast as the disk takes it.
        sleep: Waits for so many seconds.
        monotonic: Tells a time in seconds that never goes back.

    Raises:
        UsageError: A file stands there already (nothing is overwritten), or the pace is not above 0.
        StoreError: The folder cannot be written.
    """
    stage = _Stage(folder, _Pace(rate_bytes_per_s, sleep, monotonic))
    with closing(stage):
        stage.take(MakeFolder("."))
        for step in steps:
            stage.take(step)
            yield Progress(step, stage.files, stage.size_bytes)


class _Pace:
    """Waits so long that bytes do not come faster than they should."""

    def __init__(
        self, rate_bytes_per_s: float | None, sleep: Callable[[float], None], monotonic: Callable[[], float]
    ) -> None:
        if rate_bytes_per_s is not None and not rate_bytes_per_s > 0:
            raise UsageError(f"the pace must be above 0 bytes per second, not {rate_bytes_per_s}")
        self.sleep = sleep
        self._monotonic = monotonic
        self._rate = rate_bytes_per_s
        self._due = monotonic()
        self.piece_bytes = PIECE_BYTES
        if rate_bytes_per_s is not None:
            self.piece_bytes = min(PIECE_BYTES, max(1, int(rate_bytes_per_s / 10)))

    def spend(self, size_bytes: int) -> None:
        if self._rate is None:
            return
        now = self._monotonic()
        self._due = max(self._due, now - CATCH_UP_S) + size_bytes / self._rate
        if self._due > now:
            self.sleep(self._due - now)


class _Stage:
    """The folder that is played into, with the files that are open."""

    def __init__(self, folder: Path, pace: _Pace) -> None:
        self.size_bytes = 0
        self._closed: set[str] = set()
        self._folder = folder
        self._pace = pace
        self._open: dict[str, FileIO] = {}

    @property
    def files(self) -> int:
        """How many files were closed; one that is opened again is the same file."""
        return len(self._closed)

    def close(self) -> None:
        """Let go of the files that no step closed, as the operating system does for a program that dies."""
        for file in self._open.values():
            file.close()

    def take(self, step: Step) -> None:
        try:
            self._take(step)
        except FileExistsError as error:
            raise UsageError(
                f"{error.filename} is there already; play into another folder, or with another seed or start"
            ) from error
        except OSError as error:
            key = "" if isinstance(step, Pause) else step.path
            raise from_os_error(error, url=str(self._folder), key=key) from error

    def _take(self, step: Step) -> None:
        match step:
            case MakeFolder(path):
                (self._folder / path).mkdir(parents=True, exist_ok=True)
            case Open(path, _, how):
                self._begin(path, how)
            case Append(path, content):
                self._grow(self._open[path], content())
            case Close(path):
                self._end(path)
            case Mark(path, content):
                self._begin(path, Opening.NEW)
                self._grow(self._open[path], content)
                self._end(path)
            case Rename(path, to):
                self._rename(path, to)
            case Remove(path):
                (self._folder / path).unlink()
            case Pause(seconds):
                self._pace.sleep(seconds)

    def _begin(self, path: str, how: Opening) -> None:
        # Unbuffered: what was appended is seen by everybody at once.
        self._open[path] = FileIO(self._folder / path, how.value)

    def _grow(self, file: FileIO, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            written = file.write(rest[: self._pace.piece_bytes])
            self.size_bytes += written
            self._pace.spend(written)
            rest = rest[written:]

    def _end(self, path: str) -> None:
        self._open.pop(path).close()
        self._closed.add(path)

    def _rename(self, path: str, to: str) -> None:
        if os.path.lexists(self._folder / to):
            raise FileExistsError(EEXIST, "there already", str(self._folder / to))
        (self._folder / path).rename(self._folder / to)
