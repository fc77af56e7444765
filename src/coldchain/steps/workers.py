"""Who carries thousands of small files, nearly all of whose cost is Python, which runs one thread at a time?

Worker processes, one for each thread of the run's pool.  They hold no ledger and no lock, and know nothing but the
batch at hand; see ``coldchain.steps.worker``.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import IO, cast

from coldchain import errors
from coldchain.errors import ColdchainError, StoreError, WorkerLost
from coldchain.model import Tally
from coldchain.monitor import Monitor
from coldchain.steps.encoding import decode_result, encode_batch
from coldchain.steps.transfer import Batch, BatchResult, is_large, process_batch
from coldchain.steps.worker import STOP, polite

MANY_FILES = 4_000
"""Fewer are carried before a process has begun."""
_SMALL_BYTES = 1 << 20
"""Of a file beyond this, hashing and copying take longer than Python, and let other threads go on meanwhile."""
_LOOK_S = 0.1

Carry = Callable[[Batch], BatchResult]


class Workers:
    """The processes of one run; they begin while it is still being planned, once it is known that they are worth it."""

    def __init__(self, number: int, monitor: Monitor, *, anywhere: bool) -> None:
        """``number``: so many threads will carry; ``anywhere``: any process can open all places."""
        self._monitor = monitor
        self._number = number if anywhere and number > 1 and sys.executable else 0
        self._hired: list[_Worker] = []

    def expect(self, to_read: Tally) -> None:
        """There will be at least so much to do."""
        if not self._hired and _are_small_and_many(to_read):
            with suppress(OSError):  # no process is to be had, no descriptor is left: threads need neither
                while len(self._hired) < self._number:
                    self._hired.append(_Worker())

    @contextmanager
    def carrying(self, to_read: Tally) -> Iterator[Carry]:
        """Yield what carries a batch, for all threads at once."""
        self.expect(to_read)
        if self._hired and len(self._hired) == self._number and _are_small_and_many(to_read):
            with closing(_Crew(self._hired, self._monitor)) as crew:
                yield crew.carry
        else:
            yield lambda batch: process_batch(batch, self._monitor)

    def close(self) -> None:
        """Let go of them, and wait until they are gone."""
        for worker in self._hired:
            worker.close()


def _are_small_and_many(to_read: Tally) -> bool:
    return to_read.files >= MANY_FILES and to_read.size_bytes <= to_read.files * _SMALL_BYTES


class _Crew:
    """Some worker processes, as one."""

    def __init__(self, workers: list[_Worker], monitor: Monitor) -> None:
        self._monitor, self._workers = monitor, workers
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._over = Event()
        self._teller = Thread(target=self._tell_to_stop, name="coldchain-teller", daemon=True)
        self._teller.start()

    def carry(self, batch: Batch) -> BatchResult:
        """Let a worker carry it; a large file is carried here, where its progress is seen."""
        if is_large(batch.sends):
            return process_batch(batch, self._monitor)
        worker = self._idle.get()
        try:
            result = worker.carry(batch)
        finally:
            self._idle.put(worker)
        self._monitor.moved(sum(send.entry.size_bytes for send in batch.sends))
        return result

    def close(self) -> None:
        """Tell them nothing more."""
        self._over.set()
        self._teller.join()

    def _tell_to_stop(self) -> None:
        while not self._over.wait(_LOOK_S):
            if self._monitor.stopping:
                for worker in self._workers:
                    worker.stop()
                return


class _Worker:
    """One worker process, as the run sees it."""

    def __init__(self) -> None:
        # -P: a file of the folder where the person stands is no module of ours
        words = [sys.executable, "-P", "-m", "coldchain.steps.worker"]
        unseen = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # of a run that Windows itself started
        with _not_interrupted():
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, creationflags=unseen)
        self._batches, self._replies = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        self._lock = Lock()

    def carry(self, batch: Batch) -> BatchResult:
        """Hand it over and wait; raises what carrying raised, and WorkerLost when the process is gone."""
        with suppress(OSError):  # a pipe without a reader has no reply either
            self._say(json.dumps(encode_batch(batch), check_circular=False).encode("ascii") + b"\n")
        reply = self._replies.readline()
        if not reply.endswith(b"\n"):
            raise WorkerLost(
                f"a worker process was ended by others (status {self._process.wait()}; killed for lack of memory?): "
                "run the job again, which finishes what it began"
            )
        values = json.loads(reply)
        if "outcomes" in values:
            return decode_result(values)
        raise _error(values)

    def stop(self) -> None:
        """Ask it to begin no further file."""
        with suppress(OSError):
            self._say(STOP)

    def close(self) -> None:
        """Let go of it, and wait until it is gone; what it is carrying is given up."""
        with suppress(OSError):
            self._batches.close()
        self._process.wait()
        self._replies.close()

    def _say(self, line: bytes) -> None:
        with self._lock:
            self._batches.write(line)
            self._batches.flush()


@contextmanager
def _not_interrupted() -> Iterator[None]:
    """What begins here hears of no signal until it has said which ones it ignores; for us they wait a moment."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, polite())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _error(values: dict[str, str]) -> Exception:
    if "bug" in values:
        return RuntimeError(f"in a worker process: {values['bug']}")
    kind: type[ColdchainError] = getattr(errors, values["error"])
    if issubclass(kind, StoreError):
        return kind(values["reason"], url=values["url"], key=values["key"])
    return kind(values["reason"])
