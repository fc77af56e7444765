"""Which ends of a run are worth a message, by one channel?

A run that somebody or a schedule began is told whole.  A watcher looks every few seconds, so of its looks only what is
new is told: a dataset that became complete and is wholly verified, trouble that began, trouble that is over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coldchain.config.values import Channel, When
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.messages import Told
from coldchain.model import State, Trouble
from coldchain.notify.letter import Letter
from coldchain.operate.telling import letters
from coldchain.operate.telling.posting import digits
from coldchain.steps.report import DatasetReport, Report

if TYPE_CHECKING:
    from coldchain.operate.ending import Ending

_TOGETHER = 3
"""So many datasets that become complete at once have a message each; more of them share one."""
_KEPT = 5_000
"""So many files in trouble are remembered as told; those beyond are only counted."""
_NAMED = 100
_NO_TROUBLE_WATCHED = (6, 130)
"""A source that is empty for now, and a person who ends the watcher, are no trouble."""


@dataclass(frozen=True, slots=True)
class News:
    """A letter, and what makes it the same letter when it is made again."""

    letter: Letter
    key: tuple[str, ...]
    """The job first, the thread last."""


@dataclass(slots=True)
class Found:
    """What one channel tells of one end of a run, and what it remembers of having told."""

    news: list[News] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)


def news_of(channel: Channel, ending: Ending, ledger: Ledger, told: letters.Told) -> Found:
    """Choose."""
    if ending.watched:
        return _of_look(channel, ending, ledger, told)
    return _of_run(channel, ending, ledger, told)


def _of_run(channel: Channel, ending: Ending, ledger: Ledger, told: letters.Told) -> Found:
    found, job = Found(), ending.job.name
    before = ledger.told(channel.name, ("run", job))
    state = str(ending.exit_code)
    found.told.append(Told(channel.name, ("run", job), state, ending.ended))
    changed = state != (before.state if before else "0")
    wanted = {When.ALWAYS: True, When.PROBLEMS: ending.exit_code != 0, When.CHANGE: changed}
    if wanted[channel.when]:
        found.news.append(News(letters.run_letter(ending, told), (job, "run", _moment(ending), _thread(ending))))
    return found


def _moment(ending: Ending) -> str:
    """What tells this run from every other one."""
    return f"{ending.report.run}" if ending.report else ending.started.isoformat()


def _thread(ending: Ending) -> str:
    """A run that concerns one dataset belongs to its thread, others to that of the job."""
    job, report = ending.job.name, ending.report
    return thread_of(job, report.datasets[0].name if report and len(report.datasets) == 1 else "")


def thread_of(job: str, dataset: str = "") -> str:
    """The thread of a dataset, or of the job."""
    return json.dumps([job, dataset])


def _of_look(channel: Channel, ending: Ending, ledger: Ledger, told: letters.Told) -> Found:
    found = Found()
    if ending.report is not None and channel.when is When.ALWAYS:
        _sealed(found, channel, ending, ledger, told)
    if ending.exit_code not in _NO_TROUBLE_WATCHED:
        _troubles(found, channel, ending, ledger, told)
    return found


def _sealed(found: Found, channel: Channel, ending: Ending, ledger: Ledger, told: letters.Told) -> None:
    """Datasets that are complete and verified wherever they must be, and were not told to be so as they are now."""
    report, job = ending.report, ending.job.name
    new = []
    for dataset in report.datasets if report and not _is_narrowed(ending, told) else []:
        if not _is_sealed(dataset, report):
            continue
        topic = ("dataset", job, dataset.name)
        state = f"complete {dataset.selected.files} {dataset.selected.size_bytes}"
        before = ledger.told(channel.name, topic)
        if before is None or before.state != state:
            new.append(dataset.name)
            found.told.append(Told(channel.name, topic, state, ending.ended))
    groups = [(name,) for name in new] if len(new) <= _TOGETHER else [tuple(new)]
    for names in groups:
        letter = letters.run_letter(ending, told, frozenset(names))
        thread = thread_of(job, names[0] if len(names) == 1 else "")
        found.news.append(News(letter, (job, "sealed", _moment(ending), digits(*names), thread)))


def _is_sealed(dataset: DatasetReport, report: Report | None) -> bool:
    return report is not None and all(dataset.is_sealed(name) for name in report.required)


def _is_narrowed(ending: Ending, told: letters.Told) -> bool:
    """Whether a look served only some of the destinations that matter: then it cannot say that all is well."""
    job = told.config.jobs.get(ending.job.name, ending.job)
    needed = {destination.name for destination in job.destinations if destination.required}
    return ending.report is None or not needed <= set(ending.report.destinations)


def _troubles(found: Found, channel: Channel, ending: Ending, ledger: Ledger, told: letters.Told) -> None:
    topic, job = ("trouble", ending.job.name), ending.job.name
    row = ledger.told(channel.name, topic)
    before = _Known.read(row.state) if row else _Known()
    now, new = before.after(ending, ledger, narrowed=_is_narrowed(ending, told))
    if now != before:
        found.told.append(Told(channel.name, topic, now.text(), ending.ended))
    key = (job, "trouble", ending.started.isoformat(), thread_of(job))
    if ending.error is not None and now.error != before.error:
        found.news.append(News(letters.error_letter(ending, told, ending.error), key))
    elif new.count or now.others - before.others:
        found.news.append(News(letters.begun_letter(ending, told, new.named, new.count), key))
    elif before and not now:
        found.news.append(News(letters.over_letter(ending, told), (job, "over", *key[2:])))


@dataclass(slots=True)
class _New:
    named: list[tuple[str, Trouble]] = field(default_factory=list)
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    """The trouble that was told of a job, and is not over."""

    error: str = ""
    files: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By dataset: what stands for each file that cannot be carried."""
    others: frozenset[str] = frozenset()

    @classmethod
    def read(cls, text: str) -> _Known:
        value = json.loads(text)
        files = {name: frozenset(those) for name, those in value["files"].items()}
        return cls(value["error"], files, frozenset(value["others"]))

    def text(self) -> str:
        files = {name: sorted(those) for name, those in sorted(self.files.items())}
        return json.dumps({"error": self.error, "files": files, "others": sorted(self.others)})

    def __bool__(self) -> bool:
        return bool(self.error or self.files or self.others)

    def after(self, ending: Ending, ledger: Ledger, *, narrowed: bool) -> tuple[_Known, _New]:
        """What there is now, and which files are new; what was not looked at stays as it was."""
        if ending.report is None:
            return _Known(type(ending.error).__name__, self.files, self.others), _New()
        report, new = ending.report, _New()
        looked = set() if narrowed else {dataset.name for dataset in report.datasets}
        files = {name: set(those) for name, those in self.files.items() if name not in looked}
        room = _KEPT - sum(map(len, files.values()))
        for dataset, trouble in _lasting(ledger, report):
            mark = digits(trouble.destination, trouble.path)[:16]
            if mark in files.get(dataset, ()):
                continue
            known = mark in self.files.get(dataset, ())
            if not known:
                new.count += 1
                if len(new.named) < _NAMED:
                    new.named.append((dataset, trouble))
            if room > 0:
                files.setdefault(dataset, set()).add(mark)
                room -= 1
            elif not known:
                new.count -= 1  # told of when there is room again, but not at each look
        others = frozenset((*(f"absent {one}" for one in report.absent), *(f"due {o}" for o in report.manifests_due)))
        error = self.error if narrowed else ""
        return _Known(error, {name: frozenset(those) for name, those in files.items()}, others), new


def _lasting(ledger: Ledger, report: Report) -> Iterator[tuple[str, Trouble]]:
    """What is not only held back until it has settled."""
    return ((dataset, one) for dataset, one in ledger.troubles(report.run) if one.state is not State.HELD)
