"""How does a run end, in words that a tired person can read?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from coldchain.cli.printing import duration, files, name, size, tally
from coldchain.model import State, Trouble
from coldchain.steps.judge import OPEN
from coldchain.steps.report import DatasetReport, Lot, Report
from coldchain.verdict import Condition, Verdict

_SHOWN = 3


def summary(report: Report) -> Iterator[str]:
    """The lines."""
    for dataset in report.datasets:
        if dataset.selected.files or dataset.troubles or dataset.verdict.condition in OPEN:
            yield from dataset_lines(report.job, dataset, report.run)
    total = report.selected
    sent = max((sum(d.lots[n].sent.size_bytes for d in report.datasets) for n in report.destinations), default=0)
    rate = f", {size(sent / report.duration_s)}/s" if sent and report.duration_s else ""
    yield f"run {report.run}: {tally(total)} in {duration(report.duration_s)}{rate}: {verdict(report)}"
    yield from (f"  absent: {name(absent)}, which the job names, is not at the source" for absent in report.absent)
    yield from (f"  note: {name(note)}" for note in report.notes)


def verdict(report: Report) -> str:
    """One phrase for the whole run."""
    words = {
        0: "all verified",
        3: "not everything is verified",
        4: "a stored copy is wrong: coldchain check --repair",
        6: "nothing was selected",
        130: "interrupted; the same command again goes on",
    }
    return words[report.exit_code]


def dataset_lines(job: str, dataset: DatasetReport, run: int) -> Iterator[str]:
    """One dataset with its destinations and troubles."""
    yield f"{job}  {name(dataset.name)}   {files(dataset.selected.files)}   {size(dataset.selected.size_bytes)}"
    yield from condition_lines(dataset.verdict)
    for destination, lot in dataset.lots.items():
        yield f"  {destination:<10} {_lot(lot, dataset.selected.files)}"
    groups = _grouped(dataset.troubles)
    for state, some in groupby(groups, key=lambda group: group[0].state):
        listed = list(some)
        for group in listed[:_SHOWN]:
            first = group[0]
            where = ", ".join(dict.fromkeys(trouble.destination for trouble in group))
            yield f"  {state:<10} {name(first.path) or '.'}: {name(first.reason)} ({where})"
        if len(listed) > _SHOWN or dataset.more_troubles:
            yield f"  {state:<10} ... and more: coldchain report {run}"
    if dataset.gone:
        yield f"  {'kept':<10} {files(dataset.gone)} at the destinations that were not seen at the source this time"


def condition_lines(verdict: Verdict) -> Iterator[str]:
    """What its instrument says of a dataset; nothing where it does not know."""
    if verdict.condition is not Condition.UNKNOWN or verdict.summary:
        yield f"  {verdict.condition:<10} {name(verdict.summary)}".rstrip()
    for remark in verdict.remarks[:_SHOWN]:
        yield f"  {'flagged':<10} {name(remark.path)}: {name(remark.sentence)}"
    if len(verdict.remarks) > _SHOWN:
        yield f"  {'flagged':<10} ... and {len(verdict.remarks) - _SHOWN:,} more"


def _lot(lot: Lot, selected: int) -> str:
    parts = []
    for state in State:
        counted = lot.tally(state)
        if counted.files:
            parts.append(f"{state} {counted.files:,}")
    if lot.sent.files:
        proof = f", {lot.weakest.word}" if lot.weakest else ""
        parts.append(f"({lot.sent.files:,} in this run{proof})")
    return "  ".join(parts) or f"verified 0 of {selected:,}"


def _grouped(troubles: list[Trouble]) -> list[list[Trouble]]:
    """Troubles of one file with one reason, told once."""
    groups: dict[tuple[str, str], list[Trouble]] = {}
    for trouble in troubles:
        groups.setdefault((trouble.path, trouble.reason), []).append(trouble)
    return sorted(groups.values(), key=lambda group: group[0].state)
