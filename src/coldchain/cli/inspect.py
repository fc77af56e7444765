"""``coldchain inspect``: what would coldchain make of this folder?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.printing import name, show_json, tally

if TYPE_CHECKING:
    from coldchain.model import Place
    from coldchain.operate.examine import Examined, Fit

_HELP = """Say what coldchain would make of a folder.

Which instrument fits, and why; its datasets, whether each is whole, and what is missing.  Writes nothing, and needs
no configuration.

\b
Example:
  coldchain inspect /data/ifcb
"""

_SHOWN = 10


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("inspect", help=_HELP)(inspect)


def inspect(
    path: str = typer.Argument(..., metavar="PATH", help="The folder that an instrument writes to."),
    instrument: str = typer.Option("", "--instrument", "-i", metavar="NAME", help="Take it for this one."),
    datasets: str = typer.Option("", "--datasets", metavar="WORD", help="What one dataset is, as in a job."),
    personal: bool = typer.Option(False, "--personal", help="Also the fields that concern people."),
    long: bool = typer.Option(False, "--long", "-l", help="Also everything that is missing, and the catalogue."),
    as_json: bool = session.JSON,
) -> int:
    """Look, and print."""
    from coldchain.config.values import Job
    from coldchain.instruments.base import open_instrument
    from coldchain.operate.examine import examine, fits
    from coldchain.stores.base import open_store

    place = _place(path)
    source = open_store(place)
    try:
        found, looked_at = fits(source)
        best = instrument or (found[0].instrument if found else "files")
        chosen = open_instrument(best)
        if as_json:
            show_json(_fits_json(place.url, best, found, looked_at))
        else:
            _show_fits(place.url, best, found, looked_at)
        job = Job("inspect", place, (), instrument=best, datasets=datasets, personal=personal)
        for examined in examine(chosen, source, job, session.now()):
            if as_json:
                show_json(_json(examined))
            elif examined.tally.files or examined.oddities:
                _show(examined, long=long)
    finally:
        source.close()
    if not as_json:
        print(f"next: coldchain init {best} --source {name(path)} --destination FOLDER")
    return 0


def _place(path: str) -> Place:
    from coldchain.errors import UsageError
    from coldchain.model import Place

    if "://" in path:
        return Place("source", path)
    folder = Path(path).absolute()
    if not folder.is_dir():
        what = "is a file; inspect the folder that it lies in" if folder.exists() else "is not there"
        raise UsageError(f"{path} {what}")
    return Place("source", str(folder))


def _show_fits(url: str, best: str, found: list[Fit], looked_at: int) -> None:
    if not found:
        print(f"{name(url)}: no instrument is recognised by {looked_at:,} names; taken as {best}")
    for fit in found:
        word = "looks like" if fit.instrument == best else "also has something of"
        print(f"{name(url)}: {word} {fit.instrument} ({fit.recognised:,} of {looked_at:,} names: {name(fit.why)})")


def _show(examined: Examined, *, long: bool) -> None:
    verdict = examined.verdict
    said = f"{verdict.condition:<10} {name(verdict.summary)}".rstrip()
    print(f"  {name(examined.dataset.name):<40} {tally(examined.tally):<24} {said}")
    lines = [f"missing   {name(one)}" for one in verdict.missing]
    lines += [f"not whole {name(one)}: {name(why)}" for one, why in verdict.unwhole.items()]
    lines += [f"flagged   {name(one)}: {name(sentence)}" for one, sentence in verdict.remarks]
    lines += [f"odd       {name(odd.path)}: {name(odd.reason)}" for odd in examined.oddities]
    shown = lines if long else lines[:_SHOWN]
    for line in shown:
        print(f"      {line}")
    if len(lines) > len(shown):
        print(f"      ... and {len(lines) - len(shown):,} more: --long")
    if long:
        for field, value in verdict.catalogue.items():
            print(f"      {name(field)} = {name(str(value))}")


def _fits_json(url: str, best: str, found: list[Fit], looked_at: int) -> dict[str, object]:
    return {
        "format": "coldchain-inspection",
        "version": 1,
        "source": url,
        "instrument": best,
        "names": looked_at,
        "fits": [{"instrument": fit.instrument, "recognised": fit.recognised, "why": fit.why} for fit in found],
    }


def _json(examined: Examined) -> dict[str, object]:
    return {
        "format": "coldchain-examined",
        "version": 1,
        "dataset": examined.dataset.name,
        "parts": [{"name": part.name, "start": part.start} for part in examined.dataset.parts],
        "fields": dict(examined.dataset.fields),
        "files": examined.tally.files,
        "size_bytes": examined.tally.size_bytes,
        **examined.verdict.as_json(),
        "remarks": [{"path": path, "sentence": sentence} for path, sentence in examined.verdict.remarks],
        "oddities": [{"path": odd.path, "what": odd.what, "reason": odd.reason} for odd in examined.oddities],
    }
