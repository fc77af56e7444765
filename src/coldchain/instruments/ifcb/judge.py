"""Is a day of bins whole?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from coldchain.instruments.base import Habits, Look
from coldchain.instruments.ifcb.bins import Files, look_at
from coldchain.instruments.ifcb.names import ADC, ENDINGS, HDR, ROI, SKIP, bin_of, date_of
from coldchain.model import Dataset, Entry
from coldchain.verdict import KEPT, UNJUDGED, Condition, Remark, Verdict, first, shortage


@dataclass(slots=True)
class _Outcome:
    """What became of the bins so far."""

    missing: list[str] = field(default_factory=list)
    unwhole: dict[str, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)
    without_roi: int = 0
    bereft: bool = False
    """One of those tells of images."""


class BinJudge:
    """Judges the bins of one dataset, each by its own arithmetic."""

    def __init__(self, dataset: Dataset, look: Look, habits: Habits) -> None:
        self._look = look
        self._quiet = habits.quiet
        self._settle = habits.settle if look.job.settle is None else look.job.settle
        self._date = date_of(dataset.name) if ("date" in dict(dataset.fields)) else None
        self._bins: dict[str, dict[str, tuple[int, int]]] = {}

    def see(self, entry: Entry) -> None:
        stem = bin_of(entry.path)
        if stem is not None:
            self._bins.setdefault(stem, {})[entry.path[-4:]] = (entry.size_bytes, entry.mtime_ns)

    def verdict(self) -> Verdict:
        if not self._bins:
            return UNJUDGED
        outcome = _Outcome()
        for stem, files in self._bins.items():
            self._judge(stem, files, outcome)
        condition = self._condition(outcome)
        return Verdict(
            condition,
            self._summary(condition, outcome),
            first(outcome.missing),
            len(outcome.missing),
            outcome.unwhole,
            tuple(outcome.remarks[:KEPT]),
            _catalogue(outcome.rows, outcome.without_roi),
            tuple(outcome.rows),
        )

    def _judge(self, stem: str, files: Files, outcome: _Outcome) -> None:
        young = self._is_young(files.values())
        absent = [ending for ending in ENDINGS if ending not in files]
        if absent and young:  # there is time to look into the others when they are all there
            self._hold(stem, files, f"no {' and no '.join(absent)} yet", outcome)
            return
        found = look_at(self._look, stem, files)
        outcome.rows.append(found.row)
        path, reason = found.unread
        if path:
            outcome.remarks.append(Remark(path, f"could not be read: {reason}"))
            self._lack(stem, f"{path[-4:]} could not be read", outcome)
        elif found.fault:
            self._fail(stem, files, found.fault, outcome, young=young)
        elif ROI in absent and len(absent) == 1:
            outcome.without_roi += 1
            outcome.bereft |= bool(found.row.get("roiCount"))
            outcome.remarks.append(Remark(stem + ADC, "its images (.roi) are not here; carried without them"))
        elif absent:
            self._lack(stem, f"no {' and no '.join(absent)}", outcome)
        elif not found.counted and self._is_fresh(files):
            self._hold(stem, files, "its .hdr was written just now, .adc and .roi follow it", outcome)

    def _hold(self, stem: str, files: Files, reason: str, outcome: _Outcome) -> None:
        sentence = f"{_name(stem)}: {reason}"
        outcome.unwhole.update((stem + ending, sentence) for ending in files)
        self._lack(stem, reason, outcome)

    def _lack(self, stem: str, reason: str, outcome: _Outcome) -> None:
        """What lies in a folder ``skip`` was put there because it is rubbish: nothing waits for it."""
        if not _is_skipped(stem):
            outcome.missing.append(f"{_name(stem)}: {reason}")

    def _fail(self, stem: str, files: Files, reason: str, outcome: _Outcome, *, young: bool) -> None:
        if young or not _is_skipped(stem):
            self._hold(stem, files, reason, outcome)
        else:
            path = next(stem + ending for ending in (HDR, ADC, ROI) if ending in files)
            outcome.remarks.append(Remark(path, f"{reason}; carried as it is, because it lies in {SKIP!r}"))

    def _is_young(self, times: Iterable[tuple[int, int]]) -> bool:
        newest = Entry("", 0, max(mtime_ns for _, mtime_ns in times))
        return self._look.while_open(newest, self._quiet) is Condition.ACQUIRING

    def _is_fresh(self, files: Files) -> bool:
        """Whether .adc and .roi may be what was appended while memory was full, and the rest is on its way.

        The acquisition program writes .hdr, .adc, .roi, in this order, within a second (source: ``AcqComplete`` of
        robertjolson/ifcb-acq); a header with counts gives the same away by itself.
        """
        header = Entry("", *files[HDR])
        return self._look.while_open(header, self._settle) is Condition.ACQUIRING

    def _condition(self, outcome: _Outcome) -> Condition:
        if not self._is_over():
            return Condition.ACQUIRING
        if outcome.missing:
            return Condition.INCOMPLETE
        images = any(ROI in files for files in self._bins.values())
        if outcome.bereft and images:  # some archive no images on purpose, but not those of single bins
            return Condition.UNKNOWN
        return Condition.UNKNOWN if all(map(_is_skipped, self._bins)) else Condition.COMPLETE

    def _is_over(self) -> bool:
        """Whether nothing more is to be expected: the day has ended in UTC, and it has been quiet.

        A clock that runs ahead names bins after a day that is yet to come; after a whole day of silence that is over.
        """
        times = [seen for files in self._bins.values() for seen in files.values()]
        if self._is_young(times):
            return False
        if self._date is None or self._look.now >= datetime.combine(self._date, time(), UTC) + timedelta(days=1):
            return True
        newest = Entry("", 0, max(mtime_ns for _, mtime_ns in times))
        return self._look.age(newest) >= timedelta(days=1)

    def _summary(self, condition: Condition, outcome: _Outcome) -> str:
        count = len(self._bins)
        if outcome.missing:
            return shortage("bins", count, outcome.missing)
        so_far = " so far" if condition is Condition.ACQUIRING else ""
        bins = f"{count:,} bin{'s' * (count > 1)}"
        if skipped := sum(map(_is_skipped, self._bins)):
            bins = f"{bins}, {skipped:,} of them in {SKIP!r}"
        elif outcome.without_roi:
            bins = f"{bins}, {outcome.without_roi:,} without .roi"
        else:
            bins = f"{bins}, all whole" if count > 1 else f"{bins}, whole"
        return f"{bins}{so_far}"


def _name(stem: str) -> str:
    return stem[stem.rfind("/") + 1 :]


def _is_skipped(stem: str) -> bool:
    return f"/{SKIP}/" in f"/{stem}"


def _catalogue(rows: list[dict[str, object]], without_roi: int) -> dict[str, object]:
    if not rows:
        return {}
    catalogue: dict[str, object] = {}
    for name in ("instrument", "serial"):
        catalogue[name] = ", ".join(sorted({str(row[name]) for row in rows}))
    starts = [str(row["start"]) for row in rows if "start" in row]
    if starts:
        catalogue |= {
            "start": min(starts),
            "end": max(str(row.get("end", row["start"])) for row in rows if "start" in row),
        }
    catalogue["bins"] = len(rows)
    for name in ("triggerCount", "roiCount", "ml_analyzed", "size_bytes"):
        numbers = [value for row in rows if isinstance(value := row.get(name), int | float)]
        if numbers:
            catalogue[name] = round(sum(numbers), 6)
    if without_roi:
        catalogue["bins_without_roi"] = without_roi
    return catalogue
