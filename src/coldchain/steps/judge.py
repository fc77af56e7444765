"""What does the instrument say of a dataset, and need it look into the files for that?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from coldchain import __version__
from coldchain.config.values import Incomplete
from coldchain.instruments.base import Instrument, Look, Unjudged
from coldchain.ledger.acquisitions import Acquisition
from coldchain.model import Dataset, Entry
from coldchain.verdict import UNJUDGED, Condition, Verdict

OPEN = (Condition.ACQUIRING, Condition.INCOMPLETE)

_ASKED = ""
"""The name, among the units that are remembered, of what else a verdict depends on: the version, the job's words."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found out of one dataset, and by what it is known again."""

    verdict: Verdict = UNJUDGED
    stamp: str = ""
    """A fingerprint of names, sizes and times of its files; "" when nobody judged."""
    remembered: Mapping[str, object] | None = None

    def reason_to_hold(self, path: str, incomplete: Incomplete) -> str:
        """Say why a file that could be sent is held, as the job wants it, or ""."""
        if incomplete is Incomplete.FLAG and self.verdict.condition is not Condition.ACQUIRING:
            return ""
        if incomplete is Incomplete.WAIT and self.verdict.condition in OPEN:
            return f"its dataset is {self.verdict.condition}: {self.verdict.summary or 'not whole yet'}"
        return self.verdict.unwhole.get(path, "")

    def overdue(self, known: Acquisition | None, max_open: timedelta | None, now: datetime) -> bool:
        """Whether the dataset has been open for longer than the job wants to hear nothing of it."""
        return (
            max_open is not None
            and known is not None
            and self.verdict.condition in OPEN
            and now - known.first_seen > max_open
        )


class Judging:
    """Shows all files of one dataset to its instrument; the answer of an earlier run holds while no file changes."""

    def __init__(
        self,
        instrument: Instrument,
        dataset: Dataset,
        known: Acquisition | None,
        look: Look,
    ) -> None:
        """``known`` is what the ledger has of it."""
        # another instrument counts otherwise: what it said of the same files is no answer here
        self._known = known if known is not None and known.instrument == instrument.name else None
        if self._known is not None:
            look.recalled.update(self._known.remembered)
        self._look, job = look, look.job
        self._judge = instrument.judge(dataset, self._look)
        self._hasher = hashlib.blake2b(digest_size=16)
        asked = (__version__, dataset, job.personal, job.flag, job.growing)
        self._asked = hashlib.blake2b(repr(asked).encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()

    def see(self, entry: Entry) -> None:
        """Take notice of the next file, also of one that the job does not select: it may be what makes others whole."""
        if isinstance(self._judge, Unjudged):
            return
        self._judge.see(entry)
        line = f"{entry.path}\0{entry.size_bytes}\0{entry.mtime_ns}\n"
        self._hasher.update(line.encode("utf-8", "surrogatepass"))

    def judged(self, waiting: int) -> Judged:
        """Say what the dataset is; ``waiting`` files of it are still being written, so that it cannot be complete."""
        if isinstance(self._judge, Unjudged):
            return Judged()
        stamp = self._hasher.hexdigest()
        if self._known is not None and self._still_true(self._known, stamp):
            verdict, remembered = self._known.verdict, self._known.remembered
        else:
            verdict = self._judge.verdict()
            remembered = {**self._look.remembered, _ASKED: self._asked if self._look.sure else ""}
        if waiting and verdict.condition is Condition.COMPLETE:
            verb = "files are" if waiting > 1 else "file is"
            summary = f"{waiting:,} {verb} still being written; otherwise: {verdict.summary or 'whole'}"
            verdict = replace(verdict, condition=Condition.ACQUIRING, summary=summary)
        return Judged(verdict, stamp, remembered)

    def _still_true(self, known: Acquisition, stamp: str) -> bool:
        """Whether the same question was asked of the same files, and time alone changes nothing."""
        same = known.stamp == stamp and known.remembered.get(_ASKED) == self._asked
        return same and _lasts(known.verdict)


def _lasts(verdict: Verdict) -> bool:
    """Whether a verdict stays true while no file changes: what is being acquired becomes something else by itself."""
    if verdict.condition is Condition.UNKNOWN:
        return not verdict.unwhole
    return verdict.condition is not Condition.ACQUIRING
