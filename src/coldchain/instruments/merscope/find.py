"""Where does a source hold the runs of a MERSCOPE?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from coldchain.errors import Denied, NotFound
from coldchain.instruments.merscope.names import OUTPUT, RAW, REGION, RUN, TREES, fields_of
from coldchain.model import OWN_FOLDER, Dataset, Part
from coldchain.stores.base import Store

DEPTH = 2
"""So many folders may lie between the source and the trees, or the runs: ``D/MERSCOPEDATA/<run>`` has two."""

_RAW_FOLDERS = {"data", "low_resolution", "seg_preview", "settings"}


class Tree(NamedTuple):
    """The folder of one part of one run."""

    base: str
    """The folder of the three trees, or of the run when it lies below none of them."""
    root: str
    run: str
    part: str
    alone: bool
    """It lies below none of the three trees, as on the drive of the acquisition computer."""


def find_runs(source: Store) -> Iterator[Dataset]:
    """Yield one dataset a run, of all its parts; where a part is there twice, each place has its own."""
    trees = sorted(_search(source, "", 0), key=lambda tree: (tree.base.count("/") + bool(tree.base), tree.root))
    on_analysis_drive = any(not tree.alone for tree in trees)
    runs: defaultdict[str, list[Tree]] = defaultdict(list)
    for tree in trees:
        # The names of datasets must not change when another folder appears.  So, where the three trees are, runs
        # outside of them never have the plain name.
        if tree.alone and on_analysis_drive:
            yield _dataset(_place(tree), [tree])
        else:
            runs[tree.run].append(tree)
    for run, found in runs.items():
        yield from _datasets(run, found)


def _datasets(run: str, trees: list[Tree]) -> Iterator[Dataset]:
    if len({tree.part for tree in trees}) == len(trees):
        yield _dataset(run, trees)
        return
    bases: defaultdict[str, list[Tree]] = defaultdict(list)
    for tree in trees:
        bases[tree.base].append(tree)
    for number, found in enumerate(bases.values()):
        yield _dataset(_place(found[0]) if number else run, found)


def _place(tree: Tree) -> str:
    return f"{tree.base or tree.part}/{tree.run}"


def _dataset(name: str, trees: Iterable[Tree]) -> Dataset:
    parts = sorted((Part(tree.root, name=tree.part) for tree in trees), key=lambda part: part.start)
    run = parts[0].root.rpartition("/")[2]
    return Dataset(name, tuple(parts), fields_of(run))


def _search(source: Store, folder: str, depth: int) -> Iterator[Tree]:
    for name in _folders(source, folder):
        path = f"{folder}/{name}" if folder else name
        if part := TREES.get(name):
            for run in _folders(source, path):
                if RUN.fullmatch(run):
                    yield Tree(folder, f"{path}/{run}", run, part, alone=False)
        elif RUN.fullmatch(name):
            if part := _looks_like(source, path):
                yield Tree(folder, path, name, part, alone=True)
        elif depth < DEPTH and name != OWN_FOLDER:
            yield from _search(source, path, depth + 1)


def _looks_like(source: Store, folder: str) -> str:
    """Which part of a run a folder is that lies below none of the three trees; "" when that cannot be told."""
    names = set(_folders(source, folder))
    if names & _RAW_FOLDERS:
        return RAW
    return OUTPUT if any(map(REGION.fullmatch, names)) else ""


def _folders(source: Store, folder: str) -> list[str]:
    """The folders in a folder; none in one that nobody may open, such as "System Volume Information".

    That one is reported by the scan of the rest.  Other errors end the run, lest files be taken for those of another
    dataset.
    """
    try:
        return list(source.folders(folder))
    except (Denied, NotFound):
        if not folder:
            raise
        return []
