"""The Imaging FlowCytobot: which bins make up a day, and are they whole?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from coldchain.config.values import Job, OnChange
from coldchain.errors import ConfigurationError
from coldchain.instruments.base import Habits, Judge, Look
from coldchain.instruments.ifcb.find import find_days, find_series
from coldchain.instruments.ifcb.judge import BinJudge
from coldchain.instruments.ifcb.names import HDR, belongs_to_bin, bin_of
from coldchain.model import Dataset
from coldchain.stores.base import Store


class Ifcb:
    """A bin is one syringe, three files: ``.hdr``, ``.adc``, ``.roi``; a dataset is a day of them, or a series.

    A raw bin never changes once it is whole, so that a change is kept beside what was stored.
    """

    name = "ifcb"
    title = "Imaging FlowCytobot (IFCB): bins by day"
    habits = Habits(
        settle=timedelta(minutes=2),
        on_change=OnChange.KEEP_BOTH,
        quiet=timedelta(hours=2),
        datasets=("days", "series"),
        fields=("date", "year", "month", "instrument"),
    )

    def recognise(self, paths: Sequence[str]) -> tuple[int, str]:
        found = [path for path in paths if belongs_to_bin(path[path.rfind("/") + 1 :])]
        return (len(found), f"files named as bins are, such as {found[0]}") if found else (0, "")

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        match job.datasets or "days":
            case "days":
                return find_days(source, job)
            case "series":
                return find_series(source, job)
        raise ConfigurationError(
            f'datasets = "{job.datasets}": an ifcb has "days" (one dataset a day) or "series" (one a top-level folder)'
        )

    def judge(self, dataset: Dataset, look: Look) -> Judge:
        return BinJudge(dataset, look, self.habits)

    def marker(self, dataset: Dataset, path: str) -> str | None:
        if not path.endswith(HDR):
            return None
        stem = bin_of(path)
        return None if stem is None else f"{stem}."


INSTRUMENT = Ifcb()
