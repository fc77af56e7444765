"""Does a name appear only where it may, and whole?"""

from __future__ import annotations

import pytest

from coldchain.errors import Occupied, StoreError
from coldchain.model import Entry
from coldchain.stores.base import CHUNK_BYTES, Store
from coldchain.testing.contract.acts import (
    Subject,
    arrived,
    carry,
    content_of,
    everything,
    put_in,
    refused,
    replace,
    some_bytes,
    staging_of,
)


class PublishingContract(Subject):
    """``publish``."""

    def test_the_result_is_what_now_stands_there(self, store: Store) -> None:
        """For each key, the very entry that ``stat`` and a listing show."""
        entries = carry(store, {"a": b"1", "run/b": b"22"})
        assert entries == {key: store.stat(key) for key in entries}
        assert list(entries.values()) == list(store.list())

    def test_nothing_asked_nothing_done(self, store: Store) -> None:
        """No key, no result."""
        with staging_of(store) as staging:
            staging.flush()
            assert staging.publish({}) == {}

    def test_a_name_that_is_taken_is_occupied_and_spoils_no_other(self, store: Store) -> None:
        """What other people put there stays as it is (P5)."""
        before = carry(store, {"run/b": b"theirs"})["run/b"]
        with staging_of(store) as staging:
            for key in ("run/a", "run/b", "run/c"):
                put_in(staging, key, b"ours")
            staging.flush()
            results = staging.publish({"run/a": None, "run/b": None, "run/c": None})
        error = refused(results["run/b"])
        assert isinstance(error, Occupied)
        assert (error.url, error.key) == (store.url, "run/b")
        assert arrived(results["run/a"]) == store.stat("run/a")
        assert arrived(results["run/c"]) == store.stat("run/c")
        assert store.stat("run/b") == before
        assert content_of(store, "run/b") == b"theirs"
        assert everything(store) == ["run/a", "run/b", "run/c"]

    def test_equal_content_is_occupied_as_well(self, store: Store) -> None:
        """To adopt what stands there is for the caller to decide."""
        carry(store, {"a": b"same"})
        with staging_of(store) as staging:
            put_in(staging, "a", b"same")
            staging.flush()
            assert isinstance(staging.publish({"a": None})["a"], Occupied)

    def test_what_still_looks_the_same_is_replaced(self, store: Store) -> None:
        """The new content has the name, and nothing of the old one is left."""
        before = carry(store, {"run/a": b"old", "run/b": b"other"})
        after = arrived(replace(store, "run/a", b"newer", before["run/a"]))
        assert after == store.stat("run/a")
        assert content_of(store, "run/a") == b"newer"
        assert content_of(store, "run/b") == b"other"
        assert everything(store) == ["run/a", "run/b"]

    def test_the_entry_of_a_listing_is_good_for_replacing(self, store: Store) -> None:
        """So is that of ``stat``: all of them show one file alike."""
        carry(store, {"run/a": b"old"})
        (listed,) = store.list("run")
        assert isinstance(listed, Entry)
        arrived(replace(store, "run/a", b"new", listed))
        arrived(replace(store, "run/a", b"newer", store.stat("run/a")))
        with store.read("run/a") as reader:
            opened = reader.entry
        arrived(replace(store, "run/a", b"newest", opened))
        assert content_of(store, "run/a") == b"newest"

    def test_what_looks_another_one_is_not_replaced(self, store: Store) -> None:
        """Each of size, time and, where it means something, inode tells (P5)."""
        found = carry(store, {"a": b"theirs"})["a"]
        others = [found._replace(size_bytes=5), found._replace(mtime_ns=found.mtime_ns - 10_000_000_000)]
        if store.traits.stable_inodes and found.inode:
            others.append(found._replace(inode=found.inode + 1))
        for expected in others:
            error = refused(replace(store, "a", b"ours", expected))
            assert (error.url, error.key) == (store.url, "a")
            assert content_of(store, "a") == b"theirs"
        assert everything(store) == ["a"]

    def test_what_was_replaced_meanwhile_is_not_replaced_again(self, store: Store) -> None:
        """An entry that was seen too early is worth nothing."""
        seen = carry(store, {"a": b"first"})["a"]
        arrived(replace(store, "a", b"second one", seen))
        refused(replace(store, "a", b"third", seen))
        assert content_of(store, "a") == b"second one"

    def test_what_is_gone_is_not_replaced(self, store: Store) -> None:
        """The caller believed something that is no longer so, and decides anew."""
        seen = carry(store, {"a": b"first"})["a"]
        store.delete("a")
        refused(replace(store, "a", b"second", seen))
        assert everything(store) == []

    def test_a_file_and_a_folder_cannot_share_a_name(self, store: Store) -> None:
        """A key below a file and a file in the place of a folder are occupied; what stood there stays.

        Where there are no folders, both may stand.
        """
        carry(store, {"file": b"1", "folder/x": b"2"})
        for key in ("file/below", "folder", "file/below/deeper"):
            with staging_of(store) as staging:
                try:
                    put_in(staging, key, b"ours")
                    staging.flush()
                    result = staging.publish({key: None})[key]
                except StoreError as raised:
                    result = raised
            if isinstance(result, Entry) and not store.traits.has_folders:
                assert everything(store) == sorted(["file", "folder/x", key])
                store.delete(key)
                continue
            error = refused(result)
            assert isinstance(error, Occupied), f"{key}: {error!r}"
            assert (error.url, error.key) == (store.url, key)
            assert everything(store) == ["file", "folder/x"]
        assert content_of(store, "file") == b"1"

    def test_who_opened_a_file_before_it_was_replaced_reads_no_mixture(self, store: Store) -> None:
        """A reader goes on with the content that it began with, or has an error."""
        old, new = some_bytes(3 * CHUNK_BYTES), some_bytes(3 * CHUNK_BYTES, salt=1)
        seen = carry(store, {"a": old})["a"]
        with store.read("a") as reader:
            pieces = reader.chunks()
            content = bytes(next(pieces))
            arrived(replace(store, "a", new, seen))
            try:
                content += b"".join([bytes(chunk) for chunk in pieces])
            except StoreError:
                return
        assert content == old, "a mixture of old and new content"

    @pytest.mark.parametrize("key", ["../outside", "a/../b", "/absolute", "a//b", "./a", ""])
    def test_what_is_no_name_is_never_written(self, store: Store, key: str) -> None:
        """Refused at the latest when it shall be published, and nothing is left behind."""
        with staging_of(store) as staging:
            try:
                put_in(staging, key, b"x")
                staging.flush()
                refused(staging.publish({key: None})[key])
            except StoreError:
                pass
        assert everything(store) == []
