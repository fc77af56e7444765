"""What is measured: which files, by whom, in which order?"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from benchmarks import trees
from benchmarks.measuring import CommandFailed, Sample, print_line, settle_disk, timed
from benchmarks.tools import Errand, Tool, where
from benchmarks.trees import Tree


class Scenario(NamedTuple):
    """One question."""

    name: str
    title: str
    tree: Tree
    again: bool = False
    """The files are there already: measure how long it takes to see that."""

    def smaller(self) -> Scenario:
        """A twentieth of it, to see whether everything works."""
        folders, files, size_bytes = self.tree
        tree = Tree(folders, files // 20, size_bytes) if files > 20 else Tree(folders, files, size_bytes // 20)
        return self._replace(tree=tree)


_SMALL = Tree(20, 20_000, 16 << 10)
_FEW = Tree(1, 10, 100)
SCENARIOS = (
    Scenario("small", "20,000 files of 16 KiB in 20 folders", _SMALL),
    Scenario("large", "2 files of 1 GiB", Tree(1, 2, 1 << 30)),
    Scenario("nothing", "nothing to do: the same 20,000 files once more", _SMALL, again=True),
)


def measure(scenario: Scenario, tools: list[Tool], source: Path, work: Path, rounds: int) -> dict[str, list[Sample]]:
    """Every program in turn, ``rounds`` times.  A program that is missing or fails has no samples.

    A machine may reclaim what lay in its page cache for some seconds: so the source is read before each single run, and
    the program carries a handful of other files first.
    """
    samples: dict[str, list[Sample]] = {tool.name: [] for tool in tools if tool.repeats or not scenario.again}
    missing = {tool.name for tool in tools if where(tool.program) is None}
    errands: dict[str, tuple[Errand, list[str]]] = {}
    for number in range(rounds):
        for tool in (tool for tool in tools if tool.name in samples):
            if tool.name in missing:
                if not number:
                    print_line(f"  {tool.name:<17} missing")
                continue
            try:
                _rehearse(tool, source.parent, work / f"rehearsal-{scenario.name}-{tool.program}-{number}")
                sample = (
                    _again(scenario, tool, source, work, errands)
                    if scenario.again
                    else _first(scenario, tool, source, work, number)
                )
            except CommandFailed as error:
                missing.add(tool.name)
                print_line(f"  {tool.name:<17} failed: {error}")
                continue
            samples[tool.name].append(sample)
            print_line(f"  {tool.name:<17} {sample.wall_s:7.2f} s  {sample.peak_bytes / 2**20:6.0f} MiB")
    return samples


def _first(scenario: Scenario, tool: Tool, source: Path, work: Path, number: int) -> Sample:
    """Into a new folder.  Small files stay till the end (``measuring.wait_for_quiet``), large ones make room."""
    errand = _errand(work / f"{scenario.name}-{tool.program}-{number}", source)
    command = tool.prepare(errand)
    trees.warm(source)
    settle_disk()
    sample = timed(command, errand.folder / "log")
    _check_there(scenario, errand, tool)
    if scenario.tree.files <= 100:
        shutil.rmtree(errand.there)
    return sample


def _again(
    scenario: Scenario, tool: Tool, source: Path, work: Path, errands: dict[str, tuple[Errand, list[str]]]
) -> Sample:
    """The second and later runs of a program; the first is not measured here."""
    if tool.name not in errands:
        errand = _errand(work / f"{scenario.name}-{tool.program}", source)
        command = tool.prepare(errand)
        timed(command, errand.folder / "log")
        errands[tool.name] = errand, command
        trees.warm(source)
    errand, command = errands[tool.name]
    trees.warm(source)
    settle_disk()
    sample = timed(command, errand.folder / "log")
    _check_there(scenario, errand, tool)
    return sample


def _rehearse(tool: Tool, sources: Path, folder: Path) -> None:
    """Once with a few files, outside of the time: what is loaded of the program lies in the page cache then."""
    errand = _errand(folder, trees.make(sources, _FEW))
    timed(tool.prepare(errand), errand.folder / "log")


def _errand(folder: Path, source: Path) -> Errand:
    errand = Errand(source, folder)
    errand.there.mkdir(parents=True)
    return errand


def _check_there(scenario: Scenario, errand: Errand, tool: Tool) -> None:
    """A program that copied nothing is fast."""
    found, wanted = trees.count(errand.there), (scenario.tree.files, scenario.tree.total)
    if found != wanted:
        raise CommandFailed(f"{tool.name} left (files, bytes) {found}, not {wanted}")
