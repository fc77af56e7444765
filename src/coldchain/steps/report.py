"""What came of a run?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from coldchain.model import Outcome, ProofKind, State, Tally, Trouble, Verified
from coldchain.steps.settle import NONE_RECENT, Recent
from coldchain.verdict import UNJUDGED, Condition, Verdict

SHOWN_TROUBLES = 20
"""So many troubles per dataset are kept for the summary; the ledger has all."""


@dataclass(slots=True)
class Lot:
    """The files of one dataset at one destination, by the state in which they ended."""

    states: dict[State, Tally] = field(default_factory=dict)
    sent: Tally = Tally()
    """Of the verified ones: newly written or adopted in this run."""
    weakest: ProofKind | None = None
    """The weakest proof among those of this run."""

    def add(self, state: State, tally: Tally) -> None:
        """Count files into a state."""
        self.states[state] = self.states.get(state, Tally()) + tally

    def tally(self, state: State) -> Tally:
        """How many ended so."""
        return self.states.get(state, Tally())

    @property
    def total(self) -> Tally:
        """All of them."""
        return sum(self.states.values(), Tally())


@dataclass(slots=True)
class DatasetReport:
    """One dataset."""

    name: str
    selected: Tally
    lots: dict[str, Lot]
    troubles: list[Trouble] = field(default_factory=list)
    more_troubles: int = 0
    gone: int = 0
    recent: Recent = NONE_RECENT
    """Of the held files those that were modified too recently, when it was planned."""
    verdict: Verdict = UNJUDGED

    def is_sealed(self, destination: str) -> bool:
        """Whether it is complete, and every file of it is verified there."""
        whole = self.lots[destination].tally(State.VERIFIED).files == self.selected.files
        return whole and self.verdict.condition is Condition.COMPLETE

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count outcomes, each final."""
        for outcome in outcomes:
            lot = self.lots[outcome.destination]
            if isinstance(outcome, Verified):
                tally = Tally(1, outcome.entry.size_bytes)
                lot.add(State.VERIFIED, tally)
                lot.sent += tally
                lot.weakest = min(lot.weakest or outcome.proof_kind, outcome.proof_kind)
                continue
            lot.add(outcome.state, Tally(1, outcome.size_bytes))
            if len(self.troubles) < SHOWN_TROUBLES:
                self.troubles.append(outcome)
            else:
                self.more_troubles += 1


@dataclass(slots=True)
class Report:
    """A whole run of one job."""

    job: str
    source: str
    destinations: tuple[str, ...]
    required: frozenset[str]
    started: datetime
    run: int = 0
    ended: datetime | None = None
    duration_s: float = 0.0
    datasets: list[DatasetReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    integrity: int = 0
    """Stored copies that were found to be wrong."""
    manifests_due: list[str] = field(default_factory=list)
    """Datasets whose manifest could not be written."""
    sweep_due: list[str] = field(default_factory=list)
    """Destinations where something was tried again, and may have been left lying by the first try."""
    absent: list[str] = field(default_factory=list)
    """Datasets that the job names and the source does not hold."""
    interrupted: bool = False
    throughput: Mapping[str, object] = field(default_factory=dict)
    """``step_s`` and ``moved_bytes``: how much was read in each step from the begin on."""

    def begin(self, name: str, selected: Tally, kept: dict[str, Tally]) -> DatasetReport:
        """The next dataset, with what was verified before."""
        lots = {destination: Lot() for destination in self.destinations}
        for destination, tally in kept.items():
            if tally.files:
                lots[destination].add(State.VERIFIED, tally)
        self.datasets.append(DatasetReport(name, selected, lots))
        return self.datasets[-1]

    @property
    def selected(self) -> Tally:
        """Everything that the job selected."""
        return sum((dataset.selected for dataset in self.datasets), Tally())

    def unaccounted(self) -> Iterator[str]:
        """Name each dataset and destination whose counts do not add up (P1): a bug, if there is one."""
        for dataset in self.datasets:
            for destination, lot in dataset.lots.items():
                if lot.total.files != dataset.selected.files:
                    yield (
                        f"{dataset.name} at {destination}: {dataset.selected.files:,} selected, "
                        f"{lot.total.files:,} accounted for"
                    )

    @property
    def exit_code(self) -> int:
        """See ``errors``: 0 only if everything selected is verified at every required destination (P13)."""
        if self.interrupted:
            return 130
        if self.integrity:
            return 4
        if not self.selected.files:
            return 6
        if self.manifests_due or self.absent or any(self._incomplete(dataset) for dataset in self.datasets):
            return 3
        return 0

    def _incomplete(self, dataset: DatasetReport) -> bool:
        lots = (lot for name, lot in dataset.lots.items() if name in self.required)
        return any(lot.tally(State.VERIFIED).files != dataset.selected.files for lot in lots)

    def as_json(self) -> dict[str, object]:
        """The documented, versioned form (docs/json.md)."""
        return {
            "format": "coldchain-report",
            "version": 1,
            "run": self.run,
            "job": self.job,
            "source": self.source,
            "started": self.started.isoformat(),
            "ended": self.ended.isoformat() if self.ended else None,
            "duration_s": round(self.duration_s, 3),
            "exit_code": self.exit_code,
            "files": self.selected.files,
            "size_bytes": self.selected.size_bytes,
            "datasets": [_dataset_json(dataset) for dataset in self.datasets],
            "notes": self.notes,
            "manifests_due": self.manifests_due,
            "sweep_due": self.sweep_due,
            "absent": self.absent,
            "throughput": dict(self.throughput),
        }


def _dataset_json(dataset: DatasetReport) -> dict[str, object]:
    return {
        "dataset": dataset.name,
        "files": dataset.selected.files,
        "size_bytes": dataset.selected.size_bytes,
        "gone_from_source": dataset.gone,
        **condition_json(dataset.verdict),
        "destinations": {name: _lot_json(lot) for name, lot in dataset.lots.items()},
        "troubles": [trouble_json(trouble) for trouble in dataset.troubles],
        "more_troubles": dataset.more_troubles,
    }


def condition_json(verdict: Verdict) -> dict[str, object]:
    """What an instrument says of a dataset, for a report: its catalogue and units stand in the manifest."""
    return {
        "condition": verdict.condition.value,
        "summary": verdict.summary,
        "missing": list(verdict.missing),
        "missing_count": verdict.missing_count,
        "remarks": [{"path": path, "sentence": sentence} for path, sentence in verdict.remarks],
    }


def _lot_json(lot: Lot) -> dict[str, object]:
    states = {state.value: lot.tally(state) for state in State}
    return {
        **{name: {"files": tally.files, "size_bytes": tally.size_bytes} for name, tally in states.items()},
        "sent": {"files": lot.sent.files, "size_bytes": lot.sent.size_bytes},
        "weakest_proof": lot.weakest.word if lot.weakest else None,
    }


def trouble_json(trouble: Trouble) -> dict[str, object]:
    """One file that is not verified at one destination."""
    return {
        "path": trouble.path,
        "destination": trouble.destination,
        "state": trouble.state.value,
        "reason": trouble.reason,
        "size_bytes": trouble.size_bytes,
        "integrity": trouble.integrity,
    }
