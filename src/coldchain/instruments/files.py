"""Anything: which folders of an ordinary tree are datasets?"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from coldchain.errors import ConfigurationError
from coldchain.model import OWN_FOLDER, Dataset
from coldchain.stores.base import Store

REST = "."
"""The dataset of all files that lie outside of the others."""


class Files:
    """Each top-level folder is a dataset, or the whole source, or every folder that fits a pattern.

    ``folders`` is the same as the pattern ``*``; ``*/*`` are the folders two levels down, and so on: one pattern for
    each level.  What lies outside of them is the dataset ".".
    """

    name = "files"
    title = "any files in folders"

    def find(self, source: Store, pattern: str) -> Iterator[Dataset]:
        """See ``Instrument.find``."""
        if pattern == "whole":
            yield Dataset(REST)
            return
        levels = ["*"] if pattern == "folders" else pattern.split("/")
        if "" in levels or ".." in levels or "**" in levels:
            raise ConfigurationError(
                f'datasets = "{pattern}": use "folders", "whole", or one pattern for each level, such as "*/2024-*"'
            )
        roots = tuple(_roots(source, "", levels))
        yield Dataset(REST, "", roots)
        for root in roots:
            yield Dataset(root, root)


def _roots(source: Store, folder: str, levels: list[str]) -> Iterator[str]:
    for name in source.folders(folder):
        if not folder and name == OWN_FOLDER:
            continue
        if fnmatchcase(name, levels[0]):
            path = f"{folder}/{name}" if folder else name
            if len(levels) == 1:
                yield path
            else:
                yield from _roots(source, path, levels[1:])


INSTRUMENT = Files()
