"""What does a worker process do?  It carries the batches that a run gives it, and ends with that run.

A batch comes as a line of JSON, and what came of it goes back as one.  The line ``"stop"`` asks to begin no further
file.  When the run is gone, killed or not, its end of the pipe closes, and the worker ends as if it had been killed
with it: what it had not published is swept up by the next run.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from queue import SimpleQueue
from threading import Event, Thread
from typing import BinaryIO

from coldchain.errors import ColdchainError, StoreError
from coldchain.monitor import SilentMonitor
from coldchain.steps.encoding import decode_batch, encode_result
from coldchain.steps.transfer import process_batch

STOP = b'"stop"\n'
_POLITE = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Meant for the run, which tells its workers what to do."""


class _Listener(SilentMonitor):
    """The batches that come, and whether to go on."""

    def __init__(self, run: BinaryIO) -> None:
        self.batches: SimpleQueue[bytes] = SimpleQueue()
        self._run, self._stopping = run, Event()
        Thread(target=self._listen, name="coldchain-listen", daemon=True).start()

    @property
    def stopping(self) -> bool:  # type: ignore[override]
        return self._stopping.is_set()

    def _listen(self) -> None:
        for line in self._run:
            if line == STOP:
                self._stopping.set()
            else:
                self.batches.put(line)
        os._exit(0)


def polite() -> list[signal.Signals]:
    """Those that are meant for the run."""
    return [number for name in _POLITE if (number := getattr(signal, name, None))]


def main() -> None:
    """Work until the run is gone."""
    gc.set_threshold(100_000)  # nearly all that a batch makes is let go of with it, without being looked for
    for number in polite():
        signal.signal(number, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, polite())  # the run holds them back until here
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)  # whatever a library prints is no reply
        listener = _Listener(sys.stdin.buffer)
        while True:
            replies.write(_answer(listener.batches.get(), listener))
            replies.flush()


def _answer(line: bytes, listener: _Listener) -> bytes:
    answer: dict[str, object]
    try:
        answer = encode_result(process_batch(decode_batch(json.loads(line)), listener))
    except StoreError as error:
        answer = {"error": type(error).__name__, "reason": error.reason, "url": error.url, "key": error.key}
    except ColdchainError as error:
        answer = {"error": type(error).__name__, "reason": str(error)}
    except Exception:
        answer = {"bug": traceback.format_exc()}
    return json.dumps(answer, check_circular=False).encode("ascii") + b"\n"


if __name__ == "__main__":
    main()
