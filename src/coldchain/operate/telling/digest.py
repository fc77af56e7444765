"""What happened since the last summary, and is the next one due?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from coldchain.config.values import Channel, Config, Job
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.messages import Fate, Told
from coldchain.ledger.runs import RunRow
from coldchain.model import Tally
from coldchain.monitor import Surroundings
from coldchain.notify.base import Tone
from coldchain.notify.letter import Letter, Listing, Table, tally
from coldchain.operate.telling.letters import command_of, trouble_line
from coldchain.operate.telling.news import thread_of
from coldchain.operate.telling.posting import channels_of, deliver_due, posts_of

_TOPIC = ("digest",)
_SHOWN = 50


def send_due(config: Config, ledger: Ledger, around: Surroundings) -> None:
    """Send the summaries that are due, and whatever waits for its next try."""
    digests_due(config, ledger, around)
    deliver_due(config, ledger, around)


def digests_due(config: Config, ledger: Ledger, around: Surroundings) -> None:
    """Put the summaries that are due into the spool; however many were missed, there is one.

    The first one covers the time from the first run with the channel on.
    """
    from coldchain.schedules.times import Timetable

    now = around.clock()
    for channel in (one for one in channels_of(config) if one.digest):
        last = ledger.told(channel.name, _TOPIC)
        if last is None or last.at > now:  # never, or the clock was put back
            ledger.post((), (Told(channel.name, _TOPIC, "", now),), now)
            continue
        due = Timetable(channel.digest).missed(last.at, now)
        if due is None:
            continue
        jobs = [job for job in config.jobs.values() if channel.name in (one.name for one in job.notify)]
        letter = _letter(config, ledger, channel, jobs, (last.at, now), around.host)
        key = ("", "digest", due.isoformat(), thread_of("", f"digest {channel.name}"))
        ledger.post(posts_of(channel, letter, key, ledger.id, around), (Told(channel.name, _TOPIC, "", now),), now)


def _letter(
    config: Config, ledger: Ledger, channel: Channel, jobs: list[Job], span: tuple[datetime, datetime], host: str
) -> Letter:
    since, until = span
    rows, bad = [], 0
    listings: list[Listing] = []
    for job in jobs:
        summary = _Summary(job, ledger, since)
        rows.append(summary.row())
        bad += not summary.well
        listings += summary.listings()
    lost = ledger.messages(Fate.GIVEN_UP)
    if lines := [f"{one.created:%Y-%m-%d}: {one.subject}: {one.said}" for one in lost if _within(one.created, since)]:
        listings.append(Listing("Messages that never arrived", tuple(lines[:_SHOWN]), max(0, len(lines) - _SHOWN)))
    well = "all is well" if not bad else f"{bad} of {len(jobs)} jobs need somebody to look"
    return Letter(
        f"[coldchain] digest of {host}: {well}",
        well,
        Tone.SUMMARY,
        (
            ("Machine", host),
            ("From", f"{since:%Y-%m-%d %H:%M} UTC"),
            ("To", f"{until:%Y-%m-%d %H:%M} UTC"),
            ("Channel", channel.name),
        ),
        tuple(listings),
        (Table("Jobs", ("", "runs", "carried", "last run", "last success"), tuple(rows)),),
        command_of(config, "history"),
    )


def _within(at: datetime | None, since: datetime) -> bool:
    return at is not None and at >= since


class _Summary:
    """One job since a time; its runs are read one after the other, so that thousands of looks fit."""

    def __init__(self, job: Job, ledger: Ledger, since: datetime) -> None:
        self._job, self._ledger = job, ledger
        self._codes: Counter[str] = Counter()
        self._carried = Tally()
        self._success: datetime | None = None
        self._last = next(iter(ledger.runs(job.name, 1)), None)
        for run in ledger.runs_since(job.name, since):
            self._codes[_code(run)] += 1
            self._carried += _carried(run)
            if self._success is None and run.exit_code == 0:
                self._success = run.ended

    @property
    def well(self) -> bool:
        """Whether the last run verified everything, and there was one since."""
        return bool(self._codes) and self._last is not None and self._last.exit_code == 0

    def row(self) -> tuple[str, ...]:
        """Name, runs by exit code, what was carried, last run, last success."""
        total = sum(self._codes.values())
        by_code = ", ".join(f"{count:,} ended with {code}" for code, count in sorted(self._codes.items()))
        last = self._last
        return (
            self._job.name,
            f"{total:,}: {by_code}" if total else "none: it is silent",
            tally(self._carried),
            f"{last.started:%Y-%m-%d %H:%M} UTC, exit status {_code(last)}" if last else "never",
            f"{self._success:%Y-%m-%d %H:%M} UTC" if self._success else "none in this time",
        )

    def listings(self) -> Iterator[Listing]:
        """What is not verified as of the last run, file by file."""
        if self._last is None or self._last.exit_code == 0:
            return
        more = 0
        lines: list[str] = []
        for dataset, one in self._ledger.troubles(self._last.id):
            if len(lines) < _SHOWN:
                lines.append(trouble_line(dataset, one))
            else:
                more += 1
        notes = self._last.summary.get("notes")
        lines += [str(note) for note in notes[:10]] if isinstance(notes, list) else []
        if lines:
            yield Listing(f"{self._job.name}: not well as of the last run", tuple(lines), more)


def _code(run: RunRow) -> str:
    return "no end (killed, or still running)" if run.exit_code is None else str(run.exit_code)


def _carried(run: RunRow) -> Tally:
    """What a run sent to the destination that got most of it."""
    sent: dict[str, Tally] = {}
    datasets = run.summary.get("datasets")
    for dataset in datasets if isinstance(datasets, list) else []:
        for name, lot in dataset["destinations"].items():
            sent[name] = sent.get(name, Tally()) + Tally(lot["sent"]["files"], lot["sent"]["size_bytes"])
    return max(sent.values(), key=lambda one: (one.files, one.size_bytes), default=Tally())
