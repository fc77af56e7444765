"""What is said of the samples: medians, ratios, a table, a file?"""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import TypedDict, cast

from benchmarks.measuring import Sample


class Line(TypedDict):
    """One program in one scenario."""

    program: str
    wall_s: list[float]
    median_s: float
    cpu_s: float
    peak_mib: float
    ratio: float
    """coldchain's median through this one's: below 1 coldchain is faster."""


class Results(TypedDict):
    """The file."""

    format: str
    version: int
    machine: dict[str, str | int]
    versions: dict[str, str]
    scenarios: dict[str, list[Line]]


def sum_up(measured: Mapping[str, Mapping[str, list[Sample]]], versions: dict[str, str]) -> Results:
    """Medians of what was measured."""
    return {
        "format": "coldchain-bench",
        "version": 1,
        "machine": {
            "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
            "processors": os.cpu_count() or 0,
        },
        "versions": versions,
        "scenarios": {name: list(_lines(samples)) for name, samples in measured.items()},
    }


def _lines(samples: Mapping[str, list[Sample]]) -> Iterator[Line]:
    own = samples.get("coldchain") or []
    own_s = median(sample.wall_s for sample in own) if own else 0.0
    for program, some in samples.items():
        if some:
            median_s = median(sample.wall_s for sample in some)
            yield {
                "program": program,
                "wall_s": [round(sample.wall_s, 3) for sample in some],
                "median_s": round(median_s, 3),
                "cpu_s": round(median(sample.user_s + sample.system_s for sample in some), 3),
                "peak_mib": round(max(sample.peak_bytes for sample in some) / 2**20, 1),
                "ratio": round(own_s / median_s, 3),
            }
        else:
            yield {"program": program, "wall_s": [], "median_s": 0, "cpu_s": 0, "peak_mib": 0, "ratio": 0}


def table(results: Results) -> Iterator[str]:
    """Lines for a person, in Markdown."""
    for name, lines in results["scenarios"].items():
        yield ""
        yield f"| {name} | seconds (median) | all rounds | CPU seconds | peak MiB | coldchain / this |"
        yield "|---|---:|---|---:|---:|---:|"
        for line in lines:
            program = f"{line['program']} {results['versions'].get(line['program'], '')}".strip()
            if not line["wall_s"]:
                yield f"| {program} | missing or failed | | | | |"
                continue
            rounds = ", ".join(f"{seconds:.2f}" for seconds in line["wall_s"])
            yield (
                f"| {program} | {line['median_s']:.2f} | {rounds} | {line['cpu_s']:.1f} | {line['peak_mib']:.0f} "
                f"| {line['ratio']:.2f} |"
            )


def write(results: Results, folder: Path) -> Path:
    """Into the file of the day; scenarios that were not measured now stay as they were measured earlier that day."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}.json"
    if file.exists():
        before = read(file)
        results["scenarios"] = before["scenarios"] | results["scenarios"]
        results["versions"] = before["versions"] | results["versions"]
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return file


def read(file: Path) -> Results:
    """What ``write`` wrote."""
    return cast("Results", json.loads(file.read_text(encoding="utf-8")))
