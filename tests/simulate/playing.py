"""What do the tests of simulators share: options, a clock that only sleeping moves, a quick play."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path

from coldchain.simulate.base import Options, open_simulator
from coldchain.simulate.play import Progress, play
from coldchain.simulate.steps import Close, Mark, Step

START = datetime(2024, 5, 6, 7, 8, tzinfo=timezone(timedelta(hours=-7)))


class Clock:
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


def options(*, seed: int = 1, scale: float = 0.001, fault: str = "") -> Options:
    return Options(start=START, seed=seed, scale=scale, fault=fault)


def play_all(steps: Iterable[Step], folder: Path, *, at_most: int | None = None) -> list[Progress]:
    clock = Clock()
    return list(play(islice(steps, at_most), folder, None, clock.sleep, clock.monotonic))


def play_named(name: str, folder: Path, chosen: Options) -> list[Step]:
    """Play a whole run of this kind; returns its steps."""
    return [progress.step for progress in play_all(open_simulator(name).steps(chosen), folder)]


def completed(steps: Iterable[Step]) -> list[str]:
    """Paths in the order in which they were whole."""
    return [step.path for step in steps if isinstance(step, Close | Mark)]


def tree(folder: Path) -> dict[str, str]:
    """The digest of every file, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
