"""Which configuration and ledger does a command work with?"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job
    from coldchain.ledger.ledger import Ledger
    from coldchain.monitor import Monitor, Surroundings

CONFIG = typer.Option(None, "--config", "-c", metavar="FILE", help="The configuration (else ./coldchain.toml).")
SET = typer.Option([], "--set", metavar="KEY=VALUE", help="Another value for this once: jobs.NAME.settle='0 s'.")
JOBS = typer.Argument(None, metavar="JOB", help="Which jobs; all, when none is named.")
JOB = typer.Argument(None, metavar="JOB", help="Which job; may be left out when there is one.")
JSON = typer.Option(False, "--json", help="One JSON object a line, in a documented form, instead of text.")
WORKERS = typer.Option(2, "--workers", "-w", min=1, max=64, help="Batches that are carried at once.")


def load(config: Path | None, settings: list[str]) -> Config:
    """Find and read the configuration."""
    from coldchain.config.read import find_config, read_config

    return read_config(find_config(config, os.environ, Path.cwd()), os.environ, settings)


def only(dataset: str) -> frozenset[str]:
    """The datasets that ``--dataset`` limits a command to; none for all."""
    return frozenset({dataset}) if dataset else frozenset()


def now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


def surroundings(monitor: Monitor, workers: int = 2, begun: Path | None = None) -> Surroundings:
    """What a run is told of the world; see ``begun_of``."""
    from coldchain.monitor import Surroundings

    return Surroundings(platform.node() or "unknown", now, monitor, workers, begun)


def begun_of(config: Config, job: Job) -> Path:
    """Where the runs of a job write down what they are about to publish."""
    folder: Path = config.state / "begun" / job.name
    return folder


@contextmanager
def writing(config: Config, job: str) -> Iterator[Ledger]:
    """The ledger, for a command that writes it; holds the job's lock for as long."""
    from coldchain.ledger.ledger import Ledger

    with Ledger.open(config.ledger_url, now=now()) as ledger, ledger.lock_job(job, config.state / "locks"):
        yield ledger


@contextmanager
def reading(config: Config) -> Iterator[Ledger]:
    """The ledger, for a command that only looks; an empty one when there is none yet."""
    from coldchain.errors import LedgerAbsent
    from coldchain.ledger.ledger import Ledger

    try:
        ledger = Ledger.open_read_only(config.ledger_url)
    except LedgerAbsent:
        ledger = Ledger.empty(now())
    with ledger:
        yield ledger
