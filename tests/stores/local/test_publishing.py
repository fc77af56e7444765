"""Is what publishing says true, whatever happens in the folder meanwhile?"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from coldchain.errors import Occupied, Unreliable
from coldchain.model import Entry
from coldchain.stores.local.posix import PosixRoot
from coldchain.stores.local.store import LocalStore
from tests.stores.local.carrying import OWNER, entry, send, standing


def test_a_folder_that_somebody_removes_between_two_files_is_made_again(both: LocalStore, place: Path) -> None:
    staging = both.stage(OWNER)
    staging.open("a/b/f", entry("a/b/f")).abort()
    (place / "a/b").rmdir()
    (place / "a").rmdir()
    sink = staging.open("a/b/g", entry("a/b/g"))
    sink.write(b"x")
    sink.close()
    staging.flush()
    assert isinstance(staging.publish({"a/b/g": None})["a/b/g"], Entry)
    staging.close()
    assert standing(place) == {"a/b/g": b"x"}


class Blind(PosixRoot):
    """A place at which one name cannot be looked at once it is there."""

    def stat(self, key: str) -> os.stat_result:
        found = super().stat(key)
        if key == "bad":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return found


def test_p02_what_cannot_be_looked_at_in_the_end_is_no_success_and_the_others_are(place: Path) -> None:
    store = LocalStore(str(place), Blind)
    results = send(store, {"a": b"1", "bad": b"2", "c": b"3"})
    assert isinstance(results["bad"], Unreliable)
    assert (results["bad"].key, results["bad"].url) == ("bad", str(place))
    assert isinstance(results["a"], Entry)
    assert isinstance(results["c"], Entry)
    store.close()


class Vague(PosixRoot):
    """A place of which nobody knows whether its inodes and times of change mean something."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.stable_inodes = False


def test_p05_a_time_of_change_that_is_unknown_or_means_nothing_hinders_nobody(place: Path, store: LocalStore) -> None:
    old = send(store, {"f": b"old"})["f"]
    assert isinstance(old, Entry)
    result = send(store, {"f": b"new"}, old={"f": old._replace(ctime_ns=0)})["f"]
    assert isinstance(result, Entry)
    refused = send(store, {"f": b"not"}, old={"f": result._replace(ctime_ns=result.ctime_ns - 1)})["f"]
    assert isinstance(refused, Occupied), "here it means something"
    vague = LocalStore(str(place), Vague)
    result = send(vague, {"f": b"newer"}, old={"f": result._replace(ctime_ns=result.ctime_ns - 1)})["f"]
    assert isinstance(result, Entry)
    vague.close()
    assert standing(place) == {"f": b"newer"}
