"""What word does a job leave at its destinations, so that silence is noticed elsewhere?

A word is merged into the one before it: what a run does not know stays as it was.  One that failed never touches
``ledger``, ``event``, ``event_hash`` and ``source``: by these a lost or an older ledger is recognised.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from coldchain import __version__
from coldchain.config.values import Job
from coldchain.errors import ColdchainError, ConfigurationError, Interrupted, StoreError, UsageError
from coldchain.ledger.ledger import Ledger
from coldchain.model import State, Tally
from coldchain.monitor import Surroundings
from coldchain.operate.opening import Opened, Wish
from coldchain.steps.identify import Writer, identify_destination
from coldchain.steps.publish import leave_word
from coldchain.steps.report import Report
from coldchain.stores.base import open_store

WATCH = "watch"
"""The command of the runs of a watcher."""
GRACE = timedelta(hours=1)
"""So much later than its schedule says a run may end before it counts as late, besides what the last one took."""
_LONGEST_PROBLEM = 500


def leave_word_of_run(opened_job: Opened, ledger: Ledger, report: Report, wish: Wish) -> None:
    """Say at every destination what came of a run; what cannot be said is a note in the report."""
    number, digest = ledger.head()
    job, now = opened_job.job, report.ended or report.started
    known: dict[str, object] = {"ledger": ledger.id, "event": number, "event_hash": digest, "source": report.source}
    known |= _expectation(job, wish, report.started, now)
    for destination, aim in zip(job.destinations, opened_job.aims, strict=True):
        if not destination.marker:
            continue
        came = _came_of(report, aim.name, now, whole=not wish.datasets)
        if wish.left_out and (
            came.get("only_held") or not came.get("exit_code")
        ):  # well for those who took part, which is not the whole job
            came.pop("last_success", None)
            came |= {"exit_code": 3, "only_held": False, "problem": f"away: {', '.join(sorted(wish.left_out))}"}
        try:
            leave_word(aim.store, opened_job.writer, known | came)
        except StoreError as error:
            report.notes.append(f"{aim.name}: could not leave word of this run: {error.reason}")


def leave_word_of_trouble(
    job: Job, ledger: Ledger, wish: Wish, error: ColdchainError, started: datetime, around: Surroundings
) -> None:
    """Say at every destination that can be reached, and is the one that it was, that a run was stopped by trouble.

    Never raises.  A slip at the command line is nobody's business elsewhere.
    """
    if isinstance(error, UsageError | Interrupted):
        return
    now, writer = around.clock(), Writer(job.name, around.host)
    word = _expectation(job, wish, started, now) | {
        "started": started.isoformat(),
        "ended": now.isoformat(),
        "exit_code": error.exit_code,
        "only_held": False,
        "problem": str(error)[:_LONGEST_PROBLEM],
    }
    for destination in (one for one in job.destinations if one.marker):
        try:
            store = open_store(destination.place)
        except ColdchainError:
            continue
        try:
            identify_destination(writer, destination, store, ledger.destination(job.name, destination.name))
            leave_word(store, writer, word)
        except ColdchainError:
            continue  # silence is what tells of this one
        finally:
            store.close()


def due_after(
    job: Job, started: datetime, heard: datetime, *, watched: bool
) -> tuple[datetime | None, datetime | None]:
    """When the next run should begin, and from when on it is late; None where nobody said so.

    ``expect`` counts, then the schedule, then how often a watcher looks.
    """
    following = None
    if job.schedule:
        from coldchain.schedules.times import Timetable

        try:
            following = Timetable(job.schedule, job.timezone).after(heard)
        except ConfigurationError:
            return None, None
    elif watched:
        following = heard + job.look_every
    if job.expect is not None:
        return following, heard + job.expect
    if following is None:
        return None, None
    return following, following + max(heard - started, timedelta(0)) + (GRACE if job.schedule else job.look_every)


def _expectation(job: Job, wish: Wish, started: datetime, now: datetime) -> dict[str, object]:
    watched = wish.command == WATCH
    following, due = due_after(job, started, now, watched=watched)
    return {
        "heard": now.isoformat(),
        "coldchain": __version__,
        "command": wish.command,
        "watched": watched,
        "schedule": job.schedule,
        "timezone": job.timezone,
        "expect_s": None if job.expect is None else job.expect.total_seconds(),
        "next_run": following and following.isoformat(),
        "due": due and due.isoformat(),
    }


def _came_of(report: Report, destination: str, now: datetime, *, whole: bool) -> dict[str, object]:
    """The part of a word that is about one destination.

    A run of some datasets only makes nothing well again, and does not know what else is waiting.
    """
    tallies = {state: Tally() for state in State}
    selected, sent = Tally(), Tally()
    for dataset in report.datasets:
        lot = dataset.lots[destination]
        selected, sent = selected + dataset.selected, sent + lot.sent
        for state in State:
            tallies[state] += lot.tally(state)
    code, verified = report.exit_code, tallies[State.VERIFIED]
    only_held = code == 3 and not (report.manifests_due or report.absent) and _only_held(report)
    word: dict[str, object] = {"last_new": now.isoformat()} if sent.files else {}
    if whole or code:
        word |= {
            "run": report.run,
            "started": report.started.isoformat(),
            "ended": now.isoformat(),
            "exit_code": code,
            "only_held": only_held,
            "problem": "",
        }
    if whole:
        waiting = Tally(selected.files - verified.files, selected.size_bytes - verified.size_bytes)
        word |= {"files": selected.files, "size_bytes": selected.size_bytes, "backlog": _json(waiting)}
        word |= {state.value: _json(tallies[state]) for state in State if state is not State.VERIFIED}
        if code == 0:
            word["last_success"] = now.isoformat()
    return word


def _only_held(report: Report) -> bool:
    lots = [lot for dataset in report.datasets for name, lot in dataset.lots.items() if name in report.required]
    return not any(lot.tally(State.REFUSED).files or lot.tally(State.FAILED).files for lot in lots)


def _json(tally: Tally) -> dict[str, int]:
    return {"files": tally.files, "size_bytes": tally.size_bytes}
