"""How fast is coldchain beside other programs?  ``python benchmarks/run.py --help``; see docs/performance.md."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from benchmarks import many, plot, results, trees
from benchmarks.measuring import Sample, compile_ahead, forget, print_line, wait_for_quiet
from benchmarks.scenarios import SCENARIOS, Scenario, measure
from benchmarks.tools import TOOLS, Tool

_HERE = Path(__file__).resolve().parent


def main() -> int:
    """Measure what was asked for, print it, and write it down."""
    wanted = _arguments()
    folder: Path = wanted.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    compile_ahead()
    if not wanted.quick:
        wait_for_quiet(folder)
    tools = [tool for tool in TOOLS if not wanted.tools or tool.name in wanted.tools]
    try:
        for scenario in _scenarios(wanted):
            print_line(f"\n{scenario.name}: {scenario.title}")
            source = trees.make(folder / "sources", scenario.tree)
            rounds = 1 if wanted.quick else wanted.rounds
            _tell(wanted, tools, scenario.name, measure(scenario, tools, source, folder / "work", rounds))
        if wanted.entries:
            _tell(wanted, tools, f"nothing-{wanted.entries}", many.measure(wanted.entries, folder, wanted.rounds))
    finally:
        forget(folder)
    return 0


def _scenarios(wanted: argparse.Namespace) -> list[Scenario]:
    if wanted.entries and not wanted.only:
        return []
    chosen = [scenario for scenario in SCENARIOS if not wanted.only or scenario.name in wanted.only]
    return [scenario.smaller() for scenario in chosen] if wanted.quick else chosen


def _tell(wanted: argparse.Namespace, tools: list[Tool], name: str, samples: dict[str, list[Sample]]) -> None:
    """Print and keep one scenario, so that what was measured is not lost when a later one fails."""
    found = results.sum_up({name: samples}, {tool.name: tool.version() for tool in tools})
    for line in results.table(found):
        print_line(line)
    if not wanted.quick:
        file = results.write(found, _HERE / "results")
        picture = plot.draw(results.read(file))
        (_HERE.parent / "docs" / "performance.svg").write_text(picture, encoding="utf-8")
        print_line(f"\n{file.name} and docs/performance.svg are written")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--rounds", type=int, default=3, help="how often each program is measured (3)")
    parser.add_argument("--only", action="append", choices=names, help="only this scenario; may be repeated")
    parser.add_argument("--tools", action="append", choices=[tool.name for tool in TOOLS], help="only this program")
    parser.add_argument(
        "--entries", type=int, default=0, help="nothing to do over so many small files; alone, if not --only"
    )
    parser.add_argument("--quick", action="store_true", help="one round of a twentieth; writes no results")
    parser.add_argument(
        "--folder",
        type=Path,
        default=_HERE.parent / "build" / "bench",
        help="where to work; 12 GiB, on the disk to measure",
    )
    return parser.parse_args()


if __name__ == "__main__":
    if shutil.which("sync") is None:
        sys.exit("these benchmarks need a POSIX system")
    sys.exit(main())
