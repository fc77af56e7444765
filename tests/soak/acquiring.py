"""Which contents did ever stand at the source, while an instrument writes to it?"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from coldchain.simulate.base import Options, open_simulator
from coldchain.simulate.play import play
from coldchain.simulate.steps import Close, Mark, Open, Opening, Remove, Rename, Step
from coldchain.testing.oracle import read_tree
from tests.soak.plan import Plan

SCALE = 0.04
RATE_BYTES_S = 350_000.0
LONGEST_PAUSE_S = 0.2


class Bench:
    """The folder that the instrument writes to, and its history."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self._plan = folder, plan
        folder.mkdir()
        self.history: dict[str, set[str]] = {}
        self.removed: set[str] = set()
        """What the instrument itself took away."""
        self.cleared: dict[str, str] = {}
        """What somebody took away after it was verified everywhere, and its content."""
        self._thread: threading.Thread | None = None
        self._failed: list[BaseException] = []
        self._stop = threading.Event()

    def acquire(self, start: datetime, *, defect: str = "", rate_bytes_s: float | None = None) -> None:
        """Play an acquisition to its end."""
        options = Options(start, self._plan.acquiring_seed + start.day, SCALE, defect)
        steps = map(self._again, open_simulator(self._plan.instrument).steps(options))
        for progress in play(steps, self.folder, rate_bytes_s, self._sleep, time.monotonic):
            self._note(progress.step)
            if self._stop.is_set():
                return
        for path, content in read_tree(self.folder).items():  # what a crash left open is closed now
            self.history.setdefault(path, set()).add(content)

    def _again(self, step: Step) -> Step:
        """What a rig keeps for all its sessions is gone on with."""
        if isinstance(step, Open) and step.how is Opening.NEW and (self.folder / step.path).exists():
            return step._replace(how=Opening.APPEND)
        return step

    @staticmethod
    def _sleep(seconds: float) -> None:
        time.sleep(min(seconds, LONGEST_PAUSE_S))

    def begin(self, start: datetime, rate_bytes_s: float) -> None:
        """Play one at a pace, aside."""
        self._thread = threading.Thread(target=self._aside, args=(start, rate_bytes_s), daemon=True)
        self._thread.start()

    def _aside(self, start: datetime, rate_bytes_s: float) -> None:
        try:
            self.acquire(start, defect=self._plan.defect, rate_bytes_s=rate_bytes_s)
        except BaseException as error:
            self._failed.append(error)

    def finish(self) -> None:
        """Wait for the end of the acquisition; raises what went wrong in it."""
        if self._thread is not None:
            self._thread.join(120)
            assert not self._thread.is_alive(), "the instrument does not come to an end"
        for error in self._failed:
            raise error

    def stop(self) -> None:
        """End it early."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)

    def _note(self, step: Step) -> None:
        """Before the next step happens, remember what stands there now; what is still open is nobody's business."""
        if isinstance(step, Remove | Rename):
            self.removed.add(step.path)
        if not isinstance(step, Close | Mark | Rename):
            return
        path = step.to if isinstance(step, Rename) else step.path
        file = self.folder / path
        if file.exists():
            self.removed.discard(path)
            self.history.setdefault(path, set()).add(hashlib.sha256(file.read_bytes()).hexdigest())

    def finished(self) -> list[str]:
        """What no later acquisition will touch: all that lies in folders."""
        return sorted(path for path in self.history if "/" in path and (self.folder / path).exists())

    def clear(self, path: str) -> None:
        """Somebody makes room."""
        file = self.folder / path
        self.cleared[path] = hashlib.sha256(file.read_bytes()).hexdigest()
        file.unlink()

    def given_up(self) -> Mapping[str, set[str]]:
        """Contents that may be lost: what the instrument wrote over or took away; never what was verified."""
        given: dict[str, set[str]] = {}
        for path, contents in self.history.items():
            file = self.folder / path
            kept = self.cleared.get(path) or (
                hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() and path not in self.removed else ""
            )
            given[path] = contents - {kept}
        return given
