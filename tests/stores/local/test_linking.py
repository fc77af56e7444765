"""Is nothing replaced where the system has no rename that refuses to (P5)?"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coldchain.stores.local.linking import rename_by_link
from tests.stores.local.carrying import Mounts, needs_root


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def moved(folder: Path) -> None:
    """From ``from/old`` to ``to/new``."""
    with opened(folder / "from") as old, opened(folder / "to") as new:
        rename_by_link(old, "old", new, "new")


def prepared(folder: Path) -> Path:
    for name in ("from", "to"):
        (folder / name).mkdir()
    (folder / "from/old").write_bytes(b"ours")
    return folder


def test_a_free_name_is_taken_and_the_old_one_is_gone(place: Path) -> None:
    moved(prepared(place))
    assert (place / "to/new").read_bytes() == b"ours"
    assert os.listdir(place / "from") == []


TAKERS: dict[str, Callable[[Path], object]] = {
    "file": lambda path: path.write_bytes(b"theirs"),
    "folder": Path.mkdir,
    "link": lambda path: path.symlink_to("nowhere"),
    "pipe": os.mkfifo,
}


@pytest.mark.parametrize("taker", TAKERS)
def test_p05_what_stands_there_stays_and_ours_too(place: Path, taker: str) -> None:
    prepared(place)
    TAKERS[taker](place / "to/new")
    before = os.lstat(place / "to/new")
    with pytest.raises(FileExistsError):
        moved(place)
    assert os.lstat(place / "to/new") == before
    assert (place / "from/old").read_bytes() == b"ours"


def test_a_file_that_went_away_is_missing(place: Path) -> None:
    prepared(place)
    (place / "from/old").unlink()
    with pytest.raises(FileNotFoundError):
        moved(place)
    assert os.listdir(place / "to") == []


@pytest.mark.parametrize("taker", [*TAKERS, "nobody"])
def test_p05_where_the_system_refuses_a_link_before_it_looks_at_the_name_it_is_looked_at(
    place: Path, taker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(place)
    if taker != "nobody":
        TAKERS[taker](place / "to/new")

    def refuse(*names: object, **folders: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    if taker == "nobody":
        moved(place)
        assert (place / "to/new").read_bytes() == b"ours"
        assert os.listdir(place / "from") == []
        return
    before = os.lstat(place / "to/new")
    with pytest.raises(FileExistsError):
        moved(place)
    assert os.lstat(place / "to/new") == before
    assert (place / "from/old").read_bytes() == b"ours"


@needs_root
def test_p05_where_there_are_no_links_the_name_is_looked_up_first(mounts: Mounts) -> None:
    """On this file system each link is refused."""
    faulty = mounts.fuse({})
    prepared(faulty.backing)
    moved(faulty.place)
    assert (faulty.backing / "to/new").read_bytes() == b"ours"
    assert os.listdir(faulty.backing / "from") == []
    (faulty.backing / "from/old").write_bytes(b"newer")
    with pytest.raises(FileExistsError):
        moved(faulty.place)
    assert (faulty.backing / "to/new").read_bytes() == b"ours"
    assert (faulty.backing / "from/old").read_bytes() == b"newer"


@needs_root
def test_p05_where_nobody_can_tell_whether_the_name_is_free_it_is_not_taken(mounts: Mounts) -> None:
    faulty = mounts.fuse({})
    prepared(faulty.backing)
    (faulty.backing / "to/new").write_bytes(b"theirs")
    faulty.rules({"faults": [{"op": "getattr", "errno": errno.EIO, "match": "/to/new"}]})
    with pytest.raises(OSError, match="Input/output"):
        moved(faulty.place)
    assert (faulty.backing / "to/new").read_bytes() == b"theirs"
    assert (faulty.backing / "from/old").read_bytes() == b"ours"
