"""Does a fresh count see everything that lies in a place, and every difference from what should?"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path
from uuid import uuid4

import pytest

from coldchain.errors import NotFound, StoreError
from coldchain.model import Oddity, Place, Tally
from coldchain.steps.recount import NAMED, Comparison, Range, compare, listed, local_folder, trouble
from coldchain.testing import MemoryStore

# --- comparing --------------------------------------------------------------------------------------------------------


def test_what_is_there_as_it_should_be_is_counted_and_no_difference() -> None:
    found = compare({"a": 1, "b": 20}, iter([("b", 20), ("stranger", 300), ("a", 1), ("another", 4000)]))
    assert found == Comparison(Tally(2, 21), (), 0, Tally(2, 4300))


def test_p13_what_is_missing_and_what_has_another_size_is_named() -> None:
    found = compare({"a": 1000, "b": 20, "c": 3}, iter([("b", 21)]))
    assert found.differences == (
        "b: 21 bytes, should be 20",
        "a: not there, should have 1,000 bytes",
        "c: not there, should have 3 bytes",
    )
    assert (found.found, found.more, found.others) == (Tally(1, 21), 0, Tally())


def test_p13_a_key_that_is_found_twice_is_one_of_them_and_a_stranger() -> None:
    assert compare({"a": 1}, iter([("a", 1), ("a", 1)])) == Comparison(Tally(1, 1), (), 0, Tally(1, 1))


@pytest.mark.parametrize(("wrong", "missing"), [(NAMED, 0), (0, NAMED), (NAMED + 2, 3), (3, NAMED + 2), (NAMED - 1, 1)])
def test_p13_every_difference_is_counted_also_those_that_are_not_named(wrong: int, missing: int) -> None:
    expected = {f"w{number:03}": 5 for number in range(wrong)} | {f"m{number:03}": 5 for number in range(missing)}
    found = compare(expected, ((f"w{number:03}", 6) for number in range(wrong)))
    assert len(found.differences) == min(NAMED, wrong + missing)
    assert len(found.differences) + found.more == wrong + missing
    assert sum("should be 5" in one for one in found.differences) == min(wrong, NAMED)
    assert found.found.files == wrong


# --- listing ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["local", "file-url", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A tree, as a folder and as a remote."""
    tree = {
        "a": b"1",
        "d/b": b"22",
        "d/c/x": b"333",
        "d/cx": b"4444",
        "e/f": b"55555",
        "d/.~0-01234567.coldchain": b"half",
        "d/.~0-01234567.coldchain.txt": b"no temporary name",
    }
    if request.param == "memory":
        store = MemoryStore(f"memory://{uuid4().hex}")
        for key, content in tree.items():
            store.put(key, content)
        store.put_oddity(Oddity("d/link", "symlink", "a link"))
        return Place("there", store.url)
    folder = tmp_path / "with space"
    for key, content in tree.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(content)
    (folder / "d" / "link").symlink_to("b")
    (folder / "loop").symlink_to("d")
    os.mkfifo(folder / "pipe")
    return Place("there", str(folder) if request.param == "local" else folder.as_uri())


ODD = ("d/.~0-01234567.coldchain.txt", 17)
RANGES: list[tuple[Range, Collection[tuple[str, int]]]] = [
    (Range(), [("a", 1), ("d/b", 2), ("d/c/x", 3), ("d/cx", 4), ("e/f", 5), ODD]),
    (Range("d"), [("d/b", 2), ("d/c/x", 3), ("d/cx", 4), ODD]),
    (Range("d", "c"), [("d/c/x", 3), ("d/cx", 4)]),
    (Range("", "d/c"), [("d/c/x", 3), ("d/cx", 4)]),
    (Range("", "", ("d",)), [("a", 1), ("e/f", 5)]),
    (Range("d", "", ("d/c", "e")), [("d/b", 2), ("d/cx", 4), ODD]),
    (Range("nothing"), []),
]


@pytest.mark.parametrize(("where", "there"), RANGES)
def test_every_plain_file_of_a_range_is_listed_once(
    place: Place, where: Range, there: Collection[tuple[str, int]]
) -> None:
    assert sorted(listed(place, where)) == sorted(there)


def test_p10_a_place_that_is_not_there_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as error:
        list(listed(Place("nas", str(tmp_path / "gone")), Range()))
    assert trouble(error.value) == f"{tmp_path / 'gone'}: not there"


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(b"a file where a folder was")
    with pytest.raises(StoreError) as error:
        list(listed(Place("nas", str(tmp_path)), Range("d")))
    assert not isinstance(error.value, NotFound)
    assert trouble(error.value).startswith(f"{tmp_path}: d: ")


def test_names_that_are_no_text_are_listed_as_they_are(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\n")
    (tmp_path / name).write_bytes(b"1")
    assert list(listed(Place("nas", tmp_path.as_uri()), Range())) == [(name, 1)]


def test_only_a_local_place_has_a_folder() -> None:
    assert local_folder(Place("nas", "/data/nas")) == "/data/nas"
    assert local_folder(Place("nas", "file:///data/with%20space%FF")) == os.fsdecode(b"/data/with space\xff")
    assert local_folder(Place("nas", "s3://bucket")) is None
    assert local_folder(Place("nas", "/data/50%20off")) == "/data/50%20off", "a path is no URL"
    drive = "C:/data" if sys.platform == "win32" else "/C:/data"
    assert local_folder(Place("nas", "file:///C:/data")) == drive
