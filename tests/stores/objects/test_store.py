"""Does a bucket, as a store, say what it is, and refuse what it is not?"""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest

from coldchain.errors import NotAFile, NotFound, Occupied
from coldchain.stores.base import Traits
from coldchain.stores.objects.store import ObjectStore, traits
from tests.stores.objects.remembering import RememberingBucket, Server, store_of


def test_an_object_is_known_by_its_number_and_proved_under_its_name() -> None:
    assert traits(7, ("adler",)) == Traits(
        mtime_step_ns=7,
        stable_inodes=True,
        vouches=("adler",),
        keeps_mtime=False,
        has_folders=False,
        proves_published=True,
    )
    assert store_of(Server()).traits == traits(1, ("adler",))


def test_whoever_has_a_place_open_lends_others_the_connection() -> None:
    server, connected = Server(), list[int]()

    def connect() -> RememberingBucket:
        connected.append(1)
        return RememberingBucket(server)

    def store(same: str) -> ObjectStore[RememberingBucket]:
        return ObjectStore("remembering://bucket", traits(1, ()), 1000, same, connect)

    one, other = store("a"), store("a")
    server.make("f", b"x", {})
    for _ in range(3):
        one.stat("f")
        other.stat("f")
        gc.collect()
    assert len(connected) == 1
    store("b").stat("f")
    assert len(connected) == 2
    one.close()
    other.stat("f")
    assert len(connected) == 2
    with pytest.raises(NotFound) as kept:
        other.stat("absent")
    other.close()
    one.stat("f")
    assert len(connected) == 3, f"{kept.value!r} holds the connection, and what it knows of the server may be outdated"


@pytest.mark.parametrize("key", ["a//b", "a/../b", "a\udcff", ""])
def test_p16_what_can_be_no_file_is_not_there_and_the_server_is_not_asked(key: str) -> None:
    server = Server()
    server.make(key, b"x", {})
    store = store_of(server)
    for act in (store.stat, store.read, store.delete):
        with pytest.raises(NotFound) as caught:
            act(key)
        assert caught.value.key == key
    assert (server.asked, list(server.objects)) == ([], [key])


def test_a_folder_of_the_server_is_no_file_and_is_not_removed() -> None:
    server = Server()
    server.make("d", b"", {})
    server.folders["d"] = replace(server.objects["d"][0], is_folder=True)
    store = store_of(server)
    with pytest.raises(NotAFile):
        store.stat("d")
    with pytest.raises(NotAFile):
        store.delete("d")
    assert list(server.objects) == ["d"]


def test_what_is_removed_is_gone_and_what_is_not_there_cannot_be() -> None:
    server = Server()
    server.make("f", b"x", {})
    store = store_of(server)
    store.delete("f")
    assert server.objects == {}
    with pytest.raises(NotFound):
        store.delete("f")


def test_p02_only_what_was_asked_for_past_the_cache_is_said_to_be_so() -> None:
    server = Server()
    server.make("f", b"x", {})
    store = store_of(server)
    for past_cache, how in ((True, "get"), (False, "cached")):
        with store.read("f", past_cache=past_cache) as reader:
            assert reader.how == how


def test_p11_what_a_killed_run_left_is_its_own() -> None:
    store, server = store_of(Server()), Server()
    for owner in ("", "mine"):
        upload = store_of(server).stage(owner)._bucket.begin("f", 1, {}, owner)
        (note,) = server.objects
        for other in ("", "mine", "else"):
            assert store.is_leftover(note, other) is (other == owner)
        assert not store.is_leftover("f", owner)
        upload.close(published=False)


def test_p10_a_bucket_that_is_not_there_cannot_be_made() -> None:
    server = Server()
    store_of(server).make()
    server.is_there = False
    with pytest.raises(NotFound):
        store_of(server).make()
    with pytest.raises(NotFound):
        store_of(server).volume()


def test_an_entry_that_is_another_by_its_number_is_not_replaced() -> None:
    server = Server()
    store = store_of(server)
    old = server.make("f", b"old", {}).entry("f")
    server.make("f", b"new", {})
    staging = store.stage()
    sink = staging.open("f", old)
    sink.write(b"mine")
    sink.close()
    assert isinstance(staging.publish({"f": old})["f"], Occupied)
    staging.close()
