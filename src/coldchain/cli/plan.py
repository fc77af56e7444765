"""``coldchain plan``: what a run would do, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.jobs import chosen, each, narrowed
from coldchain.cli.printing import name, show_json, size, tally
from coldchain.cli.progress import watching

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job
    from coldchain.ledger.ledger import Ledger
    from coldchain.model import Action, Entry, Target
    from coldchain.monitor import Surroundings
    from coldchain.operate.opening import Opened, Wish
    from coldchain.steps.draft import Draft

_HELP = """Say what a run would do with each file, and why.

Writes nothing anywhere.  Ends with 0 also when there is something to do.

\b
Example:
  coldchain plan merscope --short
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan", help=_HELP)(plan)


def plan(
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    dataset: str = typer.Option("", "--dataset", "-d", metavar="NAME", help="Only this dataset."),
    only: list[str] = typer.Option([], "--only", metavar="DESTINATION", help="Only these destinations."),
    short: bool = typer.Option(False, "--short", help="Only the counts."),
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Plan, and print."""
    from coldchain.operate.opening import Wish

    configuration = session.load(config, settings)
    wanted = narrowed(chosen(configuration, jobs), only)
    return show_plans(
        configuration, wanted, Wish(datasets=session.only(dataset), command="plan"), as_json=as_json, short=short
    )


def show_plans(config: Config, jobs: list[Job], wish: Wish, *, as_json: bool, short: bool) -> int:
    """Print the plans of several jobs; 0 also when there is something to do, for a plan is not a failure."""
    from coldchain.operate.opening import opened
    from coldchain.operate.planning import make_draft

    def plan_one(job: Job) -> int:
        with watching(as_json=as_json) as monitor, session.reading(config) as ledger:
            around = session.surroundings(monitor, begun=session.begun_of(config, job))
            with opened(job, ledger, wish, around) as opened_job:
                for sentence in opened_job.absent:
                    around.monitor.note(sentence)
                draft = make_draft(opened_job, _learnt(opened_job, ledger, around), wish, around)
        try:
            if as_json:
                _show_json(job, draft, short=short)
            else:
                _show(job, draft, short=short)
        finally:
            draft.close()
        return 0

    return each(jobs, plan_one, as_json=as_json)


def _learnt(opened_job: Opened, ledger: Ledger, around: Surroundings) -> Ledger:
    """Where the ledger knows nothing of the job, look at the manifests as the run will do; into a ledger in memory."""
    from coldchain.ledger.ledger import Ledger
    from coldchain.operate.opening import recollect_all, remember

    job = opened_job.job.name
    if not ledger.in_memory:
        if ledger.tallies(job) or not (ledger.unfinished(job) or not ledger.datasets(job)):
            return ledger
        known = {d: ledger.destination(job, d.name) for d in opened_job.job.destinations}
        ledger = Ledger.empty(around.clock())
        for destination, identity in known.items():
            if identity is not None:
                ledger.see_destination(job, destination.name, destination.place.url, identity, around.clock())
    remember(opened_job.job, ledger, around, opened_job)
    run = ledger.begin_run(job, "plan", around.clock())
    for sentence in recollect_all(opened_job, ledger, run, around):
        around.monitor.note(sentence)
    return ledger


def _show_json(job: Job, draft: Draft, *, short: bool) -> None:
    from coldchain.steps.report import condition_json

    for planned, action in () if short else draft.actions():
        said = {"job": job.name, "dataset": planned.dataset.name, **_json(action)}
        show_json({"format": "coldchain-action", "version": 1, **said})
    show_json(
        {
            "format": "coldchain-plan",
            "version": 1,
            "job": job.name,
            "files": draft.selected.files,
            "size_bytes": draft.selected.size_bytes,
            "to_read": {"files": draft.to_read.files, "size_bytes": draft.to_read.size_bytes},
            "datasets": [
                {"dataset": planned.dataset.name, **condition_json(planned.judged.verdict)}
                for planned in draft.datasets
            ],
            "absent": draft.absent,
        }
    )


def _show(job: Job, draft: Draft, *, short: bool) -> None:
    from coldchain.verdict import Condition

    counts = {name: {"send": 0, "hold": 0, "refuse": 0} for name in draft.destinations}
    for planned, action in draft.actions():
        for destination, what in _counted(action, draft.destinations):
            counts[destination][what] += 1
        for line in () if short else _lines(action):
            print(f"{job.name}  {name(planned.dataset.name)}  {line}")
    for planned in draft.datasets:
        verdict = planned.judged.verdict
        if verdict.condition is not Condition.UNKNOWN:
            print(f"{job.name}  {name(planned.dataset.name)}  {verdict.condition}: {name(verdict.summary)}")
    for absent in draft.absent:
        print(f"{job.name}  {name(absent)}  is not at the source")
    print(f"{job.name}: {tally(draft.selected)} selected; {tally(draft.to_read)} to read")
    for destination, count in counts.items():
        kept = sum(dataset.kept[destination].files for dataset in draft.datasets)
        told = "  ".join(f"{what} {number:,}" for what, number in count.items() if number)
        print(f"  {destination:<10} verified already {kept:,}  {told}".rstrip())


def _counted(action: Action, destinations: tuple[str, ...]) -> list[tuple[str, str]]:
    """The destinations that an action concerns, and what happens there."""
    from coldchain.model import Hold, Refuse, Send

    match action:
        case Send(_, targets):
            return [(target.destination, "send") for target in targets]
        case Hold(_, _, names):
            return [(destination, "hold") for destination in names]
        case Refuse(destination=destination):
            return [(one, "refuse") for one in ((destination,) if destination else destinations)]
    return []


def _lines(action: Action) -> list[str]:
    from coldchain.model import Hold, Refuse, Send

    match action:
        case Send(entry, targets):
            return [_sent(entry, target) for target in targets]
        case Hold(entry, reason):
            return [f"{'hold':<8} {name(entry.path)}: {name(reason)}"]
        case Refuse(path, _, reason, destination):
            where = f" -> {destination}" if destination else ""
            return [f"{'refuse':<8} {name(path)}{where}: {name(reason)}"]
    return []


def _sent(entry: Entry, target: Target) -> str:
    """One file to one destination; its name there, and the reason, where they say something new."""
    key = "" if target.key == entry.path else f":{name(target.key)}"
    why = "" if target.reason == target.manner else f": {name(target.reason)}"
    return f"{target.manner:<8} {name(entry.path)} ({size(entry.size_bytes)}) -> {target.destination}{key}{why}"


def _json(action: Action) -> dict[str, object]:
    from coldchain.model import Hold, Refuse, Send

    match action:
        case Send(entry, targets):
            listed = [
                {"destination": t.destination, "key": t.key, "manner": t.manner.value, "reason": t.reason}
                for t in targets
            ]
            return {"action": "send", "path": entry.path, "size_bytes": entry.size_bytes, "targets": listed}
        case Hold(entry, reason, destinations):
            return {"action": "hold", "path": entry.path, "reason": reason, "destinations": list(destinations)}
        case Refuse(path, _, reason, destination):
            return {"action": "refuse", "path": path, "reason": reason, "destination": destination or None}
    raise AssertionError(action)
