"""What do those who draw graphs and ring bells want to know of the jobs of one configuration?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from coldchain.config.values import Config, Job
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.messages import Fate
from coldchain.ledger.runs import RunRow
from coldchain.model import State, Tally
from coldchain.operate.fleet.heartbeat import due_after
from coldchain.operate.watching.agent import is_alive, read_states

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_RUNS_ASKED = 100
_SCRAPE = timedelta(seconds=5)

Count = tuple[str, Tally]


@dataclass(frozen=True, slots=True)
class JobState:
    """One job, as ledger and watchers tell of it.  No names of files or datasets: they would fill every database."""

    job: str
    last: RunRow | None
    """The last run that came to its end."""
    last_success: datetime | None
    """Within the last hundred runs."""
    late_since: datetime | None
    """Since when it should have run again; None when it is in time, or nobody said when it should."""
    started: bool
    """Whether a watcher was started, and was not asked to stop."""
    alive: bool
    states: Mapping[str, Mapping[State, Tally]]
    """By destination: the files of the last run."""
    backlog: Mapping[str, Tally]
    oldest_proof: Mapping[str, datetime]

    @property
    def dead(self) -> bool:
        """A watcher was started, and is gone without having been asked to."""
        return self.started and not self.alive


def job_states(config: Config, jobs: Iterable[Job], ledger: Ledger, now: datetime) -> Iterator[JobState]:
    """Look at each job."""
    folder = config.state / "agents"
    watchers = {state.job: state for state in read_states(folder)}
    for job in jobs:
        runs = [row for row in ledger.runs(job.name, _RUNS_ASKED) if row.command not in {"check", "rebuild"}]
        last = next((row for row in runs if row.ended is not None), None)
        success = next((row.ended for row in runs if row.exit_code == 0), None)
        states = dict(_states(last))
        watched = job.name in watchers
        yield JobState(
            job.name,
            last,
            success,
            _late(job, last, now, watched=watched),
            watched,
            is_alive(folder, job.name),
            states,
            {name: _waiting(lots) for name, lots in states.items()},
            _oldest(ledger, job.name),
        )


def troubles(states: Iterable[JobState]) -> list[str]:
    """Why it is not well: a sentence for each job whose watcher is dead, or which is late."""
    said = []
    for state in states:
        if state.dead:
            said.append(f"{state.job}: its watcher was started and is dead")
        if state.late_since is not None:
            said.append(f"{state.job}: late since {state.late_since:%Y-%m-%d %H:%M} UTC")
    return said


def metrics_text(states: Iterable[JobState], ledger: Ledger) -> bytes:
    """The text format 0.0.4 of Prometheus (prometheus.io/docs/instrumenting/exposition_formats)."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    gauges = _Gauges(registry)
    for state in states:
        _tell(gauges, state)
    for fate in Fate:
        gauges.set("messages", "Messages by what became of them.", ledger.count_messages(fate), fate=fate.value)
    return generate_latest(registry)


def _tell(gauges: _Gauges, state: JobState) -> None:
    job, last = state.job, state.last
    gauges.set("agent_started", "1 when a watcher was started and not stopped.", state.started, job=job)
    gauges.set("agent_up", "1 when a watcher of the job is alive.", state.alive, job=job)
    gauges.set("job_late", "1 when it should have run and did not.", state.late_since is not None, job=job)
    if state.last_success is not None:
        seconds = state.last_success.timestamp()
        gauges.set("last_success_timestamp_seconds", "End of the last run that ended with 0.", seconds, job=job)
    for name, oldest in state.oldest_proof.items():
        what = "When the copy was proved that was not proved again for longest."
        gauges.set("oldest_proof_timestamp_seconds", what, oldest.timestamp(), job=job, destination=name)
    if last is None or last.ended is None:
        return
    gauges.set("last_run_timestamp_seconds", "End of the last run.", last.ended.timestamp(), job=job)
    gauges.set("last_run_exit_code", "Its exit code.", last.exit_code or 0, job=job)
    took = last.summary.get("duration_s")
    gauges.set("last_run_duration_seconds", "How long it took.", took if isinstance(took, int | float) else 0, job=job)
    for name, lots in state.states.items():
        for kind, tally in lots.items():
            labels = {"job": job, "destination": name, "state": kind.value}
            gauges.set("last_run_files", "Files of the last run, by state.", tally.files, **labels)
            gauges.set("last_run_bytes", "Bytes of the last run, by state.", tally.size_bytes, **labels)
    for name, tally in state.backlog.items():
        labels = {"job": job, "destination": name}
        gauges.set("backlog_files", "Files that are selected and not verified there.", tally.files, **labels)
        gauges.set("backlog_bytes", "Bytes of these.", tally.size_bytes, **labels)


class _Gauges:
    """Makes each gauge when it is first set; all begin with ``coldchain_``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._known: dict[str, Any] = {}

    def set(self, name: str, what: str, value: float, **labels: str) -> None:
        from prometheus_client import Gauge

        if name not in self._known:
            self._known[name] = Gauge(f"coldchain_{name}", what, list(labels), registry=self._registry)
        self._known[name].labels(**labels).set(float(value))


def _states(last: RunRow | None) -> Iterator[tuple[str, Mapping[State, Tally]]]:
    """By destination, the files of a run; a summary that cannot be made out has none."""
    sums: dict[str, dict[State, Tally]] = {}
    datasets = last.summary.get("datasets") if last is not None else None
    for dataset in datasets if isinstance(datasets, list) else ():
        for name, lot in dataset["destinations"].items():
            counted = sums.setdefault(name, dict.fromkeys(State, Tally()))
            for state in State:
                counted[state] += Tally(lot[state.value]["files"], lot[state.value]["size_bytes"])
    yield from sums.items()


def _waiting(lots: Mapping[State, Tally]) -> Tally:
    return sum((tally for state, tally in lots.items() if state is not State.VERIFIED), Tally())


def _oldest(ledger: Ledger, job: str) -> dict[str, datetime]:
    oldest: dict[str, datetime] = {}
    for row in ledger.tallies(job):
        oldest[row.destination] = min(row.oldest_proof, oldest.get(row.destination, row.oldest_proof))
    return oldest


def _late(job: Job, last: RunRow | None, now: datetime, *, watched: bool) -> datetime | None:
    if last is None or last.ended is None:
        return None
    _, due = due_after(job, last.started, last.ended, watched=watched)
    return due if due is not None and now > due else None
