"""Do many files that wait for their names keep apart, and leave nothing behind?"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from coldchain.errors import NotFound, Occupied
from coldchain.model import Entry
from coldchain.stores.objects.bucket import Found
from coldchain.stores.objects.staging import REQUESTS_AT_ONCE
from coldchain.testing.contract.acts import joined, put_in, staging_of
from tests.stores.objects.remembering import RememberingBucket, Server, store_of

MIB = 1 << 20


def spilled() -> int:
    """How many files wait on disk."""
    links = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    return sum(link.startswith(tempfile.gettempdir()) and link.endswith("(deleted)") for link in links)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="unnamed files are seen through /proc")
def test_what_waits_beyond_so_much_memory_waits_on_disk_and_arrives_all_the_same() -> None:
    server = Server()
    contents = {f"f{number}": bytes([number]) * (8 * MIB) for number in range(6)}
    before = spilled()
    with staging_of(store_of(server, whole_bytes=8 * MIB)) as staging:
        put_in(staging, "large", bytes(40 * MIB))  # travels already, and waits nowhere
        for number, (key, content) in enumerate(contents.items(), start=1):
            put_in(staging, key, content)
            assert spilled() - before == max(0, number - 4)
        results = staging.publish(dict.fromkeys(contents))
        assert all(isinstance(result, Entry) for result in results.values())
        assert spilled() == before
        for number in range(1, 6):
            put_in(staging, f"g{number}", bytes([number]) * (8 * MIB))
            assert spilled() - before == max(0, number - 4), "what was published waits no longer"
    assert spilled() == before
    assert {key: server.objects[key][1] for key in contents} == contents
    assert server.uploads == 0


def test_a_file_that_is_written_once_more_takes_the_place_of_the_first() -> None:
    server = Server()
    with staging_of(store_of(server, whole_bytes=10)) as staging:
        for content in (b"first" * 10, b"second" * 10):
            put_in(staging, "f", content)
        assert server.uploads == 1
        old = staging.publish({"f": None})["f"]
        assert isinstance(old, Entry)
        put_in(staging, "other", b"x")
        staging.publish({"other": None})
        with staging.read_back("other") as reader:
            assert joined(reader) == b"x"
        put_in(staging, "f", b"third")
        with pytest.raises(NotFound):
            staging.read_back("f")
        assert staging.vouched("f") == ""
        assert server.objects["f"][1] == b"second" * 10
        assert isinstance(staging.publish({"f": old})["f"], Entry)
        with staging.read_back("f") as reader:
            assert joined(reader) == b"third"


def test_what_is_read_back_ahead_of_its_turn_is_little_and_its_own() -> None:
    class Counting(RememberingBucket):
        def get(self, path: str, offset: int, length: int, found: Found) -> bytes | memoryview:
            time.sleep(0.001)
            return super().get(path, offset, length, found)

    server = Server()
    names = [f"f{number:02}" for number in range(40)]
    with staging_of(store_of(server, Counting)) as staging:
        for name in names:
            put_in(staging, name, name.encode())
        staging.publish(dict.fromkeys(names))
        server.asked.clear()
        with staging.read_back(names[0]) as reader:
            assert joined(reader) == names[0].encode()
        settled(server, REQUESTS_AT_ONCE + 1)
        for gone in names[5:8]:
            staging.discard(gone)
        asked = [name for name in names if f"get {name}" in server.asked]
        assert asked == names[: REQUESTS_AT_ONCE + 1], "each once, and not all of them"
        for name in names[30:33]:
            staging.discard(name)
        left = [name for name in names[1:] if name in server.objects]
        for name in left:
            with staging.read_back(name) as reader:
                assert joined(reader) == name.encode()
        assert len(left) == 33
        for gone in (*names[5:8], *names[30:33]):
            with pytest.raises(NotFound):
                staging.read_back(gone)
        gets = [asked for asked in server.asked if asked.startswith("get ")]
        assert len(gets) == len(set(gets)), "what came ahead is not asked for again"
        assert not {f"get {name}" for name in names[30:33]} & set(gets), "nobody asks for what is no longer there"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("objects")]


def settled(server: Server, gets: int) -> None:
    """Wait until so many were asked for, and give a further one the time to be so."""
    until = time.monotonic() + 10
    while sum(asked.startswith("get ") for asked in server.asked) < gets:
        assert time.monotonic() < until
        time.sleep(0.005)


def test_an_empty_file_is_read_back_without_a_question() -> None:
    server = Server()
    with staging_of(store_of(server)) as staging:
        put_in(staging, "f", b"")
        staging.publish({"f": None})
        with staging.read_back("f") as reader:
            assert joined(reader) == b""
            assert reader.piece(0, 10) == b""
    assert "get f" not in server.asked


def test_only_what_was_closed_is_published() -> None:
    server = Server()
    with staging_of(store_of(server)) as staging:
        staging.open("begun", Entry("begun", 1, 1)).write(b"x")
        put_in(staging, "f", b"x")
        results = staging.publish({"f": None, "begun": None, "never": None})
    assert isinstance(results["f"], Entry)
    for key in ("begun", "never"):
        error = results[key]
        assert isinstance(error, NotFound)
        assert error.key == key
    assert list(server.objects) == ["f"]


def test_what_is_adopted_must_be_there() -> None:
    server = Server()
    server.make("f", b"x", {})
    with staging_of(store_of(server)) as staging:
        staging.settle("f")
        with pytest.raises(NotFound):
            staging.settle("gone")


def test_p02_what_was_written_together_is_looked_at_together_and_each_is_held_against_its_mark() -> None:
    """One of them is replaced by another writer at the last moment: its mark is not the one that we were given."""

    class Meddled(RememberingBucket):
        def seen(self, paths: Sequence[str]) -> Mapping[str, Found]:
            if len(paths) > 1:
                self.server.make("f3", b"another writer's", {})
            return super().seen(paths)

    server = Server()
    names = [f"f{number}" for number in range(5)]
    with staging_of(store_of(server, Meddled)) as staging:
        for name in names:
            put_in(staging, name, name.encode())
        results = staging.publish(dict.fromkeys(names))
    assert isinstance(results.pop("f3"), Occupied)
    assert all(isinstance(result, Entry) for result in results.values())
    assert [asked for asked in server.asked if asked.startswith("seen")] == ["seen " + " ".join(names), "seen f3"]
    assert server.objects["f3"][1] == b"another writer's"
