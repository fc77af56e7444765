"""How does the cost grow with the number of files?  ``python -m benchmarks.growth``; see docs/performance.md.

For each number of files: a first run, that carries them all, and a second one, that finds nothing to do.  A curve of
seconds a file that bends upwards would show work that grows faster than the files do.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import trees
from benchmarks.measuring import Sample, compile_ahead, forget, print_line, settle_disk, timed, wait_for_quiet
from benchmarks.tools import Errand, coldchain_errand
from benchmarks.trees import Tree

_HERE = Path(__file__).resolve().parent
_A_FOLDER, _SIZE_BYTES = 1000, 16
_DECADES = (1_000, 10_000, 100_000, 1_000_000)
_FIRST, _NOTHING = "all to be carried", "nothing to do"


class Point(NamedTuple):
    """One run."""

    files: int
    what: str
    wall_s: float
    cpu_s: float
    peak_mib: float

    @property
    def microseconds_a_file(self) -> float:
        return self.cpu_s / self.files * 1e6


def main() -> int:
    """Measure each decade once, print a table, and write numbers and plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--most", type=int, default=_DECADES[-1], help="the largest number of files (1,000,000)")
    parser.add_argument("--folder", type=Path, default=_HERE.parent / "build" / "bench", help="where to work")
    wanted = parser.parse_args()
    folder: Path = wanted.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    compile_ahead()
    wait_for_quiet(folder)
    points: list[Point] = []
    try:
        for files in (number for number in _DECADES if number <= wanted.most):
            points += _measure(files, folder)
    finally:
        forget(folder)
    for line in table(points):
        print_line(line)
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    kept = _HERE / "results" / f"{today}-growth.json"
    kept.write_text(json.dumps([point._asdict() for point in points], indent=2) + "\n", encoding="utf-8")
    (_HERE.parent / "docs" / "growth.svg").write_text(draw(points), encoding="utf-8")
    print_line(f"\n{kept.name} and docs/growth.svg are written")
    return 0


def _measure(files: int, folder: Path) -> Iterator[Point]:
    tree = Tree(files // _A_FOLDER, files, _SIZE_BYTES)
    source = trees.make(folder / "sources", tree)
    errand = Errand(source, folder / "work" / f"growth-{files}")
    errand.there.mkdir(parents=True)
    command = coldchain_errand(errand)
    trees.warm(source)
    for what in (_FIRST, _NOTHING):
        settle_disk()
        yield _point(files, what, timed(command, errand.folder / "log"))
    found = trees.count(errand.there)
    if found != (tree.files, tree.total):
        sys.exit(f"{found} files and bytes are there, not {(tree.files, tree.total)}")


def _point(files: int, what: str, sample: Sample) -> Point:
    point = Point(files, what, sample.wall_s, sample.user_s + sample.system_s, sample.peak_bytes / 2**20)
    print_line(f"  {files:>9,} {what:<18} {point.wall_s:8.2f} s {point.peak_mib:6.0f} MiB")
    return point


def table(points: list[Point]) -> Iterator[str]:
    """Lines for a person, in Markdown."""
    yield ""
    yield "| files | | seconds | CPU seconds | CPU microseconds a file | peak MiB |"
    yield "|---:|---|---:|---:|---:|---:|"
    for point in points:
        yield (
            f"| {point.files:,} | {point.what} | {point.wall_s:.2f} | {point.cpu_s:.2f} "
            f"| {point.microseconds_a_file:,.0f} | {point.peak_mib:.0f} |"
        )


_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _RIGHT = 720, 320, 80, 30, 46, 160
_COLOURS = {_FIRST: "#0b6e99", _NOTHING: "#b35c00"}
_INK, _GRID = "#222222", "#d8dde1"


def draw(points: list[Point]) -> str:
    """CPU microseconds a file over the number of files, both on logarithmic scales."""
    decades = sorted({point.files for point in points})
    values = [point.microseconds_a_file for point in points]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def x_of(files: int) -> float:
        first, last = math.log10(decades[0]), math.log10(decades[-1])
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (math.log10(files) - first) / max(last - first, 1)

    def y_of(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - math.log10(value)) / max(high - low, 1)

    body = ['<text x="8" y="16" font-weight="bold">CPU microseconds a file, over the number of files</text>']
    for power in range(low, high + 1):
        y = y_of(10.0**power)
        body.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_GRID}"/>')
        body.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10**power:,}</text>')
    for files in decades:
        body.append(f'<text x="{x_of(files):.1f}" y="{_HEIGHT - 16}" text-anchor="middle">{files:,}</text>')
    for what, colour in _COLOURS.items():
        line = [(x_of(point.files), y_of(point.microseconds_a_file)) for point in points if point.what == what]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in line]
        body.append(f'<text x="{line[-1][0] + 10:.1f}" y="{line[-1][1] + 4:.1f}" fill="{colour}">{what}</text>')
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" font-family="sans-serif" font-size="12" fill="{_INK}">'
    )
    title = "<title>What a file costs coldchain, from a thousand files to a million</title>"
    return "\n".join([head, title, f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>', *body, "</svg>", ""])


if __name__ == "__main__":
    sys.exit(main())
