"""``coldchain init``: write a configuration, and mark the destinations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.jobs import chosen, each
from coldchain.cli.printing import plain, size
from coldchain.cli.progress import watching
from coldchain.errors import UsageError

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job

_HELP = """Write a configuration, or mark the destinations.

Where there is no coldchain.toml, a commented one is written.  Where there is one, the destinations of its jobs are
marked by .coldchain/destination.json: a place without it is never written to, so that an unmounted disk is not
mistaken for an empty one.

\b
Example:
  coldchain init files --source /data/run --destination /mnt/archive
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init", help=_HELP)(init)


def init(
    names: list[str] = typer.Argument(
        None, metavar="INSTRUMENT|JOB", help="An instrument for a new configuration, or jobs of the one there."
    ),
    config: Path | None = session.CONFIG,
    source: str = typer.Option("", "--source", metavar="FOLDER", help="Where the instrument writes."),
    destination: str = typer.Option("", "--destination", metavar="FOLDER", help="Where its files shall go."),
    settings: list[str] = session.SET,
) -> int:
    """Write the configuration when there is none, else mark."""
    file = config or Path(os.environ.get("COLDCHAIN_CONFIG") or "coldchain.toml")
    if not file.exists() and not config_elsewhere(config):
        if len(names or ()) > 1:
            raise UsageError(f"there is no {file} yet, so name one instrument, not {', '.join(names)}")
        return _write(file, names[0] if names else _suggested(source), source, destination)
    if source or destination:
        raise UsageError(f"{file} is there already and stays as it is; write --source and --destination into it")
    return _mark(session.load(config, settings), names)


def config_elsewhere(config: Path | None) -> bool:
    """Whether a configuration is found in one of the usual places."""
    from coldchain.config.read import find_config
    from coldchain.errors import ConfigurationError

    if config is not None:
        return config.exists()
    try:
        find_config(None, os.environ, Path.cwd())
    except ConfigurationError:
        return False
    return True


def _suggested(source: str) -> str:
    """The instrument that the folder looks like; anything, when none is recognised or no folder is named."""
    from coldchain.model import Place
    from coldchain.operate.examine import fits
    from coldchain.stores.base import open_store

    if not source or not Path(source).is_dir():
        return "files"
    store = open_store(Place("source", str(Path(source).absolute())))
    try:
        found, looked_at = fits(store)
    finally:
        store.close()
    if not found:
        return "files"
    best = found[0]
    print(
        f"{plain(source)} looks like {best.instrument} ({best.recognised:,} of {looked_at:,} names: {plain(best.why)})"
    )
    return best.instrument


def _write(file: Path, instrument: str, source: str, destination: str) -> int:
    from coldchain.config.template import render_template
    from coldchain.errors import ConfigurationError
    from coldchain.instruments.base import open_instrument

    open_instrument(instrument)
    text = render_template(
        instrument, source=source or "/path/of/the/instrument", destination=destination or "/path/of/the/archive"
    )
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from error
    if source and destination:
        print(f"wrote {file}")
        return _mark(session.load(file, []), [])
    print(f"wrote {file}: fill in source and destination, then: coldchain init")
    return 0


def _mark(config: Config, names: list[str] | None) -> int:
    from coldchain.operate.opening import Wish, admit_all
    from coldchain.steps.identify import Consent
    from coldchain.stores.base import open_store

    wish = Wish(Consent(init=True))

    def mark_one(job: Job) -> int:
        with watching(as_json=False) as monitor, session.writing(config, job.name) as ledger:
            around = session.surroundings(monitor)
            new = set()
            for destination in admit_all(job, ledger, wish, around):
                new.add(destination.name)
                free = open_store(destination.place).free_bytes()
                room = f", {size(free)} free" if free is not None else ""
                print(f"{job.name}: {destination.name} is ready at {plain(destination.place.url)}{room}")
            for destination in job.destinations:
                if destination.name not in new:
                    print(f"{job.name}: {destination.name} was marked before")
        return 0

    code = each(chosen(config, names), mark_one, as_json=False)
    if code == 0:
        print("next: coldchain doctor, then coldchain run")
    return code
