"""Does a reader give every byte once, in order and in small pieces, through the cache and past it?"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import time
from pathlib import Path

import pytest

from coldchain.errors import NotAFile, StoreError
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.local.reading import _ALIGNED, _BLOCK_BYTES
from coldchain.stores.local.store import LocalStore

SIZES = [0, 1, _ALIGNED - 1, _ALIGNED, _ALIGNED + 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1,
         _BLOCK_BYTES - _ALIGNED - 1, _BLOCK_BYTES - 1, _BLOCK_BYTES, _BLOCK_BYTES + 1, 2 * _BLOCK_BYTES,
         2 * _BLOCK_BYTES + 4321]  # fmt: skip
CONTENT = random.Random(1).randbytes(max(SIZES))


def descriptors() -> set[str]:
    """The numbers of all open files and folders; not of the connections and pipes that other tests' threads have."""
    gc.collect()  # what earlier tests left
    found = set()
    for number in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else []:
        with contextlib.suppress(OSError):  # that by which the folder itself is listed is closed by then
            if os.readlink(f"/proc/self/fd/{number}").startswith("/"):
                found.add(number)
    return found


@pytest.mark.parametrize("past_cache", [False, True])
@pytest.mark.parametrize("size_bytes", SIZES)
def test_every_byte_comes_once_and_in_order(both: LocalStore, place: Path, size_bytes: int, past_cache: bool) -> None:
    (place / "f").write_bytes(CONTENT[:size_bytes])
    with both.read("f", past_cache=past_cache) as reader:
        assert past_cache or reader.how == "cached"
        for _ in range(2):  # a reader may be read again
            chunks = [bytes(chunk) for chunk in reader.chunks()]
            assert b"".join(chunks) == CONTENT[:size_bytes]
            assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)
            assert len(chunks) == -(-size_bytes // CHUNK_BYTES)


@pytest.mark.parametrize("past_cache", [False, True])
@pytest.mark.parametrize(
    "size_bytes", [10, CHUNK_BYTES, CHUNK_BYTES + 10, _BLOCK_BYTES, _BLOCK_BYTES + 10, 2 * _BLOCK_BYTES]
)
@pytest.mark.parametrize("more", [1, _ALIGNED])
def test_p02_what_grew_since_it_was_opened_is_read_to_its_end(
    both: LocalStore, place: Path, size_bytes: int, past_cache: bool, more: int
) -> None:
    (place / "f").write_bytes(CONTENT[:size_bytes])
    with both.read("f", past_cache=past_cache) as reader:
        with (place / "f").open("ab") as file:
            file.write(CONTENT[size_bytes : size_bytes + more])
        assert b"".join(map(bytes, reader.chunks())) == CONTENT[: size_bytes + more]
        assert (reader.entry.size_bytes, reader.look_again().size_bytes) == (size_bytes, size_bytes + more)


def test_p02_what_is_read_ahead_goes_nowhere_near_what_is_being_looked_at(store: LocalStore, place: Path) -> None:
    (place / "f").write_bytes(CONTENT)
    with store.read("f", past_cache=True) as reader:
        ahead = reader.how == "direct"  # else nothing is read ahead
        done = 0
        for chunk in reader.chunks():
            block = done // _BLOCK_BYTES
            if ahead:
                reached(place / "f", min((block + 2) * _BLOCK_BYTES, len(CONTENT)))
            assert bytes(chunk) == CONTENT[done : done + len(chunk)]
            done += len(chunk)
    assert done == len(CONTENT)


def reached(file: Path, position: int) -> None:
    """Wait until the descriptor of the file stands there, as the system tells."""
    [fd] = [fd for fd in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{fd}") == str(file.resolve())]
    deadline = time.monotonic() + 20
    while int(Path("/proc/self/fdinfo", fd).read_text().split()[1]) < position:
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("past_cache", [False, True])
def test_what_was_cut_since_it_was_opened_ends_where_it_ends(both: LocalStore, place: Path, past_cache: bool) -> None:
    (place / "f").write_bytes(CONTENT)
    with both.read("f", past_cache=past_cache) as reader:
        os.truncate(place / "f", 5000)
        assert b"".join(map(bytes, reader.chunks())) == CONTENT[:5000]


def test_a_piece_is_what_stands_there_and_less_only_at_the_end(both: LocalStore, place: Path) -> None:
    (place / "f").write_bytes(CONTENT[:1000])
    with both.read("f") as reader:
        for offset, length in (
            (0, 10),
            (10, 5),
            (0, 1000),
            (990, 10),
            (990, 11),
            (999, 1),
            (1000, 1),
            (2000, 5),
            (3, 0),
        ):
            assert reader.piece(offset, length) == CONTENT[:1000][offset : offset + length]
        assert b"".join(map(bytes, reader.chunks())) == CONTENT[:1000], "pieces move nothing"


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="no file whose reading fails is at hand")
def test_p02_an_error_while_reading_is_no_end_of_the_file() -> None:
    store = LocalStore("/proc/self")
    with store.read("mem") as reader:  # nothing is mapped at its beginning: EIO
        with pytest.raises(StoreError):
            list(reader.chunks())
        with pytest.raises(StoreError):
            reader.piece(0, 10)
    store.close()


def test_a_folder_or_a_link_is_no_file_and_leaves_nothing_open(both: LocalStore, place: Path) -> None:
    (place / "folder").mkdir()
    (place / "f").write_bytes(b"f")
    (place / "link").symlink_to("f")
    os.mkfifo(place / "pipe")
    with both.read("f"):
        pass
    before = descriptors()
    for past_cache in (False, True):
        for key in ("folder", "link", "pipe"):
            with pytest.raises(NotAFile):
                both.read(key, past_cache=past_cache)
        with both.read("f", past_cache=past_cache) as reader:
            list(reader.chunks())
    assert descriptors() <= before
