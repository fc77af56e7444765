"""Anything: which folders of an ordinary tree are datasets?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from coldchain.config.values import Job
from coldchain.errors import ConfigurationError
from coldchain.instruments.base import Habits, Judge, Look, Unjudged
from coldchain.model import OWN_FOLDER, REST, Dataset, Part
from coldchain.stores.base import Store


class Files:
    """Each top-level folder is a dataset, or the whole source, or every folder that fits a pattern.

    ``folders`` is the same as the pattern ``*``; ``*/*`` are the folders two levels down, and so on: one pattern for
    each level.
    """

    name = "files"
    title = "any files in folders"
    habits = Habits(datasets=("folders", "whole"))

    def recognise(self, paths: Sequence[str]) -> tuple[int, str]:
        return 0, ""

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        pattern = job.datasets or "folders"
        if pattern == "whole":
            yield Dataset(REST)
            return
        levels = ["*"] if pattern == "folders" else pattern.split("/")
        if "" in levels or ".." in levels or "**" in levels:
            raise ConfigurationError(
                f'datasets = "{pattern}": use "folders", "whole", or one pattern for each level, such as "*/2024-*"'
            )
        for root in _roots(source, "", levels):
            yield Dataset(root, (Part(root),))

    def judge(self, dataset: Dataset, look: Look) -> Judge:
        return Unjudged()

    def marker(self, dataset: Dataset, path: str) -> str | None:
        return None


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
