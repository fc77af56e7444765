"""What does it cost to judge and catalogue a dataset, beyond listing its files?

    python -m benchmarks.headers [--folder DIR] [--rounds N]

Two folders are made: a full Cell Painting plate (384 wells, 9 sites, 8 channels: 27,648 images, as simulated), and a
year of an Imaging FlowCytobot, 18,000 bins in day folders.  The bins are hard links to a few that were simulated with
the number of images that real ones have (3,034, the median of cruise AR82), so the tables are as long as real ones and
lie in the page cache.  Listing alone, judging for the first time, and judging again with what was remembered are
measured in turn; each is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

BINS, DAYS = 18_000, 365
ROIS = 3_034
PLATE_SCALE = 144.0
LOOKS = ("list", "judge", "again")
START = datetime(2025, 1, 1, tzinfo=UTC)


def make_plate(folder: Path) -> None:
    """Play a full plate."""
    from coldchain.simulate.base import Options, open_simulator
    from coldchain.simulate.play import play

    steps = open_simulator("cellpainting").steps(Options(START, scale=PLATE_SCALE))
    for _ in play(steps, folder, None, time.sleep, time.monotonic):
        pass


def make_year(folder: Path) -> None:
    """Link a year of bins to a few that are played."""
    from coldchain.simulate.base import Options, open_simulator
    from coldchain.simulate.play import play

    played = folder.with_name("bins")
    scale = (ROIS / 97) ** 2  # bins and images grow with its root; a few bins are enough
    steps = open_simulator("ifcb").steps(Options(START, scale=scale))
    for progress in play(steps, played, None, time.sleep, time.monotonic):
        if progress.files >= 30:
            break
    stems = sorted({path.with_suffix("") for path in played.rglob("*.hdr")})
    whole = [stem for stem in stems if all(stem.with_suffix(end).exists() for end in (".adc", ".roi"))][:8]
    for number in range(BINS):
        begin = START + timedelta(seconds=number * (DAYS * 86_400 / BINS))
        day = folder / f"{begin:%Y}" / f"{begin:D%Y%m%d}"
        day.mkdir(parents=True, exist_ok=True)
        for end in (".adc", ".hdr", ".roi"):
            os.link(whole[number % len(whole)].with_suffix(end), day / f"{begin:D%Y%m%dT%H%M%S}_IFCB134{end}")


def look(instrument: str, folder: Path, how: str) -> dict[str, object]:
    """List, or list and judge, in this process."""
    from coldchain.config.values import Job
    from coldchain.instruments.base import Look, open_instrument
    from coldchain.model import Entry, Place
    from coldchain.steps.scan import Walks, scan
    from coldchain.steps.select import select_datasets
    from coldchain.stores.base import open_store

    place = Place("source", str(folder))
    source, job, kind = open_store(place), Job("bench", place, (), instrument=instrument), open_instrument(instrument)
    remembered: dict[str, dict[str, object]] = {}
    begun, files = time.perf_counter(), 0
    conditions: list[str] = []
    for turn in range(2 if how == "again" else 1):
        begun, files, conditions, walks = time.perf_counter(), 0, [], Walks(source)
        for dataset in select_datasets(kind, source, job).datasets:
            judging = Look(source, job, datetime.now(UTC), dict(remembered.get(dataset.name, {})))
            judge = kind.judge(dataset, judging)
            see = judge.see if how != "list" else _nobody
            for part in dataset.parts:
                files += sum(isinstance(found, Entry) for found in scan(walks, part, job, see))
            if how != "list":
                conditions.append(judge.verdict().condition.value)
                remembered[dataset.name] = dict(judging.remembered)
        del turn
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "files": files, "conditions": {one: conditions.count(one) for one in set(conditions)}}


def _nobody(_entry: object) -> None:
    """Nobody looks."""


def rounds(folder: Path, number: int) -> Iterator[str]:
    """Measure, and yield the lines of a table."""
    yield "| folder | files | listing (s) | judging beyond it (s) | again (s) | verdicts |"
    yield "|---|---:|---:|---:|---:|---|"
    for title, instrument, where in (
        ("plate of 27,648 images", "cellpainting", folder / "plate"),
        ("year of 18,000 bins", "ifcb", folder / "year"),
    ):
        taken: dict[str, list[float]] = {how: [] for how in LOOKS}
        said: dict[str, object] = {}
        for _ in range(number):
            for how in LOOKS:
                words = [sys.executable, "-m", "benchmarks.headers", "--look", instrument, str(where), how]
                said = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
                taken[how].append(float(str(said["seconds"])))
        listing, judging, again = (statistics.median(taken[how]) for how in LOOKS)
        cells = f"{said['files']:,} | {listing:.2f} | {judging - listing:.2f} | {again - listing:.2f}"
        yield f"| {title} | {cells} | {said['conditions']} |"


def main() -> None:
    """Make the folders if they are not there, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("build/bench/headers"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--look", nargs=3, metavar=("INSTRUMENT", "FOLDER", "HOW"))
    given = parser.parse_args()
    if given.look:
        instrument, where, how = given.look
        print(json.dumps(look(instrument, Path(where), how)))
        return
    for make, where in ((make_plate, given.folder / "plate"), (make_year, given.folder / "year")):
        if not where.exists():
            where.parent.mkdir(parents=True, exist_ok=True)
            make(where)
    for line in rounds(given.folder, given.rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
