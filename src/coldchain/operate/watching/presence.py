"""How does a watcher show what it does while it does it, and hear that it should end?"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Self

from coldchain import __version__
from coldchain.monitor import Surroundings
from coldchain.operate.watching.agent import AgentState, stop_file, write_state

_TICK_S = 0.3
_BUSY_S = 1.0
_IDLE_S = 30.0
_STALL_S = 3.0
_PATIENCE_S = 8.0
"""``coldchain stop`` waits for ten seconds; what is under way may be a file that takes an hour."""


class Presence:
    """Counts, keeps the state file fresh, and looks for the request to stop; implements ``coldchain.monitor.Monitor``.

    A thread does the latter two, since a run may be busy for hours.
    """

    def __init__(
        self, folder: Path, job: str, around: Surroundings, asked: Callable[[], bool], give_up: Callable[[], None]
    ) -> None:
        """``asked`` says whether a signal asked to end; notes go on to the monitor of ``around``.

        ``give_up`` ends the process when what is under way does not end in time after ``coldchain stop``: that loses
        nothing, and the next run takes away what it left (P11).
        """
        self._give_up = give_up
        self._folder, self._around, self._asked = folder, around, asked
        now = around.clock()
        self._state = AgentState(job, os.getpid(), around.host, __version__, now, now)
        self._lock, self._ended, self._stop = Lock(), Event(), Event()
        self._changed = True
        self._stalled = Event()
        self._thread = Thread(target=self._tick, name="presence", daemon=True)

    def __enter__(self) -> Self:
        self._write()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def stopping(self) -> bool:
        """A signal, or the file."""
        return self._stop.is_set() or self._asked()

    def stalled(self) -> bool:
        """Whether this process stood still for seconds since it was last asked: events may have been lost."""
        stalled = self._stalled.is_set()
        self._stalled.clear()
        return stalled

    @property
    def state(self) -> AgentState:
        """As it will be written."""
        with self._lock:
            return self._state

    def update(self, **values: Any) -> None:
        """Change fields of the state."""
        with self._lock:
            after = replace(self._state, **values)
            self._changed |= after != self._state
            self._state = after

    def looked(self, files: int) -> None:
        """So many more were looked at."""
        self._add(files_done=files)

    def planned(self, files: int, size_bytes: int) -> None:
        """From now on it carries."""
        phase = "carrying" if files else "looking"
        self.update(phase=phase, files_done=0, files_total=files, bytes_done=0, bytes_total=size_bytes)

    def moved(self, size_bytes: int) -> None:
        """Bytes."""
        self._add(bytes_done=size_bytes)

    def finished(self, files: int) -> None:
        """Files."""
        self._add(files_done=files)

    def note(self, sentence: str) -> None:
        """Pass it on."""
        self._around.monitor.note(sentence)

    def _add(self, *, files_done: int = 0, bytes_done: int = 0) -> None:
        with self._lock:
            state = self._state
            self._state = replace(
                state, files_done=state.files_done + files_done, bytes_done=state.bytes_done + bytes_done
            )
            self._changed = True

    def _tick(self) -> None:
        written = last = time.monotonic()
        stopped: float | None = None
        while not self._ended.wait(_TICK_S):
            now = time.monotonic()
            if now - last > _STALL_S:
                self._stalled.set()
            last = now
            if stopped is None and self._is_asked():
                stopped = now
            if stopped is not None and now - stopped > _PATIENCE_S:
                self._give_up()
            if now - written >= (_BUSY_S if self._changed else _IDLE_S):
                self._write()
                written = now

    def _is_asked(self) -> bool:
        """Whether the file is there; from then on the run ends, too."""
        with suppress(OSError):
            if stop_file(self._folder, self._state.job).exists():
                self._stop.set()
                self.update(phase="stopping")
        return self._stop.is_set()

    def _write(self) -> None:
        with self._lock:
            self._changed = False
            self._state = replace(self._state, written=self._around.clock())
            state = self._state
        with suppress(OSError):  # a full disk stops nobody; status then says how old the state is
            write_state(self._folder, state)
