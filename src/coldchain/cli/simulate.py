"""``coldchain simulate``: play an instrument that acquires."""

from __future__ import annotations

from pathlib import Path

import typer

from coldchain.cli.printing import duration, files, size
from coldchain.cli.stopping import STOPPING

_HELP = """Play an instrument that acquires, for trials.

True layout, files that grow, markers last; each file is written as the instrument does it.

\b
Example:
  coldchain simulate merscope ./instrument --scale 0.1 --rate 5MB --seed 7
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate", help=_HELP)(simulate)


def simulate(
    instrument: str = typer.Argument(
        ..., metavar="INSTRUMENT", help="Such as ifcb, merscope, cellpainting, cytof or rig."
    ),
    folder: Path = typer.Argument(..., metavar="DIR", help="The folder that it writes to."),
    rate: str = typer.Option("", "--rate", metavar="SIZE", help="Bytes per second, such as 2MB; else at full speed."),
    scale: float = typer.Option(1.0, "--scale", help="1.0 makes some 200 files and 64 MB; 0.05 is a toy."),
    seed: int = typer.Option(0, "--seed", help="The same seed gives the same bytes."),
    fault: str = typer.Option("", "--fault", help="crash, truncate, missing, late or growing."),
    start: str = typer.Option("", "--start", metavar="TIME", help="When it began, such as 2022-05-23T15:54+00:00."),
) -> int:
    """Play it to its end."""
    import time
    from datetime import datetime

    from coldchain.cli.session import now
    from coldchain.config.units import parse_size
    from coldchain.errors import ConfigurationError, Interrupted, UsageError
    from coldchain.simulate.base import Options, open_simulator
    from coldchain.simulate.play import play

    try:
        begin = datetime.fromisoformat(start) if start else now()
    except ValueError as error:
        raise UsageError(f"--start {start}: is no time; write it such as 2022-05-23T15:54+00:00") from error
    try:
        pace = float(parse_size(rate.removesuffix("/s"))) if rate else None
    except ConfigurationError as error:
        raise UsageError(f"--rate {error}") from error
    steps = open_simulator(instrument).steps(Options(begin, seed, scale, fault))
    begun = time.monotonic()
    done = None
    for progress in play(steps, folder, pace, time.sleep, time.monotonic):
        done = progress
        if STOPPING.is_set():
            raise Interrupted("the instrument was stopped in the middle of its acquisition")
    if done is not None:
        print(
            f"{instrument}: {files(done.files)}, {size(done.size_bytes)} in {folder}, "
            f"{duration(time.monotonic() - begun)}{f' (fault: {fault})' if fault else ''}"
        )
    return 0
