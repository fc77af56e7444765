"""``coldchain plan``: what a run would do, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.printing import complain, files, name, show_json, size, tally
from coldchain.cli.progress import watching

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job
    from coldchain.ledger.ledger import Ledger
    from coldchain.model import Action
    from coldchain.monitor import Surroundings
    from coldchain.operate.job import Opened, Wish
    from coldchain.steps.draft import Draft

_HELP = """Say what a run would do with each file, and why; writes nothing anywhere.

Example: coldchain plan merscope
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan", help=_HELP)(plan)


def plan(
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    dataset: str = typer.Option("", "--dataset", "-d", metavar="NAME", help="Only this dataset."),
    short: bool = typer.Option(False, "--short", help="Only the counts."),
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Plan, and print."""
    from coldchain.operate.job import Wish

    configuration = session.load(config, settings)
    wish = Wish(dataset=dataset, command="plan")
    return show_plans(configuration, session.chosen(configuration, jobs), wish, as_json=as_json, every_file=not short)


def show_plans(config: Config, jobs: list[Job], wish: Wish, *, as_json: bool, every_file: bool) -> int:
    """Print the plans of several jobs; 0 also when there is something to do, for a plan is not a failure."""
    from coldchain.errors import ColdchainError
    from coldchain.operate.job import make_draft, opened

    code = 0
    for job in jobs:
        try:
            with watching(as_json=as_json) as monitor, session.reading(config) as ledger:
                around = session.surroundings(monitor)
                with opened(job, ledger, wish, around) as opened_job:
                    _learn(opened_job, ledger, around)
                    draft = make_draft(opened_job, ledger, wish, around)
            _show(job, draft, as_json=as_json, every_file=every_file)
            draft.close()
        except ColdchainError as error:
            complain(str(error))
            code = code or error.exit_code
    return code


def _learn(opened_job: Opened, ledger: Ledger, around: Surroundings) -> None:
    """Where there is no ledger yet, look at the manifests, as the run will do; into a ledger in memory."""
    from coldchain.operate.job import recollect_all, remember

    if not ledger.in_memory:
        return
    remember(opened_job.job, ledger, around, opened_job)
    run = ledger.begin_run(opened_job.job.name, "plan", around.clock())
    for sentence in recollect_all(opened_job, ledger, run, around):
        around.monitor.note(sentence)


def _show(job: Job, draft: Draft, *, as_json: bool, every_file: bool) -> None:
    for planned, action in draft.actions() if every_file or as_json else ():
        if as_json:
            show_json({"format": "coldchain-action", "version": 1, "job": job.name, **_json(action)})
        else:
            for line in _lines(action):
                print(f"{job.name}  {name(planned.dataset.name)}  {line}")
    if as_json:
        show_json(
            {
                "format": "coldchain-plan",
                "version": 1,
                "job": job.name,
                "files": draft.selected.files,
                "size_bytes": draft.selected.size_bytes,
                "to_read": {"files": draft.to_read.files, "size_bytes": draft.to_read.size_bytes},
            }
        )
        return
    kept = {n: sum(d.kept[n].files for d in draft.datasets) for n in draft.destinations}
    print(f"{job.name}: {tally(draft.selected)} selected; {tally(draft.to_read)} to read")
    for destination, number in kept.items():
        print(f"  {destination:<10} {files(number)} verified already")


def _lines(action: Action) -> list[str]:
    from coldchain.model import Hold, Refuse, Send

    match action:
        case Send(entry, targets):
            what = f"{name(entry.path)} ({size(entry.size_bytes)})"
            return [f"{t.manner:<8} {what} -> {t.destination}:{name(t.key)}: {t.reason}" for t in targets]
        case Hold(entry, reason):
            return [f"{'hold':<8} {name(entry.path)}: {name(reason)}"]
        case Refuse(path, _, reason, destination):
            where = f" -> {destination}" if destination else ""
            return [f"{'refuse':<8} {name(path)}{where}: {name(reason)}"]
    return []


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
