"""Does a store give back what it holds, and say truly what that is?"""

from __future__ import annotations

import pytest

from coldchain.errors import NotAFile, NotFound, StoreError
from coldchain.stores.base import CHUNK_BYTES, Store
from coldchain.testing.contract.acts import Subject, carry, content_of, everything, joined, some_bytes

SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES]


class ReadingContract(Subject):
    """``stat``, ``read``, ``delete``, ``busy`` and the reader."""

    @pytest.mark.parametrize("size_bytes", SIZES)
    def test_content_comes_back_as_it_went(self, store: Store, size_bytes: int) -> None:
        """Every size, also those around the piece in which content travels."""
        content = some_bytes(size_bytes)
        entry = carry(store, {"run/file.bin": content})["run/file.bin"]
        assert content_of(store, "run/file.bin") == content
        assert entry.size_bytes == store.stat("run/file.bin").size_bytes == size_bytes

    @pytest.mark.parametrize("size_bytes", SIZES)
    def test_content_comes_back_past_the_cache(self, store: Store, size_bytes: int) -> None:
        """Reading past the cache gives the same bytes, and says how it read."""
        content = some_bytes(size_bytes)
        carry(store, {"file.bin": content})
        with store.read("file.bin", past_cache=True) as reader:
            assert joined(reader) == content
            assert reader.how, "`how` names the means of reading"

    @pytest.mark.parametrize("size_bytes", SIZES)
    @pytest.mark.parametrize("past_cache", [False, True])
    def test_pieces_are_no_larger_than_a_chunk(self, store: Store, size_bytes: int, *, past_cache: bool) -> None:
        """A file of up to a chunk comes in one piece, an empty one in none."""
        carry(store, {"file.bin": some_bytes(size_bytes)})
        with store.read("file.bin", past_cache=past_cache) as reader:
            pieces = [len(chunk) for chunk in reader.chunks()]
        assert sum(pieces) == size_bytes
        assert all(0 < piece <= CHUNK_BYTES for piece in pieces)
        if size_bytes <= CHUNK_BYTES:
            assert len(pieces) == min(size_bytes, 1)

    def test_a_piece_is_what_stands_there(self, store: Store) -> None:
        """Wherever it begins, shorter only at the end; the chunks neither notice it nor disturb it."""
        content = some_bytes(2 * CHUNK_BYTES + 5)
        carry(store, {"file.bin": content})
        with store.read("file.bin") as reader:
            chunks = iter(reader.chunks())
            first = bytes(next(chunks))
            for offset, length in [(0, 4), (7, CHUNK_BYTES + 9), (len(content) - 3, 10), (len(content), 1), (5, 0)]:
                assert reader.piece(offset, length) == content[offset : offset + length]
            assert first + b"".join(map(bytes, chunks)) == content

    def test_a_reader_shows_the_entry_that_stat_shows(self, store: Store) -> None:
        """The entry is that of the opened file, and stays while nothing changes."""
        carry(store, {"file.bin": some_bytes(10)})
        with store.read("file.bin") as reader:
            assert reader.entry == store.stat("file.bin")
            joined(reader)
            assert reader.look_again() == reader.entry

    def test_looking_again_sees_a_change(self, store: Store) -> None:
        """A file that is written while it is open looks another one, by size or by time."""
        carry(store, {"file.bin": some_bytes(10)})
        with store.read("file.bin") as reader:
            self.tamper(store, "file.bin", some_bytes(11))
            assert reader.look_again() != reader.entry

    def test_reading_while_a_name_is_deleted_gives_the_whole_content_or_an_error(self, store: Store) -> None:
        """An opened file never becomes shorter in silence."""
        content = some_bytes(2 * CHUNK_BYTES)
        carry(store, {"file.bin": content})
        with store.read("file.bin") as reader:
            pieces = reader.chunks()
            first = bytes(next(pieces))
            store.delete("file.bin")
            try:
                rest = b"".join([bytes(chunk) for chunk in pieces])
            except StoreError:
                return
            assert first + rest == content

    def test_nobody_seems_to_write_a_file_that_rests(self, store: Store) -> None:
        """``busy`` is an empty phrase, and a reader says the same."""
        carry(store, {"file.bin": b"x"})
        assert store.busy("file.bin") == ""
        with store.read("file.bin") as reader:
            assert reader.being_written() is False

    def test_what_is_not_there_is_not_found(self, store: Store) -> None:
        """``stat``, ``read`` and ``delete`` raise NotFound, with URL and key."""
        carry(store, {"run/there": b"x"})
        for key in ("absent", "run/absent", "absent/below"):
            for verb in (store.stat, store.read, store.delete):
                with pytest.raises(NotFound) as caught:
                    verb(key)
                assert (caught.value.url, caught.value.key) == (store.url, key)

    def test_a_name_below_a_file_is_not_found(self, store: Store) -> None:
        """Nothing stands below a file."""
        carry(store, {"file": b"x"})
        with pytest.raises(NotFound):
            store.stat("file/below")

    def test_a_folder_is_no_file(self, store: Store) -> None:
        """A folder can be neither looked at, read nor deleted as if it were a file."""
        carry(store, {"folder/file": b"x"})
        for verb in (store.stat, store.read):
            with pytest.raises((NotFound, NotAFile)):
                verb("folder")
        with pytest.raises(StoreError):
            store.delete("folder")
        assert everything(store) == ["folder/file"]

    @pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/hostname", "run/..", "./a", "a//b"])
    def test_no_name_leads_out_of_the_store(self, store: Store, key: str) -> None:
        """What is no name below the store is an error for every verb."""
        carry(store, {"run/a": b"x"})
        for verb in (store.stat, store.read, store.delete):
            with pytest.raises(StoreError):
                verb(key)
        assert everything(store) == ["run/a"]

    def test_deleting_removes_one_file_and_nothing_else(self, store: Store) -> None:
        """The neighbours stay, also when the last file of a folder goes."""
        carry(store, {"run/a": b"1", "run/b": b"2", "other/c": b"3"})
        store.delete("run/a")
        store.delete("other/c")
        assert everything(store) == ["run/b"]
        with pytest.raises(NotFound):
            store.stat("run/a")
        carry(store, {"run/a": b"again", "other/c": b"again"})
        assert content_of(store, "run/a") == b"again"
