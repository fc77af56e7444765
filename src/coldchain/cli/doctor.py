"""``coldchain doctor``: can this machine run it?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.jobs import chosen
from coldchain.cli.printing import name, show_json
from coldchain.cli.progress import watching

if TYPE_CHECKING:
    from coldchain.config.values import Config
    from coldchain.operate.doctor import Advice

_HELP = """Look whether this machine can run the jobs.

Looks at the configuration, the source, every destination, the clock, the room that is left and the versions.  At each
destination a small file is written, read back and removed.

\b
Example:
  coldchain doctor merscope
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", help=_HELP)(doctor)


def doctor(
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    conformance: str = typer.Option(
        "", "--conformance", metavar="URL", help="Try every verb of the store there: a URL, or a destination's name."
    ),
    notify: bool = typer.Option(False, "--notify", help="Send a test to each channel, and what waits to be sent."),
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Look at everything; 3 when something does not work."""
    if conformance:
        return _conform(conformance, config, settings)
    from coldchain.operate.doctor import examine_job, examine_machine
    from coldchain.operate.telling.trying import examine_spool

    configuration = session.load(config, settings)
    ok = _show("", _advice(True, "configuration", str(configuration.path)), as_json=as_json)
    ok &= _show("", _state(configuration), as_json=as_json)
    with watching(as_json=as_json) as monitor, session.reading(configuration) as ledger:
        around = session.surroundings(monitor)
        runs = ledger.runs(None, 1)
        ok &= _show("", _advice(True, "ledger", f"{len(ledger.runs(None, 1000)):,} runs"), as_json=as_json)
        for advice in examine_machine(runs[0].ended if runs else None, around.clock()):
            ok &= _show("", advice, as_json=as_json)
        for advice in examine_spool(ledger, around.clock()):
            ok &= _show("", advice, as_json=as_json)
        for job in chosen(configuration, jobs):
            for advice in examine_job(job, ledger, around):
                ok &= _show(job.name, advice, as_json=as_json)
    if notify:
        ok &= _try_channels(configuration, as_json=as_json)
    if not as_json:
        print("all is well: coldchain run" if ok else "something does not work yet; see the lines with NO")
    return 0 if ok else 3


def _try_channels(config: Config, *, as_json: bool) -> bool:
    """Send a test to everybody, and then whatever waits to be sent."""
    from coldchain.errors import LedgerAbsent
    from coldchain.ledger.ledger import Ledger
    from coldchain.operate.telling.trying import deliver_waiting, try_channels

    ok = True
    with watching(as_json=as_json) as monitor:
        around = session.surroundings(monitor)
        for advice in try_channels(config, around):
            ok &= _show("", advice, as_json=as_json)
        try:
            with Ledger.open(config.ledger_url, create=False, now=session.now()) as ledger:
                ok &= _show("", deliver_waiting(config, ledger, around), as_json=as_json)
        except LedgerAbsent:
            pass  # nothing ever waited
    return ok


def _conform(where: str, config: Path | None, settings: list[str]) -> int:
    """Run the contract suite, in a process of its own, against a place of the user."""
    from importlib.util import find_spec

    from coldchain.errors import ConfigurationError

    spec = find_spec("coldchain.testing")
    if find_spec("pytest") is None or spec is None or spec.origin is None:
        raise ConfigurationError("the contract suite needs pytest: pip install 'coldchain[conformance]'")
    place: dict[str, object] = {"url": where}
    if "://" not in where and not Path(where).is_dir():
        place = _of_destination(where, session.load(config, settings))
    elif "://" not in where:
        place = {"url": str(Path(where).absolute())}
    suite = Path(spec.origin).with_name("conformance.py")
    words = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider", "-p", "no:xdist"]
    words += ["--rootdir", str(suite.parent), "--import-mode", "importlib", "-ra", "--tb", "short", str(suite)]
    done = subprocess.run(words, env={**os.environ, "COLDCHAIN_CONFORMANCE": json.dumps(place)}, check=False)
    print("this place keeps the contract" if done.returncode == 0 else "this place does not keep the whole contract")
    return 0 if done.returncode == 0 else 3


def _of_destination(wanted: str, config: Config) -> dict[str, object]:
    from coldchain.errors import UsageError

    for job in config.jobs.values():
        for destination in job.destinations:
            if destination.name == wanted:
                return {"url": destination.place.url, "options": dict(destination.place.options)}
    raise UsageError(f"{wanted}: is neither a URL, nor a folder, nor the name of a destination")


def _state(config: Config) -> Advice:
    """Whether the folder of the ledger, the locks and the logs can be written."""
    there = next((folder for folder in (config.state, *config.state.parents) if folder.exists()), config.state)
    for place in (there, there / "ledger.sqlite", there / "locks", there / "logs"):
        if place.exists() and not os.access(place, os.W_OK):
            return _advice(False, "state", f"{place} cannot be written by this account; give it the right to")
    return _advice(True, "state", f"{config.state}{'' if config.state.exists() else ' (made by the first run)'}")


def _advice(ok: bool, what: str, said: str) -> Advice:
    from coldchain.operate.doctor import Advice

    return Advice(ok, what, said)


def _show(job: str, advice: Advice, *, as_json: bool) -> bool:
    if as_json:
        values = {"job": job or None, "ok": advice.ok, "what": advice.what, "said": advice.said}
        show_json({"format": "coldchain-advice", "version": 1, **values})
    else:
        word = {True: "ok  ", None: "look", False: "NO  "}[advice.ok]
        print(f"{word}  {f'{job}: ' if job else ''}{advice.what}: {name(advice.said)}")
    return advice.ok is not False
