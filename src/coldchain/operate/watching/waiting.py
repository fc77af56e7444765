"""What of a dataset waits after a look, and for how long?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from coldchain.model import State, Tally
from coldchain.steps.report import DatasetReport

_US = timedelta(microseconds=1)
_SHOWN = 20


class Waits(NamedTuple):
    """What is to be looked at again."""

    due: timedelta | None
    """From now on, when the first file that was not settled will be."""
    held: int
    unclear: bool
    """Some are held for other reasons, such as a program that has them open."""
    failed_at: frozenset[str]
    """Destinations at which files failed."""
    sentences: tuple[str, ...]
    """About files that failed or were refused."""


def waiting_of(dataset: DatasetReport) -> dict[str, Tally]:
    """By destination: what is not verified there."""
    found = {}
    for name, lot in dataset.lots.items():
        verified = lot.tally(State.VERIFIED)
        found[name] = Tally(
            dataset.selected.files - verified.files, max(0, dataset.selected.size_bytes - verified.size_bytes)
        )
    return found


def when_settled(dataset: DatasetReport, settle: timedelta, now: datetime) -> Waits:
    """When the held files of a dataset are worth another look, by when they were modified."""
    held = max((lot.tally(State.HELD).files for lot in dataset.lots.values()), default=0)
    failed = frozenset(name for name, lot in dataset.lots.items() if lot.tally(State.FAILED).files)
    sentences = tuple(
        f"{dataset.name}: {trouble.path}: {trouble.reason} ({trouble.destination})"
        for trouble in dataset.troubles
        if trouble.state is not State.HELD
    )[:_SHOWN]
    if not held:
        return Waits(None, 0, unclear=False, failed_at=failed, sentences=sentences)
    recent, now_us = dataset.recent, round(now.timestamp() * 1_000_000)
    due = (recent.first_us - now_us) * _US + settle if recent.files else None
    return Waits(due, held, held > recent.files, failed, sentences)
