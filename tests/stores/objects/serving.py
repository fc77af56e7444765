"""How is a server of objects started for tests?"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_READY_S = 60


@contextmanager
def process(command: list[str], folder: Path, answers: Callable[[], bool], **more: Any) -> Iterator[Any]:
    """Start a program, wait until it answers, and end it with the block; what it says is kept in ``folder``."""
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, **more)
        try:
            until = time.monotonic() + _READY_S
            while not answers():
                if running.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"{command[0]} does not start: {(folder / 'log').read_text()[-2000:]}")
                time.sleep(0.05)
            yield running
        finally:
            running.kill()
            running.wait()
