"""What do Ctrl-C and SIGTERM do?

The first asks the run to end: what is under way is finished and recorded, or taken back.  The second ends it at once.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType

STOPPING = Event()
"""Set once somebody asked this process to end."""


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Listen to the signals for the life of the block."""
    if current_thread() is not main_thread():
        yield
        return

    def asked(number: int, frame: FrameType | None) -> None:
        if STOPPING.is_set():
            raise KeyboardInterrupt
        STOPPING.set()
        sys.stderr.write("\ncoldchain: stopping; what is under way is being finished (again to stop at once)\n")

    numbers = [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, asked) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        STOPPING.clear()
