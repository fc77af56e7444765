"""``coldchain metrics``: what do those who draw graphs and ring bells read?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.jobs import chosen
from coldchain.errors import UsageError

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job

_HELP = """Print the state of the jobs for Prometheus, or serve it.

With --listen it answers /metrics and /healthz until it is stopped; the latter with 503 when a watcher is dead or a job
is late.

\b
Examples:
  coldchain metrics > /var/lib/node_exporter/coldchain.prom
  coldchain metrics --listen 127.0.0.1:9464
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("metrics", help=_HELP)(metrics)


def metrics(
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    listen: str = typer.Option("", "--listen", metavar="HOST:PORT", help="Answer there, until stopped."),
    public: bool = typer.Option(False, "--public", help="HOST may be an address that others can reach."),
    while_started: bool = typer.Option(False, "--while-started", help="Only while a job is started (coldchain start)."),
    settings: list[str] = session.SET,
) -> int:
    """Print, or listen."""
    configuration = session.load(config, settings)
    wanted = chosen(configuration, jobs)
    if listen:
        from coldchain.cli.metrics_listen import serve

        return serve(configuration, wanted, listen, public=public, while_started=while_started)
    if public or while_started:
        raise UsageError("--public and --while-started say something about --listen, which is missing")
    sys.stdout.write(page(configuration, wanted).decode())
    return 0


def page(config: Config, jobs: list[Job]) -> bytes:
    """The metrics of now."""
    from coldchain.operate.fleet.metrics import job_states, metrics_text

    with session.reading(config) as ledger:
        return metrics_text(job_states(config, jobs, ledger, session.now()), ledger)


def health(config: Config, jobs: list[Job]) -> list[str]:
    """What is not well, now."""
    from coldchain.operate.fleet.metrics import job_states, troubles

    with session.reading(config) as ledger:
        return troubles(job_states(config, jobs, ledger, session.now()))
