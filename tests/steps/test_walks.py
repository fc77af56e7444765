"""Are the ranges of one listing what separate listings would be, also when a listing breaks off?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldchain.errors import Unreliable
from coldchain.model import Entry
from coldchain.steps.scan import Walks
from coldchain.testing import FaultyStore, MemoryStore

NAMES = [f"{day}{number}" for day in ("A", "B", "C") for number in range(3)]


def filled(url: str, names: list[str]) -> MemoryStore:
    store = MemoryStore(url)
    for name in names:
        store.put(f"flat/{name}", name.encode())
    return store


@given(st.sets(st.text("ABC/0", min_size=1, max_size=4), max_size=12), st.lists(st.sampled_from("ABC"), max_size=5))
def test_ranges_of_one_listing_are_what_separate_listings_give(names: set[str], ranges: list[str]) -> None:
    plain = sorted(name for name in names if not name.startswith("/") and "//" not in name and not name.endswith("/"))
    whole = [name for name in plain if not any(other.startswith(f"{name}/") for other in plain)]
    store = filled("memory://ranges", whole)
    walks = Walks(store)
    for begins in ranges:
        found = [one.path for one in walks.walk("flat", begins, ())]
        assert found == sorted(f"flat/{name}" for name in whole if name.startswith(begins))
    for name in whole:
        store.delete(f"flat/{name}")


def test_p01_a_listing_that_broke_off_is_no_folder_without_the_other_datasets() -> None:
    faulty = FaultyStore(filled("memory://broken", NAMES))
    faulty.fail("listing.item", Unreliable)
    walks = Walks(faulty)
    with pytest.raises(Unreliable):
        list(walks.walk("flat", "A", ()))
    found = [one.path for one in walks.walk("flat", "B", ()) if isinstance(one, Entry)]
    assert found == ["flat/B0", "flat/B1", "flat/B2"]
