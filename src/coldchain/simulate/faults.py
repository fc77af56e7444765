"""What can go wrong while an instrument acquires, and what is then on the disk?

Each fault changes the stream of steps of a flawless run, for every kind of instrument alike.  It strikes files that
hold data (``Open.data``).  The stream is walked through once beforehand, which makes no content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from coldchain.simulate.steps import Append, Close, Content, Open, Pause, Step

FAULTS = {
    "crash": "stops in the middle: one data file is half written, later files and all later markers never come",
    "truncate": "the last data file is cut short, and closed as if nothing had happened",
    "missing": "one data file in the middle never appears, its companions and the markers do",
    "late": "one more data file is written after the last marker",
    "growing": "one data file in the middle is never closed and grows on after everything else; without end",
}
"""Every fault, with one line for the help."""

GROWTH_BYTES = 64 << 10
"""A file that never stops grows by at most so much at a time, and at the end once a second."""

Acquire = Callable[[], Iterator[Step]]
"""Begins the flawless stream from its start; it can be called again and gives the same."""


def strike(acquire: Acquire, fault: str) -> Iterator[Step]:
    """Yield the steps of a run in which ``fault`` (a key of ``FAULTS``, or "" for none) happens."""
    if not fault:
        return acquire()
    appends = _count_appends(acquire())
    paths = [path for path, count in appends.items() if count]
    middle, last = paths[len(paths) // 2], paths[-1]
    match fault:
        case "crash":
            return _crash(acquire(), middle, after=appends[middle] // 2)
        case "truncate":
            return _truncate(acquire(), last, after=appends[last] - 1)
        case "missing":
            return (step for step in acquire() if not _concerns(step, middle))
        case "late":
            return _late(acquire, last)
        case "growing":
            return _grow(acquire(), middle)
    raise KeyError(fault)


def _count_appends(steps: Iterator[Step]) -> dict[str, int]:
    """How often each data file grows, in the order in which they are opened."""
    appends: dict[str, int] = {}
    for step in steps:
        if isinstance(step, Open) and step.data:
            appends.setdefault(step.path, 0)
        elif isinstance(step, Append) and step.path in appends:
            appends[step.path] += 1
    return appends


def _concerns(step: Step, path: str) -> bool:
    return not isinstance(step, Pause) and step.path == path


def _crash(steps: Iterator[Step], path: str, after: int) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, Append) and step.path == path:
            if after == 0:
                yield _halved(step)
                return
            after -= 1
        yield step


def _truncate(steps: Iterator[Step], path: str, after: int) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, Append) and step.path == path:
            yield _halved(step) if after == 0 else step
            after -= 1
        else:
            yield step


def _late(acquire: Acquire, path: str) -> Iterator[Step]:
    yield from acquire()
    late = str(PurePosixPath(path).with_stem(PurePosixPath(path).stem + "_late"))
    for step in acquire():
        if isinstance(step, Open | Append | Close) and step.path == path:
            yield step._replace(path=late)


def _grow(steps: Iterator[Step], path: str) -> Iterator[Step]:
    """The file is not closed; what belongs to it (the same stem, written once it is closed) does not come either."""
    stem = PurePosixPath(path).with_suffix("")
    growth: Content = bytes
    should_be_closed = False
    for step in steps:
        if isinstance(step, Append) and step.path == path:
            growth = _start_of(step.content)
        should_be_closed |= isinstance(step, Close) and step.path == path
        if should_be_closed and not isinstance(step, Pause) and PurePosixPath(step.path).with_suffix("") == stem:
            continue
        yield step
        if should_be_closed and isinstance(step, Close):
            yield Append(path, growth)
    while True:
        yield Pause(1.0)
        yield Append(path, growth)


def _halved(step: Append) -> Append:
    def half() -> bytes:
        whole = step.content()
        return whole[: len(whole) // 2]

    return Append(step.path, half)


def _start_of(content: Content) -> Content:
    return lambda: content()[:GROWTH_BYTES]
