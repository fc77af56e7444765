"""Under which keys do files go, and which two would a destination confuse?"""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldchain.model import Dataset, Part
from coldchain.steps.collisions import Collisions
from coldchain.steps.layout import layout_of
from coldchain.steps.plan import next_version
from coldchain.stores.names import NameRules

name = st.text(st.sampled_from("aAbB.-~ éÉ\u0301\udcff\U0001f600"), min_size=1, max_size=3).filter(
    lambda text: text not in {".", ".."}
)
path = st.lists(name, min_size=1, max_size=4).map("/".join)
TEMPLATES = [
    "{path}",
    "x/{path}",
    "{job}/{path}",
    "{dataset}/{path}",
    "{job}/{dataset}/raw/{path}",
    "by-{dataset}/{path}",
]


@given(st.sampled_from(TEMPLATES), path, st.sets(path, max_size=8))
def test_p16_a_layout_gives_each_path_its_own_key_in_the_same_order(template: str, root: str, below: set[str]) -> None:
    part = Part(root)
    layout = layout_of(template, "job", Dataset(root, (part,)), part)
    paths = sorted(f"{root}/{one}" for one in below)
    keys = [layout.key(one) for one in paths]
    assert keys == sorted(set(keys))
    folder, begins, _ = layout.region(part)
    assert not begins
    assert all(key.startswith(f"{folder}/") for key in keys)


@given(st.sampled_from(TEMPLATES), st.sets(path, max_size=8))
def test_p16_files_outside_of_datasets_keep_their_paths_too(template: str, paths: set[str]) -> None:
    layout = layout_of(template, "job", Dataset("."), Part())
    keys = [layout.key(one) for one in sorted(paths)]
    assert keys == sorted(set(keys))


def twins(keys: list[str], rules: NameRules) -> list[bool]:
    """By brute force: is any part of a key spelled otherwise than by an earlier key that was let through, or not?"""
    spelled: dict[tuple[str, ...], str] = {}
    found = []
    for key in keys:
        parts = key.split("/")
        bad = False
        for depth in range(1, len(parts) + 1):
            exact = "/".join(parts[:depth])
            folded = (*parts[: depth - 1], rules.fold(parts[depth - 1]))
            if spelled.setdefault(folded, exact) != exact:
                bad = True
                break
        found.append(bad)
    return found


@pytest.mark.parametrize("rules", [NameRules(folds_case=True), NameRules(folds_unicode=True), NameRules(True, True)])
@given(paths=st.sets(path, max_size=30))
def test_p16_names_that_a_place_would_confuse_are_found(rules: NameRules, paths: set[str]) -> None:
    keys = sorted(paths)
    collisions = Collisions(rules)
    assert [bool(collisions.twin(key)) for key in keys] == twins(keys, rules)


@given(paths=st.sets(path, max_size=30))
def test_p16_of_names_that_are_let_through_no_two_are_one_file(paths: set[str]) -> None:
    rules = NameRules(folds_case=True, folds_unicode=True)
    collisions = Collisions(rules)
    passed = [key for key in sorted(paths) if not collisions.twin(key)]
    folded = [unicodedata.normalize("NFC", key.casefold()) for key in passed]
    assert len(set(folded)) == len(folded)


def test_p16_a_hundred_folders_between_two_twins_are_not_too_many() -> None:
    """The file lies in no dataset, and its twin is the folder of one: both below a folder above the datasets."""
    collisions = Collisions(NameRules(folds_case=True))
    collisions.enter("", {"p/q1"})
    for key in ["p/Q1", *(f"z{number:03}/f" for number in range(100))]:
        assert not collisions.twin(key)
    collisions.enter("p/q1")
    assert collisions.twin("p/q1/f") == "p/Q1"


def test_p16_a_twin_at_the_top_is_found_however_many_folders_lie_between() -> None:
    collisions = Collisions(NameRules(folds_case=True))
    for key in ["Q/f", *(f"a{number:03}/f" for number in range(100))]:
        assert not collisions.twin(key)
    assert collisions.twin("q/f") == "Q"


def test_p16_a_very_deep_folder_hides_no_twin_of_its_dataset() -> None:
    collisions = Collisions(NameRules(folds_case=True))
    collisions.enter("p/Q1")
    assert not collisions.twin(f"p/Q1/{'d/' * 70}f")
    collisions.enter("p/q1")
    assert collisions.twin("p/q1/f") == "p/Q1"


def test_memory_stays_flat_however_many_folders_come() -> None:
    collisions = Collisions(NameRules(folds_case=True))
    for number in range(5000):
        assert not collisions.twin(f"p/z{number:05}/f")
    assert len(collisions._names) <= 66


VERSIONS = [
    ("plate.tif", set(), "plate~v2.tif"),
    ("plate.tif", {"plate~v2.tif"}, "plate~v3.tif"),
    ("d.x/plate", set(), "d.x/plate~v2"),
    ("d/.hidden", {"d/.hidden~v2"}, "d/.hidden~v3"),
    ("a.tar.gz", set(), "a.tar~v2.gz"),
    ("a.", set(), "a~v2."),
]


@pytest.mark.parametrize(("key", "taken", "free"), VERSIONS)
def test_a_version_gets_the_first_free_name(key: str, taken: set[str], free: str) -> None:
    assert next_version(key, taken.__contains__) == free


@given(path, st.integers(0, 5))
def test_a_version_stands_in_the_same_folder_under_a_name_that_is_free(key: str, versions: int) -> None:
    taken = {key}
    for _ in range(versions + 1):
        new = next_version(key, taken.__contains__)
        assert new not in taken
        assert new.rpartition("/")[0] == key.rpartition("/")[0]
        taken.add(new)
