"""What follows a run, whatever came of it?"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from coldchain.config.values import Config, Job
from coldchain.errors import ColdchainError
from coldchain.ledger.ledger import Ledger
from coldchain.model import Tally
from coldchain.monitor import Surroundings
from coldchain.operate.job import run_job
from coldchain.operate.opening import Wish
from coldchain.operate.telling.ping import ping
from coldchain.operate.telling.recounting import held
from coldchain.operate.telling.tell import tell
from coldchain.steps.report import Report

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: with a report, or with what stopped it."""

    job: Job
    command: str
    started: datetime
    ended: datetime
    report: Report | None = None
    error: ColdchainError | None = None
    before: Mapping[str, Tally] | None = None
    """What each side held before the run, by a fresh listing; only where a channel wants that."""
    watched: bool = False
    """Whether this was one of the many looks of a watcher; nobody wants to hear of each."""
    sends: bool = True
    """Whether messages are sent at once; else whoever asked for the run takes them from the spool."""

    @property
    def exit_code(self) -> int:
        """That of the run."""
        if self.error is not None:
            return self.error.exit_code
        return self.report.exit_code if self.report is not None else 0


def run_and_tell(
    config: Config, job: Job, ledger: Ledger, wish: Wish, around: Surroundings, *, watched: bool = False
) -> Report:
    """Run a job, and let those know who want to; what becomes of that never changes the result (P13).

    Messages of a ``watched`` run wait in the spool: its watcher carries on while they are sent.
    """
    started = around.clock()
    recount = not watched and any(channel.recount for channel in job.notify)
    before = held(job) if recount else None
    try:
        report = run_job(job, ledger, wish, around)
    except ColdchainError as error:
        ending = Ending(job, wish.command, started, around.clock(), error=error, watched=watched, sends=not watched)
        _follow(config, ending, ledger, around)
        raise
    ending = Ending(
        job, wish.command, started, around.clock(), report, before=before, watched=watched, sends=not watched
    )
    _follow(config, ending, ledger, around)
    return report


def tell_of_no_run(config: Config, job: Job, wish: Wish, error: ColdchainError, around: Surroundings) -> None:
    """Let those know who want to that a run could not even begin, for want of a ledger: nothing of it is remembered."""
    now = around.clock()
    with Ledger.empty(now) as ledger:
        _follow(config, Ending(job, wish.command, now, now, error=error), ledger, around)


def _follow(config: Config, ending: Ending, ledger: Ledger, around: Surroundings) -> None:
    for follow in (tell, ping):
        try:
            follow(config, ending, ledger, around)
        except Exception as error:
            _log.warning("after the run of %s", ending.job.name, exc_info=True)
            around.monitor.note(
                f"what should follow the run went wrong ({type(error).__name__}); the run itself did not"
            )
