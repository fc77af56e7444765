"""Which folders hold what a CyTOF acquired?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coldchain.config.values import Job, OnChange
from coldchain.instruments.base import Habits, Judge, Look
from coldchain.instruments.cytof.judge import QUIET, SETTLE, FolderJudge
from coldchain.instruments.cytof.kinds import Kind, kind_of
from coldchain.instruments.folders import folders_like
from coldchain.model import REST, Dataset, Part
from coldchain.stores.base import Store


class Cytof:
    """Each top-level folder is a dataset, or the whole source, or every folder that fits a pattern.

    Names are free text (source: instruments.md 2.2), so nothing but the folders themselves says what belongs together.
    """

    name = "cytof"
    title = "CyTOF, and FCS files of any cytometer"
    habits = Habits(
        settle=SETTLE, on_change=OnChange.KEEP_BOTH, quiet=QUIET, undisturbed=True, datasets=("folders", "whole")
    )

    def recognise(self, paths: Sequence[str]) -> tuple[int, str]:
        mine = [path for path in paths if not path.endswith("/") and kind_of(path) in (Kind.IMD, Kind.FCS, Kind.RD8)]
        return len(mine), f"names such as {mine[0].rpartition('/')[2]}" if mine else ""

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        pattern = job.datasets or "folders"
        if pattern == "whole":
            yield Dataset(REST)
            return
        for root in folders_like(source, "*" if pattern == "folders" else pattern, self.habits.datasets):
            yield Dataset(root, (Part(root),))

    def judge(self, dataset: Dataset, look: Look) -> Judge:
        return FolderJudge(dataset, look)

    def marker(self, dataset: Dataset, path: str) -> str | None:
        return None


INSTRUMENT = Cytof()
