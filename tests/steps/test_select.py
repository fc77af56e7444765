"""Is every file of a source in exactly one dataset, and is what a job asks for in vain told?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from coldchain.config.values import Job
from coldchain.errors import ConfigurationError
from coldchain.instruments.base import Habits, Judge, Look, Unjudged
from coldchain.model import REST, WHOLE_SOURCE, Dataset, Part, Place
from coldchain.steps.select import Selected, select_datasets
from coldchain.stores.base import Store
from coldchain.testing import MemoryStore

JOB = Job("j", Place("source", "memory://select"), ())


class Instrument:
    """One that finds these datasets, in this order."""

    name, title, habits = "scope", "a microscope", Habits(parts=("raw", "analysed"))

    def __init__(self, *found: Dataset) -> None:
        self.found = found

    def recognise(self, paths: Sequence[str]) -> tuple[int, str]:
        return 0, ""

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        yield from self.found

    def judge(self, dataset: Dataset, look: Look) -> Judge:
        return Unjudged()

    def marker(self, dataset: Dataset, path: str) -> str | None:
        return None


def select(*found: Dataset, job: Job = JOB) -> Selected:
    return select_datasets(Instrument(*found), MemoryStore("memory://select"), job)


def named(*roots: str) -> list[Dataset]:
    return [Dataset(root, (Part(root),)) for root in roots]


RUN = Dataset("run", (Part("a/run", name="analysed"), Part("r/run", name="raw")))
OTHER = Dataset("other", (Part("a/other", name="analysed"),))


def test_p01_what_lies_in_no_dataset_is_one_of_its_own_that_comes_first() -> None:
    b, a = named("b", "a/x")
    selected = select(b, a)
    assert selected.absent == []
    assert selected.datasets == [Dataset(REST, (Part(without=("a/x/", "b/")),)), a, b]


def test_p01_without_any_dataset_everything_is_the_rest() -> None:
    assert select().datasets == [Dataset(REST, (WHOLE_SOURCE,))]


def test_p01_of_datasets_in_one_folder_the_rest_is_what_begins_otherwise() -> None:
    days = [Dataset(day, (Part("flat", day),)) for day in ("D1", "D2")]
    assert select(*days).datasets[0] == Dataset(REST, (Part(without=("flat/D1", "flat/D2")),))


def test_p01_beside_a_dataset_that_is_the_whole_source_there_is_no_rest() -> None:
    whole = Dataset("all", (WHOLE_SOURCE,))
    assert select(whole).datasets == [whole]
    with pytest.raises(ConfigurationError, match="whole source, and there are others"):
        select(whole, *named("a"))


@pytest.mark.parametrize("roots", [("a", "a/b"), ("a/b", "a", "c"), ("c", "c/d/e")])
def test_p01_no_file_may_be_in_two_datasets(roots: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="within the one at"):
        select(*named(*roots))


def test_p01_names_that_begin_alike_lie_beside_one_another() -> None:
    assert len(select(*named("a", "a-b", "ab")).datasets) == 4


# --- what a job chooses -----------------------------------------------------------------------------------------------


def test_a_job_that_wants_one_part_gets_that_part_of_each_dataset_and_the_rest() -> None:
    selected = select(RUN, OTHER, job=replace(JOB, parts=("raw",)))
    assert selected.datasets == [
        Dataset(REST, (Part(without=("a/other/", "a/run/", "r/run/")),)),
        RUN._replace(parts=RUN.parts[1:]),
    ]


@pytest.mark.parametrize("wanted", [("nonsense",), ("raw", "nonsense")])
def test_a_part_that_the_instrument_does_not_have_is_refused(wanted: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="no part 'nonsense'; it has raw, analysed"):
        select(RUN, job=replace(JOB, parts=wanted))


def test_p01_plates_are_chosen_by_name_or_field_and_those_that_are_not_there_are_told() -> None:
    first, second, third = named("x/P1", "x/P2", "x/P3")
    field = second._replace(fields=(("plate", "BR2"),))
    selected = select(third, first, field, job=replace(JOB, plates=("BR2", "gone", "x/P3", "BR3")))
    assert selected == Selected([field, third], ["gone", "BR3"])
    assert select(first, field, job=replace(JOB, plates=("x/P2",))).datasets == [field]
