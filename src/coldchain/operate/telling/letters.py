"""What does a message say of a run?"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coldchain.config.values import Config
from coldchain.errors import ColdchainError
from coldchain.model import REST, State, Tally, Trouble
from coldchain.notify.base import Tone
from coldchain.notify.letter import Letter, Listing, Table, duration, files, size, tally
from coldchain.steps.report import DatasetReport, Report
from coldchain.verdict import Condition

if TYPE_CHECKING:
    from coldchain.operate.ending import Ending

_SHOWN = 100
"""So many files are named in one message; the ledger has all."""
_DATASETS = 30
_TAIL_BYTES = 1 << 16
_VERDICTS = {
    0: "all verified",
    3: "not everything is verified",
    4: "a stored copy is wrong: coldchain check --repair",
    6: "nothing was selected",
    130: "interrupted; the same command again goes on",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a letter is about, beside the run itself."""

    config: Config
    host: str
    counted: tuple[Table | Listing, ...] = ()
    """What came of counting again by other code."""


def run_letter(ending: Ending, told: Told, only: Collection[str] = ()) -> Letter:
    """A whole run, or only some datasets of it."""
    if ending.report is None:
        return error_letter(ending, told, ending.error)
    report = ending.report
    shown = [one for one in report.datasets if not only or one.name in only]
    tone = Tone.WELL if only or not ending.exit_code else Tone.TROUBLE
    headline = _headline(report, shown, only)
    differences = (one for one in told.counted if isinstance(one, Listing))
    counts = (one for one in told.counted if isinstance(one, Table))
    listings = (*_troubles(shown), *_notes(report), *differences)
    return Letter(
        f"[coldchain] {ending.job.name}: {'' if tone is Tone.WELL else 'TROUBLE: '}{headline}",
        headline,
        tone,
        (*_facts(ending, told), *_measures(report), _exit(ending.exit_code), _log_file(told.config, report)),
        listings,
        (_destinations(report, shown), *counts, _datasets(shown)),
        _command(f"report {report.run}", told.config),
    )


def error_letter(ending: Ending, told: Told, error: ColdchainError | None) -> Letter:
    """A run that could not be, or broke off."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    headline = f"it could not run: {lines[0]}"
    return Letter(
        f"[coldchain] {ending.job.name}: TROUBLE: {headline}",
        headline,
        Tone.TROUBLE,
        (*_facts(ending, told), _exit(ending.exit_code)),
        (Listing("What it says", tuple(lines[:_SHOWN]), max(0, len(lines) - _SHOWN)),),
        command=_command(f"doctor {shlex.quote(ending.job.name)}", told.config),
    )


def begun_letter(ending: Ending, told: Told, new: Sequence[tuple[str, Trouble]], count: int) -> Letter:
    """Trouble that was not there at the look before; ``new`` are some of its files with their datasets."""
    headline = f"trouble began: {files(count)} cannot be carried" if new else "trouble began"
    lines = tuple(trouble_line(dataset, one) for dataset, one in new)
    report = ending.report
    return Letter(
        f"[coldchain] {ending.job.name}: TROUBLE: {headline}",
        headline,
        Tone.TROUBLE,
        (*_facts(ending, told), *_measures(report), ("What next", "it goes on trying; digests tell how it stands")),
        (Listing("New since the look before", lines, max(0, count - len(lines))), *_notes(report)),
        command=_command(f"report {report.run}" if report else "history", told.config),
    )


def over_letter(ending: Ending, told: Told) -> Letter:
    """Trouble that is no more."""
    headline = "the trouble is over"
    return Letter(
        f"[coldchain] {ending.job.name}: {headline}",
        headline,
        Tone.OVER,
        (*_facts(ending, told), *_measures(ending.report)),
        command=_command("history", told.config),
    )


def trial_letter(host: str, channel: str) -> Letter:
    """What ``coldchain doctor --notify`` sends."""
    headline = "this is a test: messages of coldchain arrive here"
    return Letter(f"[coldchain] {headline}", headline, Tone.WELL, (("Machine", host), ("Channel", channel)))


def command_of(config: Config, words: str) -> str:
    """A command as a person types it, for this configuration."""
    return _command(words, config)


def _headline(report: Report, shown: list[DatasetReport], only: Collection[str]) -> str:
    if only:
        total = tally(_total(shown))
        if len(shown) == 1:
            return f"{_called(shown[0])} is complete and verified: {total}"
        return f"{len(shown):,} datasets are complete and verified: {total}"
    code = report.exit_code
    if code == 0:
        sent = max((one.files for one in _sent(report, shown)), default=0)
        lead = f"{_called(shown[0])}: " if len(shown) == 1 and shown[0].name != REST else ""
        return f"{lead}{tally(report.selected)} verified, {f'{sent:,} in this run' if sent else 'nothing new'}"
    if code == 3 and (missing := _unverified(report)):
        return f"{missing:,} of {files(report.selected.files)} not verified"
    return _VERDICTS.get(code, f"exit code {code}")


def _called(dataset: DatasetReport) -> str:
    return "the whole source" if dataset.name == REST else dataset.name


def _unverified(report: Report) -> int:
    """At the required destination that lacks most."""
    lots = ((one.selected.files, one.lots.items()) for one in report.datasets)
    lacking = dict.fromkeys(report.required, 0)
    for selected, items in lots:
        for name, lot in items:
            if name in lacking:
                lacking[name] += selected - lot.tally(State.VERIFIED).files
    return max(lacking.values(), default=0)


def _total(shown: list[DatasetReport]) -> Tally:
    return sum((one.selected for one in shown), Tally())


def _sent(report: Report, shown: list[DatasetReport]) -> Iterator[Tally]:
    for name in report.destinations:
        yield sum((one.lots[name].sent for one in shown), Tally())


def _facts(ending: Ending, told: Told) -> Iterator[tuple[str, str]]:
    job = ending.job
    yield "Job", job.name
    yield "Machine", told.host
    yield "From", job.source.url
    yield "To", ", ".join(f"{one.name} ({one.place.url})" for one in job.destinations)
    yield "Began", f"{ending.started:%Y-%m-%d %H:%M:%S} UTC"
    yield "Ended", f"{ending.ended:%Y-%m-%d %H:%M:%S} UTC"
    yield "Command", f"coldchain {ending.command} {shlex.quote(job.name)}"


def _measures(report: Report | None) -> Iterator[tuple[str, str]]:
    if report is None:
        return
    sent = max((one.size_bytes for one in _sent(report, report.datasets)), default=0)
    rate = f", {size(sent / report.duration_s)}/s" if sent and report.duration_s else ""
    yield "Duration", f"{duration(report.duration_s)}{rate}"
    yield "Selected", tally(report.selected)


def _exit(code: int) -> tuple[str, str]:
    return "Exit status", f"{code}: {_VERDICTS[code]}" if code in _VERDICTS else str(code)


def _log_file(config: Config, report: Report) -> tuple[str, str]:
    """The log, and whether it tells of the end of this run: it is written by others, maybe only after this."""
    path = config.state / "logs" / f"{report.job}.log"
    if not (tail := _tail(path)):
        return "Log", f"{path} (not there yet, or it cannot be read)"
    ended = re.compile(rf"\brun\"?:? ?{report.run}\b.*exit.code|exit.code.*\brun\"?:? ?{report.run}\b".encode())
    whole = any(ended.search(line) for line in tail.splitlines())
    return "Log", f"{path} ({'complete' if whole else 'the end of this run is not in it yet'})"


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read()
    except OSError:
        return b""


def _destinations(report: Report, shown: list[DatasetReport]) -> Table:
    rows = []
    for name in report.destinations:
        lots = [one.lots[name] for one in shown]
        verified = sum((lot.tally(State.VERIFIED) for lot in lots), Tally())
        sent = sum((lot.sent for lot in lots), Tally())
        before = Tally(verified.files - sent.files, verified.size_bytes - sent.size_bytes)
        counts = [(state, sum((lot.tally(state) for lot in lots), Tally())) for state in State]
        others = ", ".join(
            f"{state} {tally(one)}" for state, one in counts if state is not State.VERIFIED and one.files
        )
        rows.append((name, tally(before), tally(sent), tally(verified), others))
    columns = ("", "verified before", "in this run", "verified after", "not verified")
    return Table("Destinations, by our records", columns, tuple(rows))


def _datasets(shown: list[DatasetReport]) -> Table:
    news = [one for one in shown if one.troubles or any(lot.sent.files for lot in one.lots.values())]
    listed = (shown if len(shown) <= _DATASETS else news)[:_DATASETS]
    rows = tuple((_called(one), tally(one.selected), _condition(one), _lots(one)) for one in listed)
    return Table("Datasets", ("", "files", "condition", "at"), rows, len(shown) - len(listed))


def _condition(dataset: DatasetReport) -> str:
    verdict = dataset.verdict
    known = "" if verdict.condition is Condition.UNKNOWN else verdict.condition.value
    return ": ".join(filter(None, (known, verdict.summary)))


def _lots(dataset: DatasetReport) -> str:
    found = []
    for name, lot in dataset.lots.items():
        states = [f"{state} {lot.tally(state).files:,}" for state in State if lot.tally(state).files]
        found.append(f"{name}: {', '.join(states) or 'nothing'}")
    return "; ".join(found)


def _troubles(shown: list[DatasetReport]) -> Iterator[Listing]:
    lines = [trouble_line(one.name, trouble) for one in shown for trouble in one.troubles]
    more = sum(one.more_troubles for one in shown) + max(0, len(lines) - _SHOWN)
    if lines:
        yield Listing("Not verified, file by file", tuple(lines[:_SHOWN]), more)
    if missing := [f"{one.name}: {what}" for one in shown for what in one.verdict.missing]:
        count = sum(one.verdict.missing_count for one in shown)
        yield Listing("Missing by the instrument's own arithmetic", tuple(missing[:20]), max(0, count - 20))


def trouble_line(dataset: str, one: Trouble) -> str:
    """One file that is not verified."""
    within = "" if dataset == REST else f"{dataset}: "
    return f"{one.state} at {one.destination}: {within}{one.path or '.'}: {one.reason}"


def _notes(report: Report | None) -> Iterator[Listing]:
    if report is None:
        return
    lines = [*(f"{one} is not at the source, though the job names it" for one in report.absent), *report.notes]
    lines += [f"the manifest of {one} could not be written" for one in report.manifests_due]
    if lines:
        yield Listing("Notes", tuple(lines[:_SHOWN]), max(0, len(lines) - _SHOWN))


def _command(words: str, config: Config) -> str:
    return f"coldchain {words} --config {shlex.quote(str(config.path))}"
