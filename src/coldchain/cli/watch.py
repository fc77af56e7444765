"""``coldchain watch``: carry files as they settle, until somebody says stop."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Thread
from typing import IO, TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.agent_log import said_into
from coldchain.cli.jobs import chosen
from coldchain.cli.printing import name, plain, tally
from coldchain.cli.progress import Watcher
from coldchain.cli.stopping import STOPPING

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job
    from coldchain.ledger.ledger import Ledger
    from coldchain.monitor import Surroundings
    from coldchain.operate.opening import Wish
    from coldchain.steps.report import Report

_HELP = """Carry files as they settle, until you press Ctrl-C.

What is there is carried first.  Then the file system says what changed, or a look every now and then where it cannot;
everything is looked at once an hour in any case.  coldchain start does the same in the background.

\b
Example:
  coldchain watch merscope
"""
_WAIT_S = 0.3


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("watch", help=_HELP)(watch)


def watch(
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    scheduled: bool = typer.Option(False, "--scheduled", help="Jobs with a schedule run at their times only."),
    workers: int = session.WORKERS,
    settings: list[str] = session.SET,
    log: Path | None = typer.Option(
        None, "--log", metavar="FILE", help="Say everything into this file; old ones are kept as [logs] says."
    ),
) -> int:
    """Watch one job in this process, several in one process each."""
    configuration = session.load(config, settings)
    wanted = chosen(configuration, jobs)
    with said_into(log, configuration.logs) if log else nullcontext():
        return _watch(configuration, wanted, settings, workers, scheduled=scheduled)


def _watch(configuration: Config, wanted: list[Job], settings: list[str], workers: int, *, scheduled: bool) -> int:
    if len(wanted) == 1:
        return _watch_one(configuration, wanted[0], workers, scheduled=scheduled)
    words = command(configuration, settings, workers, scheduled=scheduled)
    children = [_Child(job.name, [*words, job.name]) for job in wanted]
    return _wait_for(children)


def command(config: Config, settings: list[str], workers: int, *, scheduled: bool) -> list[str]:
    """The words that watch a job in a process of its own, but for its name."""
    words = [sys.executable, "-m", "coldchain", "watch", "--config", str(config.path), "--workers", str(workers)]
    words += [word for setting in settings for word in ("--set", setting)]
    return [*words, "--scheduled"] if scheduled else words


# --- one job ----------------------------------------------------------------------------------------------------------


def _watch_one(config: Config, job: Job, workers: int, *, scheduled: bool) -> int:
    from coldchain.operate.watching.agent import agent_lock, forget_state
    from coldchain.operate.watching.polite import step_back
    from coldchain.operate.watching.presence import Presence
    from coldchain.operate.watching.watch import Means, Watch

    folder = config.state / "agents"

    def give_up() -> None:
        forget_state(folder, job.name)
        os._exit(130)

    with agent_lock(folder, job.name):
        if job.priority != "normal":
            step_back()
        around = session.surroundings(Watcher(None), workers)
        with Presence(folder, job.name, around, STOPPING.is_set, give_up) as presence:
            listening = session.surroundings(presence, workers)

            def carry(ledger: Ledger, job: Job, wish: Wish, told: bool) -> Report:
                return _carry(config, ledger, (job, wish), presence, workers=workers, told=told)

            def post() -> None:
                _post(config, listening)

            means = Means(lambda: session.writing(config, job.name), carry, post, scheduled)
            print(f"{job.name}: watching {plain(job.source.url)}", flush=True)
            Watch(job, presence, means, listening).run()
        forget_state(folder, job.name)
    print(f"{job.name}: stopped", flush=True)
    return 0


def _carry(
    config: Config, ledger: Ledger, asked: tuple[Job, Wish], monitor: object, *, workers: int, told: bool
) -> Report:
    """One run; people are not told of one that leaves a destination out, for to them all would seem well."""
    from typing import cast

    from coldchain.cli.logs import logged
    from coldchain.monitor import Monitor
    from coldchain.operate.ending import run_and_tell
    from coldchain.operate.job import run_job

    job, wish = asked
    with logged(config, job, ledger, cast("Monitor", monitor)) as listening:
        around = session.surroundings(listening, workers, session.begun_of(config, job))
        if told:
            report = run_and_tell(config, job, ledger, wish, around, watched=True)
        else:
            report = run_job(job, ledger, wish, around)
    _show(report)
    return report


def _post(config: Config, around: Surroundings) -> None:
    """Send what is due; every watcher may, for each message is claimed before it is sent."""
    if not config.channels:
        return
    from coldchain.ledger.ledger import Ledger
    from coldchain.operate.telling.digest import send_due

    with Ledger.open(config.ledger_url, now=session.now()) as ledger:
        send_due(config, ledger, around)


def _show(report: Report) -> None:
    """One line for each dataset of which something was carried."""
    for dataset in report.datasets:
        for destination, lot in dataset.lots.items():
            if lot.sent.files:
                print(f"{report.job}: {name(dataset.name)}: {tally(lot.sent)} verified at {destination}", flush=True)


# --- several jobs -----------------------------------------------------------------------------------------------------


class _Child:
    """One watcher, whose lines are passed on with its name before them."""

    def __init__(self, job: str, words: list[str]) -> None:
        self._job = job
        # -m needs no search of its own: this very interpreter runs this very package
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        self._thread = Thread(target=self._pass_on, args=(self.process.stdout,), daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, None while it runs."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        self._thread.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def _pass_on(self, lines: IO[bytes]) -> None:
        for line in lines:
            text = line.decode("utf-8", "backslashreplace").rstrip("\n")
            if text:
                with suppress(OSError):
                    print(f"[{self._job}] {text}", flush=True)


def _wait_for(children: list[_Child]) -> int:
    codes: dict[int, int] = {}
    asked = False
    while len(codes) < len(children):
        if STOPPING.is_set() and not asked:
            asked = True
            for child in children:
                if child.process.poll() is None:
                    child.process.terminate()
        for number, child in enumerate(children):
            if number not in codes and (code := child.wait(_WAIT_S)) is not None:
                codes[number] = code
    return max(codes.values(), default=0)
