"""Does a listing show everything, once, and in the order on which every comparison relies?"""

from __future__ import annotations

import pytest

from coldchain.errors import NotFound
from coldchain.stores.base import Store
from coldchain.testing.contract.acts import Subject, carry, everything, in_one_form, own, visible

ORDERED = [
    "0",
    "a-b",
    "a-b0/x",
    "a.txt",
    "a/b-c",
    "a/b.txt",
    "a/b/c",
    "a/b0",
    "a0",
    "b !/x",
    "b/x",
    "run1/x",
    "run10/x",
    "z",
    "é/x",
    "é0",
    "\ue000",
    "\ufffd",
    "\U00010000",
    "\U0001f9ea/x",
]
"""Ascending by code point of the whole key: "-" and "." sort before "/", "0" after it, and U+FFFD before U+10000,
which UTF-16 sorts the other way round."""


class ListingContract(Subject):
    """``list`` and ``folders``."""

    def test_a_listing_ascends_by_code_point_of_the_whole_key(self, store: Store) -> None:
        """A folder sorts as if its name ended in "/"."""
        assert sorted(ORDERED) == ORDERED
        rules = store.probe_names()
        keys = [key for key in ORDERED if not rules.refusal(key)]
        carry(store, dict.fromkeys(reversed(keys), b"x"))
        found = everything(store)
        assert found == sorted(found)
        assert in_one_form(rules, found) == in_one_form(rules, keys)

    def test_bytes_that_are_no_text_sort_between_the_letters_and_the_private_use_area(self, store: Store) -> None:
        """Lone surrogates, which stand for such bytes, have their own place in the order."""
        rules = store.probe_names()
        keys = [key for key in ("\ud7a3", "x\udc80", "\udcff", "\ue000") if not rules.refusal(key)]
        carry(store, dict.fromkeys(keys, b"x"))
        found = everything(store)
        assert found == sorted(found)
        assert in_one_form(rules, found) == in_one_form(rules, keys)

    def test_a_listing_is_an_iterator_of_what_stat_shows(self, store: Store) -> None:
        """It can be asked for the next item at once, and every item is the entry that ``stat`` gives."""
        carry(store, {"a": b"1", "b/c": b"22"})
        listing = store.list()
        assert next(listing) == store.stat("a")
        assert next(listing) == store.stat("b/c")
        assert next(listing, None) is None

    def test_a_prefix_is_a_folder_and_no_mere_beginning_of_a_name(self, store: Store) -> None:
        """The folder run1 holds nothing of run10, run1-b and run1.txt."""
        keys = ["run1-b/x", "run1.txt", "run1/a/b", "run1/x", "run10/x"]
        carry(store, dict.fromkeys(keys, b"x"))
        assert visible(store, "run1") == ["run1/a/b", "run1/x"]
        assert visible(store, "run1/a") == ["run1/a/b"]

    def test_folders_that_are_left_out_are_not_entered(self, store: Store) -> None:
        """``without`` holds whole keys of folders, at any depth."""
        keys = ["run/a/x", "run/ab/x", "run/b/a/x", "run/b/c/x", "run/d"]
        carry(store, dict.fromkeys(keys, b"x"))
        left = [item.path for item in store.list("run", without=["run/a", "run/b/c"])]
        assert left == ["run/ab/x", "run/b/a/x", "run/d"]

    def test_a_prefix_that_is_not_there_is_just_empty(self, store: Store) -> None:
        """Neither an error nor anything else."""
        assert list(store.list("absent")) == []
        carry(store, {"run/file": b"x"})
        assert list(store.list("absent")) == []
        assert list(store.list("run/absent")) == []
        assert list(store.list("ru")) == []

    def test_an_empty_store_lists_nothing(self, store: Store) -> None:
        """A store that has just been made has no file and no folder."""
        assert everything(store) == []
        assert list(store.folders()) == []

    def test_a_root_that_is_not_there_is_not_empty(self, store: Store) -> None:
        """A listing raises NotFound (P10), so that no one takes an absent disk for an empty one."""
        carry(store, {"file": b"x"})
        self.remove_root(store)
        with pytest.raises(NotFound):
            list(store.list())

    def test_folders_are_the_names_directly_below(self, store: Store) -> None:
        """Ascending, each once, without the files and without what lies deeper."""
        carry(store, dict.fromkeys(["file", "b/x", "a/x", "a/y", "a/deep/x", "a/deep/er/x", "c/x"], b"x"))
        assert [name for name in store.folders() if not own(name)] == ["a", "b", "c"]
        assert list(store.folders("a")) == ["deep"]
        assert list(store.folders("b")) == []
        assert list(store.folders("absent")) == []
