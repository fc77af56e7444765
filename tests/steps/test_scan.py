"""Does a job see every file that it selects, once, and is what it cannot see an oddity instead of nothing?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast
from uuid import uuid4

import pytest

from coldchain.config.values import Job, Symlinks
from coldchain.errors import Denied, NotFound, StoreError, StoreGone
from coldchain.model import OWN_FOLDER, WHOLE_SOURCE, Entry, Oddity, Part, Place
from coldchain.steps.scan import Walks, growing, scan, selection
from coldchain.stores.base import Store
from coldchain.testing import FaultyStore, MemoryStore

JOB = Job("j", Place("source", "memory://none"), ())


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    made = MemoryStore(f"memory://{uuid4().hex}")
    yield made
    made.forget()


def filled(store: MemoryStore, *paths: str) -> MemoryStore:
    for path in paths:
        store.put(path, path.encode())
    return store


def scanned(store: Store, part: Part = WHOLE_SOURCE, job: Job = JOB) -> tuple[list[str], list[str]]:
    """What is found, and which files were shown to ``see``."""
    seen: list[str] = []
    found = [one.path for one in scan(Walks(store), part, job, lambda entry: seen.append(entry.path))]
    return found, seen


# --- what is chosen ---------------------------------------------------------------------------------------------------

CHOICES: list[tuple[tuple[str, ...], tuple[str, ...], str]] = [
    (("*",), (), "a.tif a.txt d/b.tif d/b.txt"),
    (("*.tif",), (), "a.tif d/b.tif"),
    (("*",), ("*.tif",), "a.txt d/b.txt"),
    (("*.tif",), ("d/",), "a.tif"),
    (("/d",), ("*.txt",), "d/b.tif"),
    (("nothing",), (), ""),
]


@pytest.mark.parametrize(("include", "exclude", "chosen"), CHOICES)
def test_what_a_job_includes_and_does_not_exclude_is_selected(
    store: MemoryStore, include: tuple[str, ...], exclude: tuple[str, ...], chosen: str
) -> None:
    paths = ["a.tif", "a.txt", "d/b.tif", "d/b.txt"]
    job = replace(JOB, include=include, exclude=exclude)
    found, seen = scanned(filled(store, *paths), job=job)
    assert found == [path for path in paths if selection(job)(path)] == chosen.split()
    assert seen == paths, "the instrument is shown every file"


def test_only_what_a_job_names_is_growing() -> None:
    assert not growing(JOB)("Monitor1.txt")
    is_growing = growing(replace(JOB, growing=("Monitor*.txt",)))
    assert [is_growing(path) for path in ("Monitor1.txt", "d/Monitor1.txt", "image.tif")] == [True, True, False]


def test_links_are_refused_unless_the_job_ignores_them_and_nothing_else_is_ignored(store: MemoryStore) -> None:
    for path, what in (("dev", "special"), ("link", "symlink"), ("locked", "unreadable")):
        store.put_oddity(Oddity(path, what, "why"))
    assert scanned(store)[0] == ["dev", "link", "locked"]
    assert scanned(store, job=replace(JOB, symlinks=Symlinks.IGNORE))[0] == ["dev", "locked"]
    assert scanned(store, job=replace(JOB, include=("l*",), exclude=("link",)))[0] == ["locked"]


def test_p01_a_folder_that_nobody_can_read_is_not_left_out_for_what_it_may_hold(store: MemoryStore) -> None:
    filled(store, "a.tif")
    store.put_oddity(Oddity("d/", "unreadable", "denied"))
    assert scanned(store, job=replace(JOB, include=("*.tif",)))[0] == ["a.tif", "d/"]
    assert scanned(store, job=replace(JOB, include=("*.tif",), exclude=("d/",)))[0] == ["a.tif"]


# --- what belongs to others -------------------------------------------------------------------------------------------


def test_coldchains_own_folder_is_no_data_at_the_top_and_data_below(store: MemoryStore) -> None:
    filled(store, f"{OWN_FOLDER}/destination.json", "a", f"d/{OWN_FOLDER}/x", f"{OWN_FOLDER}x")
    assert scanned(store)[0] == [f"{OWN_FOLDER}x", "a", f"d/{OWN_FOLDER}/x"]
    assert scanned(store, Part("d"))[0] == [f"d/{OWN_FOLDER}/x"]


def test_p01_what_belongs_to_other_datasets_and_only_that_is_left_out(store: MemoryStore) -> None:
    paths = ["D1", "D1.roi", "D11", "D2.roi", "a/x", "ab", "b/c/x", "b/cd", "e"]
    rest = Part(without=("a/", "b/c/", "D1", "D2"))
    found, seen = scanned(filled(store, *paths), rest)
    assert found == seen == ["ab", "b/cd", "e"]
    assert scanned(store, Part("", "D1"))[0] == ["D1", "D1.roi", "D11"]
    assert scanned(store, Part("b", "c"))[0] == ["b/c/x", "b/cd"]
    assert scanned(store, Part("a"))[0] == ["a/x"]


@pytest.mark.parametrize(
    ("error", "part"),
    [(Denied, WHOLE_SOURCE), (StoreGone, Part("d")), (StoreGone, WHOLE_SOURCE), (NotFound, Part("d"))],
)
def test_p10_a_source_that_cannot_be_listed_is_no_empty_one(
    store: MemoryStore, error: type[StoreError], part: Part
) -> None:
    faulty = FaultyStore(filled(store, "d/a"))
    faulty.fail("store.list", error)
    with pytest.raises(error):
        scanned(faulty, part)


@pytest.mark.parametrize("part", [Part("d"), Part("d", "a")])
def test_p01_a_dataset_whose_folder_cannot_be_opened_is_an_oddity_and_the_others_go_on(
    store: MemoryStore, part: Part
) -> None:
    faulty = FaultyStore(filled(store, "d/a", "e/b"))
    faulty.fail("store.list", Denied, keys=["d"])
    walks = Walks(cast("Store", faulty))
    (found,) = scan(walks, part, JOB, lambda entry: None)
    assert isinstance(found, Oddity)
    assert (found.path, found.what) == ("d/", "unreadable")
    assert "Denied" in found.reason
    (other,) = scan(walks, Part("e"), JOB, lambda entry: None)
    assert isinstance(other, Entry)


# --- ranges of one listing --------------------------------------------------------------------------------------------


def test_ranges_that_come_in_order_cost_one_listing(store: MemoryStore) -> None:
    faulty = FaultyStore(filled(store, "f/A1", "f/A2", "f/B1", "f/D1", "f/D2"))
    walks = Walks(cast("Store", faulty))

    def walk(folder: str, begins: str, *without: str) -> list[str]:
        return [one.path for one in walks.walk(folder, begins, without)]

    def listings() -> int:
        return sum(call.verb == "store.list" for call in faulty.calls)

    assert walk("f", "A") == ["f/A1", "f/A2"]
    assert walk("f", "C") == []
    assert walk("f", "D") == ["f/D1", "f/D2"]
    assert listings() == 1
    assert walk("f", "B") == ["f/B1"], "what was passed by is looked for anew"
    assert listings() == 2
    assert walk("f", "B") == ["f/B1"], "and so is what was there already"
    assert walk("f", "D", "f/B1") == ["f/D1", "f/D2"]
    assert listings() == 4, "another listing leaves out other folders"
    assert walk("", "f/B") == ["f/B1"]


def test_p01_of_a_range_that_was_left_the_next_one_misses_nothing(store: MemoryStore) -> None:
    walks = Walks(filled(store, "A1", "A2", "A3", "B1", "B2"))
    assert next(walks.walk("", "A", ())).path == "A1"
    assert [one.path for one in walks.walk("", "B", ())] == ["B1", "B2"]
    assert [one.path for one in walks.walk("", "C", ())] == []
