"""Is what was staged invisible, whole, and gone when it shall be?"""

from __future__ import annotations

import stat as stats
from collections.abc import Callable
from itertools import pairwise

import pytest

from coldchain.errors import NotFound, StoreError
from coldchain.stores.base import CHUNK_BYTES, Store
from coldchain.testing.contract.acts import (
    MTIME_NS,
    OWNER,
    Subject,
    arrived,
    carry,
    content_of,
    entry_for,
    everything,
    joined,
    put_in,
    refused,
    replace,
    some_bytes,
    staging_of,
    visible,
)
from coldchain.testing.contract.reading import SIZES


class StagingContract(Subject):
    """``stage``, the sink, ``flush``, ``read_back``, ``discard`` and ``close``."""

    def test_nothing_is_visible_before_it_is_published(self, store: Store) -> None:
        """Not while it is written, nor when it is closed, nor when it is flushed (P3)."""
        with staging_of(store) as staging:
            sink = staging.open("run/file", entry_for("run/file", b"12"))
            steps: list[Callable[[], None]] = [lambda: sink.write(b"12"), sink.close, staging.flush]
            for step in steps:
                step()
                assert visible(store) == []
                with pytest.raises(NotFound):
                    store.stat("run/file")
            arrived(staging.publish({"run/file": None})["run/file"])
        assert visible(store) == ["run/file"]

    @pytest.mark.parametrize("size_bytes", SIZES)
    def test_what_was_staged_can_be_read_back(self, store: Store, size_bytes: int) -> None:
        """The bytes are proved before the name appears, or, where there is no way to, right after that (P2)."""
        content = some_bytes(size_bytes)
        with staging_of(store) as staging:
            put_in(staging, "file.bin", content)
            staging.flush()
            if store.traits.proves_published:
                with pytest.raises(StoreError):
                    staging.read_back("file.bin")
                arrived(staging.publish({"file.bin": None})["file.bin"])
            with staging.read_back("file.bin") as reader:
                assert joined(reader) == content
                assert reader.entry.size_bytes == size_bytes
                assert reader.how
            if not store.traits.proves_published:
                arrived(staging.publish({"file.bin": None})["file.bin"])
        assert content_of(store, "file.bin") == content

    @pytest.mark.parametrize("size_bytes", SIZES)
    def test_a_store_vouches_only_in_its_own_name(self, store: Store, size_bytes: int) -> None:
        """After publishing it names a digest of its own, or nothing; of what it does not keep, always nothing."""
        with staging_of(store) as staging:
            put_in(staging, "file.bin", some_bytes(size_bytes))
            staging.flush()
            arrived(staging.publish({"file.bin": None})["file.bin"])
            assert staging.vouched("file.bin") in {"", *store.traits.vouches}
            assert staging.vouched("absent") == ""

    def test_what_was_published_is_taken_back_where_proof_comes_after(self, store: Store) -> None:
        """And only while it is what this staging wrote: the file of another writer stays (P5)."""
        if not store.traits.proves_published:
            return  # nothing that was published is ever taken back
        with staging_of(store) as staging:
            for key in ("wrong", "replaced"):
                put_in(staging, key, b"wrong")
            staging.flush()
            results = staging.publish({"wrong": None, "replaced": None})
            arrived(replace(store, "replaced", b"of another writer", arrived(results["replaced"])))
            staging.discard("wrong")
            staging.discard("replaced")
        assert everything(store) == ["replaced"]
        assert content_of(store, "replaced") == b"of another writer"

    def test_what_was_not_staged_cannot_be_read_back(self, store: Store) -> None:
        """Nor what is still being written, nor what stands there from before: each is an error of the store."""
        carry(store, {"standing": b"x"})
        with staging_of(store) as staging:
            staging.open("open", entry_for("open", b"x"))
            for key in ("absent", "standing", "open"):
                with pytest.raises(StoreError):
                    staging.read_back(key)

    def test_a_piece_may_be_overwritten_as_soon_as_it_was_taken(self, store: Store) -> None:
        """Pieces are valid only until the next one is asked for, so a sink keeps no hold of them."""
        buffer = bytearray(some_bytes(1000))
        with staging_of(store) as staging:
            sink = staging.open("file.bin", entry_for("file.bin", b"x" * 2000))
            with memoryview(buffer) as piece:
                sink.write(piece)
            buffer[:] = some_bytes(1000, salt=1)
            sink.write(memoryview(buffer))
            buffer[:] = bytes(1000)
            sink.close()
            staging.flush()
            arrived(staging.publish({"file.bin": None})["file.bin"])
        assert content_of(store, "file.bin") == some_bytes(1000) + some_bytes(1000, salt=1)

    def test_what_was_written_counts_and_not_what_was_announced(self, store: Store) -> None:
        """A source that grows while it is read is longer than its entry said."""
        with staging_of(store) as staging:
            put_in(staging, "longer", b"123456", entry_for("longer", b"1"))
            put_in(staging, "shorter", b"1", entry_for("shorter", b"123456"))
            staging.flush()
            results = staging.publish({"longer": None, "shorter": None})
        assert [arrived(results[key]).size_bytes for key in ("longer", "shorter")] == [6, 1]
        assert [content_of(store, key) for key in ("longer", "shorter")] == [b"123456", b"1"]

    def test_a_file_that_is_not_closed_is_never_published(self, store: Store) -> None:
        """It is refused for its key alone, and leaves nothing behind."""
        with staging_of(store) as staging:
            staging.open("open", entry_for("open", b"x")).write(b"x")
            put_in(staging, "closed", b"y")
            staging.flush()
            results = staging.publish({"open": None, "closed": None})
            refused(results["open"])
            arrived(results["closed"])
        assert everything(store) == ["closed"]

    def test_an_aborted_file_leaves_nothing_behind(self, store: Store) -> None:
        """Not even a temporary name; and the key can be written again at once."""
        with staging_of(store) as staging:
            sink = staging.open("run/file", entry_for("run/file", b"wrong"))
            sink.write(b"wro")
            sink.abort()
            assert everything(store) == []
            put_in(staging, "run/file", b"right")
            staging.flush()
            arrived(staging.publish({"run/file": None})["run/file"])
        assert content_of(store, "run/file") == b"right"
        assert everything(store) == ["run/file"]

    def test_a_discarded_file_leaves_nothing_behind(self, store: Store) -> None:
        """Its neighbours in the staging stay; and the key can be written again at once."""
        with staging_of(store) as staging:
            put_in(staging, "a", b"wrong")
            put_in(staging, "b", b"kept")
            staging.discard("a")
            refused(staging.publish({"a": None})["a"])
            put_in(staging, "a", b"right")
            staging.flush()
            results = staging.publish({"a": None, "b": None})
            assert all(arrived(result) for result in results.values())
        assert [content_of(store, key) for key in ("a", "b")] == [b"right", b"kept"]
        assert everything(store) == ["a", "b"]

    def test_closing_forgets_everything_that_was_not_published(self, store: Store) -> None:
        """Closed files, and files that were still being written."""
        with staging_of(store) as staging:
            put_in(staging, "run/published", b"x")
            put_in(staging, "run/closed", b"y")
            staging.open("run/open", entry_for("run/open", b"z")).write(b"z")
            staging.flush()
            arrived(staging.publish({"run/published": None})["run/published"])
        assert everything(store) == ["run/published"]

    def test_a_staging_can_be_used_for_one_batch_after_another(self, store: Store) -> None:
        """Publishing some files leaves the others staged."""
        with staging_of(store) as staging:
            put_in(staging, "a", b"1")
            put_in(staging, "b", b"2")
            staging.flush()
            arrived(staging.publish({"a": None})["a"])
            put_in(staging, "c", b"3")
            staging.flush()
            results = staging.publish({"b": None, "c": None})
            assert all(arrived(result) for result in results.values())
        assert everything(store) == ["a", "b", "c"]

    def test_what_stands_already_can_be_settled(self, store: Store) -> None:
        """A file that is adopted is made durable by the next flush, and stays as it is."""
        before = carry(store, {"run/adopted": b"x"})["run/adopted"]
        with staging_of(store) as staging:
            staging.settle("run/adopted")
            staging.flush()
        assert store.stat("run/adopted") == before

    def test_settling_what_is_not_there_fails(self, store: Store) -> None:
        """At once or at the flush: nobody may believe that an absent file is durable."""
        with staging_of(store) as staging, pytest.raises(StoreError):
            staging.settle("absent")
            staging.flush()

    @pytest.mark.parametrize("mtime_ns", [MTIME_NS, MTIME_NS + 1_123_456_789, 946_684_800_000_000_000, 2**31 * 10**9])
    def test_the_time_of_the_source_is_kept(self, store: Store, mtime_ns: int) -> None:
        """As finely as the place says that it keeps times, if it says that it does."""
        with staging_of(store) as staging:
            put_in(staging, "file", b"x", entry_for("file", b"x", mtime_ns))
            staging.flush()
            arrived(staging.publish({"file": None})["file"])
        if store.traits.keeps_mtime:
            assert abs(store.stat("file").mtime_ns - mtime_ns) < store.traits.mtime_step_ns
        else:
            assert store.stat("file").mtime_ns > 0

    @pytest.mark.parametrize("mode", [0o640, 0o755, 0o444])
    def test_the_mode_of_the_source_is_kept_where_there_are_modes(self, store: Store, mode: int) -> None:
        """A place without modes shows 0."""
        with staging_of(store) as staging:
            put_in(staging, "file", b"x", entry_for("file", b"x", mode=stats.S_IFREG | mode))
            staging.flush()
            arrived(staging.publish({"file": None})["file"])
        assert store.stat("file").mode == 0 or stats.S_IMODE(store.stat("file").mode) == mode

    def test_the_sum_of_many_pieces_is_one_file(self, store: Store) -> None:
        """Small and large, empty ones among them."""
        content = some_bytes(CHUNK_BYTES + 4321)
        with staging_of(store, OWNER) as staging:
            sink = staging.open("file.bin", entry_for("file.bin", content))
            for start, end in pairwise([0, 1, 1, 4096, 4096 + CHUNK_BYTES, len(content)]):
                sink.write(content[start:end])
            sink.close()
            staging.flush()
            arrived(staging.publish({"file.bin": None})["file.bin"])
        assert content_of(store, "file.bin") == content
