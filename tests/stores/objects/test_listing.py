"""Does a listing show everything that lies in a bucket, once and in order, and say of what can be no file why?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import pytest

from coldchain.errors import NotAFile, NotFound, Unreliable
from coldchain.model import Entry, Oddity
from coldchain.stores.objects.bucket import Found
from tests.stores.objects.remembering import RememberingBucket, Server, store_of

in_any_order = pytest.mark.parametrize("in_order", [True, False])


def filled(*paths: str, in_order: bool = True) -> Server:
    server = Server(in_order=in_order)
    for path in paths:
        server.make(path, path.encode("utf-8", "surrogatepass"), {})
    return server


@in_any_order
def test_what_a_listing_shows_of_a_file_is_what_a_look_shows(in_order: bool) -> None:
    store = store_of(filled("b/1", "a", "b/2", "é", "b-c", in_order=in_order))
    found = list(store.list())
    assert [item.path for item in found] == ["a", "b-c", "b/1", "b/2", "é"]
    assert found == [store.stat(item.path) for item in found]
    assert [item.path for item in store.list("b")] == ["b/1", "b/2"]
    assert [item.path for item in store.list(without=["b", "é"])] == ["a", "b-c", "é"]


@in_any_order
def test_p01_what_can_be_no_file_is_an_oddity_with_a_reason(in_order: bool) -> None:
    odd = ["a//b", "a/../b", "x\udcff", "folder/", "nul\0"]
    store = store_of(filled("a/c", *odd, in_order=in_order))
    found = {item.path: item for item in store.list()}
    assert found.keys() == {"a/c", *odd}
    for path in odd:
        item = found[path]
        assert isinstance(item, Oddity)
        assert item.what == "special"
        assert item.reason
        with pytest.raises(NotFound):
            store.stat(path)
        with pytest.raises(NotFound):
            store.read(path)
    assert isinstance(found["a/c"], Entry)


@in_any_order
def test_the_marks_that_consoles_leave_for_empty_folders_are_no_files(in_order: bool) -> None:
    server = filled("a/c", in_order=in_order)
    for path in ("a/", "empty/", "a/b/"):
        server.make(path, b"", {})
    server.make("bad//", b"", {})
    server.make("", b"x", {})
    server.make("none", b"", {})
    server.folders["true"] = replace(server.objects["none"][0], is_folder=True)
    store = store_of(server)
    assert [(item.path, type(item)) for item in store.list()] == [("a/c", Entry), ("bad//", Oddity), ("none", Entry)]
    with pytest.raises(NotAFile):
        store.stat("true")


@in_any_order
def test_folders_come_once_in_order_and_only_those_that_can_be(in_order: bool) -> None:
    store = store_of(filled("c/1", "a/1", "a/2", "b/d/1", "../x", "/y", "file", in_order=in_order))
    assert list(store.folders()) == ["a", "b", "c"]
    assert list(store.folders("b")) == ["d"]


@pytest.mark.parametrize("paths", [["b", "a"], ["a", "a"], ["a", "c", "b"]])
def test_p01_a_server_that_lists_out_of_order_is_not_believed(paths: list[str]) -> None:
    """Whoever compares two listings would take what comes too late for missing."""

    class Unsorted(RememberingBucket):
        def objects(self, folder: str, without: Collection[str] = ()) -> Iterator[tuple[str, Found]]:
            for path in paths:
                yield path, self.server.objects[path][0]

    with pytest.raises(Unreliable) as caught:
        list(store_of(filled(*paths), Unsorted).list())
    assert caught.value.key == paths[-1]
