"""Is what publishing says true, whatever happens in the folder meanwhile?"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from coldchain.errors import NotFound, Occupied, Unreliable
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


def test_a_temporary_file_that_somebody_removed_is_missing_and_no_refused_name(both: LocalStore, place: Path) -> None:
    staging = both.stage(OWNER)
    staging.open("f", entry("f")).close()
    staging.flush()
    for path in place.iterdir():
        path.unlink()
    result = staging.publish({"f": None})["f"]
    assert type(result) is NotFound
    assert result.key == "f"
    staging.close()


def test_what_is_closed_twice_closes_nothing_of_others(both: LocalStore, place: Path) -> None:
    """A number that was given back is soon that of another file."""
    (place / "g").write_bytes(b"x")
    others: list[int] = []

    def twice(close: Callable[[], None]) -> None:
        close()
        others.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(8))
        close()

    staging = both.stage(OWNER)
    sink = staging.open("f", entry("f"))
    twice(sink.abort)
    reader = both.read("g")
    twice(lambda: reader.__exit__(None, None, None))
    twice(staging.close)
    twice(both.close)
    for fd in others:
        os.fstat(fd)
        os.close(fd)


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
