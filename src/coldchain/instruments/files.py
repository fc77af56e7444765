"""Anything: which folders of an ordinary tree are datasets?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coldchain.config.values import Job
from coldchain.instruments.base import Habits, Judge, Look, Unjudged
from coldchain.instruments.folders import folders_like
from coldchain.model import REST, Dataset, Part
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
        for root in folders_like(source, "*" if pattern == "folders" else pattern, self.habits.datasets):
            yield Dataset(root, (Part(root),))

    def judge(self, dataset: Dataset, look: Look) -> Judge:
        return Unjudged()

    def marker(self, dataset: Dataset, path: str) -> str | None:
        return None


INSTRUMENT = Files()
