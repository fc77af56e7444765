"""Is what is read of an object that very object, and all of it?"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from coldchain.errors import ChangedUnderway, NotFound, Unreliable
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.objects.bucket import Found
from coldchain.stores.objects.reading import _AHEAD, _BLOCK_BYTES
from coldchain.testing.contract.acts import some_bytes
from tests.stores.objects.remembering import RememberingBucket, Server, store_of

SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, CHUNK_BYTES + _BLOCK_BYTES,
         CHUNK_BYTES + _BLOCK_BYTES + 1, 8 * _BLOCK_BYTES + 7]  # fmt: skip
CONTENT = some_bytes(max(SIZES))


def threads() -> int:
    return sum(thread.name.startswith("ahead") for thread in threading.enumerate())


@pytest.mark.parametrize("size_bytes", SIZES)
def test_every_byte_comes_once_and_in_order_and_no_thread_stays(size_bytes: int) -> None:
    server = Server()
    server.make("f", CONTENT[:size_bytes], {})
    with store_of(server).read("f") as reader:
        for _ in range(2):
            chunks = [bytes(chunk) for chunk in reader.chunks()]
            assert b"".join(chunks) == CONTENT[:size_bytes]
            assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)
    assert threads() == 0


def test_only_a_few_blocks_are_on_their_way_ahead_of_what_is_read() -> None:
    server = Server()
    server.make("f", CONTENT, {})
    with store_of(server).read("f") as reader:
        done = 0
        for chunk in reader.chunks():
            done += len(chunk)
            asked = server.asked.count("get f") - 1
            assert asked <= max(0, done - CHUNK_BYTES) // _BLOCK_BYTES + _AHEAD + 1
    assert threads() == 0


def test_a_piece_is_what_stands_there_and_less_only_at_the_end() -> None:
    server, size = Server(), CHUNK_BYTES + 1000
    server.make("f", CONTENT[:size], {})
    with store_of(server).read("f") as reader:
        for offset, length in (
            *((0, 10), (5, 5), (0, CHUNK_BYTES), (0, CHUNK_BYTES + 1), (CHUNK_BYTES - 1, 1), (CHUNK_BYTES, 1)),
            *((size - 10, 10), (size - 10, 11), (size - 1, 1), (size, 1), (size + 5, 1), (3, 0)),
        ):
            server.asked.clear()
            assert reader.piece(offset, length) == CONTENT[:size][offset : offset + length]
            inside = offset + length <= CHUNK_BYTES or offset >= size
            assert server.asked == ([] if inside else ["get f"]), "the first chunk is here already"


@pytest.mark.parametrize("replaced", [True, False])
def test_p02_what_was_replaced_or_removed_since_it_was_opened_is_not_read_on(replaced: bool) -> None:
    server = Server()
    server.make("f", CONTENT, {})
    with store_of(server).read("f") as reader:
        if replaced:
            server.make("f", CONTENT, {})
            assert reader.look_again() != reader.entry
        else:
            del server.objects["f"]
        with pytest.raises(ChangedUnderway) as caught:
            list(reader.chunks())
        assert caught.value.key == "f"
        with pytest.raises(ChangedUnderway):
            reader.piece(CHUNK_BYTES, 10)


def test_what_is_replaced_between_two_questions_is_asked_for_again() -> None:
    class Moving(RememberingBucket):
        left = 3

        def get(self, path: str, offset: int, length: int, found: Found) -> bytes | memoryview:
            if self.left:
                self.left -= 1
                self.server.make(path, f"{self.left}".encode(), {})
            return super().get(path, offset, length, found)

    class Fleeting(Moving):
        left = 1000

    server = Server()
    server.make("f", b"x", {})
    with store_of(server, Moving).read("f") as reader:
        assert b"".join(map(bytes, reader.chunks())) == b"0"
        assert reader.entry == store_of(server).stat("f")
    with pytest.raises(ChangedUnderway) as caught:
        store_of(server, Fleeting).read("f")
    assert caught.value.key == "f"
    with pytest.raises(NotFound):
        store_of(Server(), Moving).read("f")


@pytest.mark.parametrize("position", [0, CHUNK_BYTES, CHUNK_BYTES + _BLOCK_BYTES, len(CONTENT) - 1])
@pytest.mark.parametrize("answer", [lambda body: body[:-1], lambda body: bytes(body) + b"x", lambda body: b""])
def test_p02_an_answer_of_another_length_is_no_content(
    position: int, answer: Callable[[bytes | memoryview], bytes | memoryview]
) -> None:
    class Short(RememberingBucket):
        def get(self, path: str, offset: int, length: int, found: Found) -> bytes | memoryview:
            body = super().get(path, offset, length, found)
            return answer(body) if offset <= position < offset + length else body

    server = Server()
    server.make("f", CONTENT, {})
    with pytest.raises(Unreliable), store_of(server, Short).read("f") as reader:
        list(reader.chunks())
    assert threads() == 0
