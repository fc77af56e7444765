"""How does a MERSCOPE lay out what it acquires?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from coldchain.config.values import Job, OnChange
from coldchain.errors import ConfigurationError
from coldchain.instruments.base import Habits, Judge, Look, Unjudged
from coldchain.instruments.merscope.find import find_runs
from coldchain.instruments.merscope.judge import QUIET, RunJudge
from coldchain.instruments.merscope.names import EXPERIMENT_FINISHED, MERLIN_FINISHED, RAW, RAW_FINISHED, RUN, TREES
from coldchain.model import REST, Dataset
from coldchain.stores.base import Store


class Merscope:
    """A run is one dataset of up to three parts: raw data, analysis, output."""

    name = "merscope"
    title = "Vizgen MERSCOPE runs"
    habits = Habits(
        settle=timedelta(minutes=10),
        on_change=OnChange.REPLACE,
        quiet=QUIET,
        datasets=("runs",),
        parts=tuple(TREES.values()),
        fields=("date", "experiment", "serial"),
    )

    def recognise(self, paths: Sequence[str]) -> tuple[int, str]:
        count, example = 0, ""
        for path in paths:
            run = next((name for name in path.split("/") if name.endswith(_DIGITS) and RUN.fullmatch(name)), "")
            count += bool(run)
            example = example or run
        return count, f"runs of a MERSCOPE, such as {example}" if count else ""

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        if job.datasets not in ("", *self.habits.datasets):
            raise ConfigurationError(
                f'{job.name}: datasets = "{job.datasets}": the instrument merscope has only "runs"'
            )
        yield from find_runs(source)

    def judge(self, dataset: Dataset, look: Look) -> Judge:
        return Unjudged() if dataset.name == REST else RunJudge(dataset, look)

    def marker(self, dataset: Dataset, path: str) -> str | None:
        if not path.endswith("_FINISHED"):
            return None
        folder, _, name = path.rpartition("/")
        if any(part.name == RAW and part.root == folder for part in dataset.parts):
            if name == MERLIN_FINISHED:
                return ""
            if name in (EXPERIMENT_FINISHED, RAW_FINISHED):
                return f"{folder}/"
        return None


_DIGITS = tuple("0123456789")

INSTRUMENT = Merscope()
