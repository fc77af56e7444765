"""Is what is called durable on the medium, and is what is called proved read from there (P2, P4)?"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from coldchain.errors import FlushFailed, Unreliable
from coldchain.model import Entry
from coldchain.stores.local.base import LocalRoot
from coldchain.stores.local.posix import PosixRoot
from coldchain.stores.local.store import LocalStore
from coldchain.stores.local.windows import WindowsRoot
from tests.stores.local.carrying import (
    OWNER,
    Mounts,
    content,
    entry,
    keys,
    needs_root,
    run,
    send,
    standing,
    watched,
)
from tests.stores.local.test_reading import descriptors

_CALLS = "write,pwrite64,fchmod,utimensat,fsync,fdatasync,syncfs,renameat2,renameat,linkat,close"
_FD = re.compile(r"^(?:\d+ +)?(\w+)\(\d+<([^>]*)>")
_AT = r"(?:\d+|AT_FDCWD)<([^>]*)>"
_RENAME = re.compile(rf'(?:renameat2|renameat|linkat)\({_AT}, "([^"]*)", {_AT}, "([^"]*)".*\) = 0')


def calls(
    folder: Path, files: int, tmp_path: Path, opener: Callable[[str], LocalRoot] = PosixRoot, *, size: int = 100
) -> list[str]:
    """The calls by which so many files get into two folders."""
    trace = tmp_path / "trace"
    names = [f"{'a' if number % 2 else 'b'}/{number:02}" for number in range(files)]
    store = LocalStore(str(folder), opener)
    with watched(_CALLS, trace):
        results = send(store, dict.fromkeys(names, b"x" * size))
    store.close()
    assert all(isinstance(result, Entry) for result in results.values()), results
    return [line for line in trace.read_text().splitlines() if str(folder) in line]


def flushed(trace: Path, folder: Path) -> list[str]:
    """What was flushed how, below a folder."""
    found = (match.groups() for line in trace.read_text().splitlines() if (match := _FD.search(line)))
    flushes = [(call, Path(path)) for call, path in found if call in ("fsync", "fdatasync", "syncfs")]
    return [f"{call} {path.relative_to(folder)}" for call, path in flushes if path.is_relative_to(folder)]


def check_order(trace: list[str], root: Path, *, whole: bool, names: bool = True) -> int:
    """Each rename comes after a flush that came after the last change; the names are flushed after the last rename.

    Windows has no flush of names.
    """
    dirty: set[str] = set()
    unflushed: set[str] = set()
    renames = 0
    for line in trace:
        if match := _RENAME.search(line):
            old, new = os.path.join(match[1], match[2]), match[3]
            assert old not in dirty, line
            unflushed.add(new)
            renames += 1
        elif match := _FD.search(line):
            call, path = match.groups()
            if call in ("write", "pwrite64", "fchmod", "utimensat"):
                dirty.add(path)
            elif call == "syncfs":
                assert whole
                dirty.clear()
                unflushed.clear()
            elif call in ("fsync", "fdatasync"):
                dirty.discard(path)
                unflushed.discard(path)
                if path == str(root):
                    assert not unflushed, "the folders below are flushed first"
    assert not dirty
    assert not (unflushed and names)
    return renames


def test_p04_no_name_appears_before_its_bytes_are_flushed_and_names_are_flushed_too(
    place: Path, tmp_path: Path
) -> None:
    trace = calls(place, 50, tmp_path)
    assert check_order(trace, place, whole=True) == 50
    assert sum("syncfs(" in line for line in trace) == 2
    assert not any("fsync(" in line for line in trace)


def test_p04_on_windows_each_file_is_flushed_before_it_has_its_name(place: Path, tmp_path: Path) -> None:
    trace = calls(place, 20, tmp_path, WindowsRoot)
    assert check_order(trace, place, whole=False, names=False) == 20
    order = [line for line in flushed(tmp_path / "trace", place) if ".coldchain" in line]
    assert len(order) == 20
    assert all(line.startswith("fsync ") for line in order)


@needs_root
def test_p04_where_a_place_is_not_flushed_as_a_whole_every_file_and_every_folder_is(
    mounts: Mounts, tmp_path: Path
) -> None:
    place = mounts.fuse({}).place
    trace = calls(place, 20, tmp_path)
    assert check_order(trace, place, whole=False) == 20
    flushed = [match[2] for line in trace if (match := _FD.search(line)) and match[1] == "fsync"]
    assert len([path for path in flushed if ".coldchain" in path]) == 20
    assert flushed[-3:] == [f"{place}/b", f"{place}/a", str(place)]


def test_p07_a_name_that_is_removed_is_durably_gone(place: Path, tmp_path: Path) -> None:
    store = LocalStore(str(place))
    send(store, {"a/b/f": b"x", "g": b"y"})
    with watched(_CALLS, tmp_path / "trace"):
        store.delete("a/b/f")
        store.delete("g")
    store.close()
    assert flushed(tmp_path / "trace", place) == ["fsync a/b", "fsync ."]


@needs_root
def test_p04_a_failed_fsync_publishes_nothing_and_is_worth_writing_again(mounts: Mounts) -> None:
    faulty = mounts.fuse({"faults": [{"op": "fsync", "errno": 5, "times": 1}]})
    store = LocalStore(str(faulty.place))
    with pytest.raises(Unreliable) as caught:
        send(store, {"f": b"x"})
    assert caught.value.temporary
    assert standing(faulty.backing) == {}
    assert isinstance(send(store, {"f": b"x"})["f"], Entry)
    store.close()


@needs_root
def test_p04_a_failed_flush_of_a_folder_is_no_success(mounts: Mounts) -> None:
    faulty = mounts.fuse({"faults": [{"op": "fsyncdir", "errno": 5}]})
    store = LocalStore(str(faulty.place))
    with pytest.raises(FlushFailed):
        send(store, {"a/f": b"x"})
    store.close()


@needs_root
def test_a_place_without_any_flush_is_used_all_the_same(mounts: Mounts) -> None:
    faulty = mounts.fuse({"faults": [{"op": "fsync", "errno": 22}, {"op": "fsyncdir", "errno": 22}]})
    store = LocalStore(str(faulty.place))
    assert isinstance(send(store, {"a/f": b"x"})["a/f"], Entry)
    store.close()


@needs_root
def test_an_error_at_close_publishes_nothing(mounts: Mounts) -> None:
    faulty = mounts.fuse({"faults": [{"op": "flush", "errno": 5, "times": 1}]})
    store = LocalStore(str(faulty.place))
    with pytest.raises(Unreliable):
        send(store, {"f": b"x"})
    assert standing(faulty.backing) == {}
    store.close()


@needs_root
def test_short_writes_and_short_reads_lose_nothing(mounts: Mounts) -> None:
    faulty = mounts.fuse({"short": 1000}, "--direct")
    store = LocalStore(str(faulty.place))
    body = os.urandom(10_500)
    send(store, {"f": body})
    assert standing(faulty.backing) == {"f": body}
    assert content(store, "f") == content(store, "f", past_cache=True) == body
    store.close()


@needs_root
def test_a_refused_mode_does_not_cost_the_time(mounts: Mounts) -> None:
    faulty = mounts.fuse({"faults": [{"op": "chmod", "errno": 1}]})
    store = LocalStore(str(faulty.place))
    sent = send(store, {"f": b"x"})["f"]
    assert isinstance(sent, Entry)
    assert sent.mtime_ns == entry("f").mtime_ns == store.stat("f").mtime_ns
    store.close()


@needs_root
@pytest.mark.parametrize("op", ["chmod", "utimens"])
def test_a_refused_mode_or_time_costs_no_file_and_trouble_is_trouble(mounts: Mounts, op: str) -> None:
    faulty = mounts.fuse({})
    store = LocalStore(str(faulty.place))
    for code in (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
        faulty.rules({"faults": [{"op": op, "errno": code}]})
        assert isinstance(send(store, {f"f{code}": b"x"})[f"f{code}"], Entry)
    faulty.rules({"faults": [{"op": op, "errno": errno.EIO}]})
    with pytest.raises(Unreliable):
        send(store, {"g": b"x"})
    store.close()
    assert "g" not in standing(faulty.backing)


@needs_root
def test_p04_a_disk_that_fails_while_the_cache_is_written_back_is_noticed_by_every_staging(mounts: Mounts) -> None:
    """A sparse image on a full tmpfs: the write() succeeds, the disk does not."""
    small = mounts.tmpfs("size=4m")
    options = ("-q", "-m0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard")
    image = mounts.image("mkfs.ext4", *options, size="64M", folder=small)
    place = mounts.ext4(image)
    store = LocalStore(str(place))
    assert isinstance(send(store, {"fits": b"x" * 1000})["fits"], Entry)
    with (small / "filler").open("wb") as file:
        file.truncate(0)
        while True:
            try:
                os.write(file.fileno(), bytes(4096))
            except OSError:
                break
    stagings = [store.stage(OWNER) for _ in range(2)]
    for number, staging in enumerate(stagings):
        sink = staging.open(f"f{number}", entry("f"))
        sink.write(os.urandom(1 << 20))
        sink.close()
    for staging in stagings:
        with pytest.raises(FlushFailed):
            staging.flush()
    for staging in stagings:
        staging.close()
    assert content(store, "fits") == b"x" * 1000
    store.close()


def rot(mounts: Mounts, image: Path, path: Path) -> None:
    """Change the first byte of a file on its medium, behind the file system's back."""
    listing = run("filefrag", "-e", "-b4096", path)
    match = re.search(r"^\s+0:\s+0\.\.\s*\d+:\s+(\d+)\.\.", listing, re.MULTILINE)
    assert match, listing
    with image.open("r+b") as file:
        file.seek(int(match[1]) * 4096)
        before = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([before[0] ^ 0xFF]))


@needs_root
def test_p02_read_back_sees_what_rotted_on_the_medium_under_a_warm_cache(mounts: Mounts) -> None:
    image = mounts.image("mkfs.ext4", "-q", "-b4096")
    place = mounts.ext4(image)
    store = LocalStore(str(place))
    body = os.urandom(300_000)
    staging = store.stage(OWNER)
    sink = staging.open("f", entry("f"))
    sink.write(body)
    sink.close()
    staging.flush()
    (temporary,) = keys(store)
    assert content(store, temporary) == body
    rot(mounts, image, place / temporary)
    assert content(store, temporary) == body, "the cache is warm: an ordinary read cannot tell"
    with staging.read_back("f") as reader:
        back = b"".join(bytes(chunk) for chunk in reader.chunks())
        assert reader.how == "direct"
    assert back == bytes([body[0] ^ 0xFF]) + body[1:]
    staging.publish({"f": None})
    staging.close()
    assert content(store, "f", past_cache=True) != body
    store.close()


@needs_root
def test_p02_small_files_that_are_read_back_ahead_of_their_turn_come_from_the_medium_too(mounts: Mounts) -> None:
    image = mounts.image("mkfs.ext4", "-q", "-b4096")
    place = mounts.ext4(image)
    store = LocalStore(str(place))
    bodies = {f"f{number:02}": os.urandom(5_000) for number in range(40)}  # more than are open at once
    staging = store.stage(OWNER)
    for key, body in bodies.items():
        sink = staging.open(key, entry(key))
        sink.write(body)
        sink.close()
    staging.flush()
    temporary = next(name for name in keys(store) if content(store, name) == bodies["f30"])
    rot(mounts, image, place / temporary)
    assert content(store, temporary) == bodies["f30"], "the cache is warm: an ordinary read cannot tell"
    found = {}
    for key in bodies:
        with staging.read_back(key) as reader:
            assert reader.how == "direct"
            found[key] = b"".join(bytes(chunk) for chunk in reader.chunks())
    rotten = bodies["f30"]
    assert found == {**bodies, "f30": bytes([rotten[0] ^ 0xFF]) + rotten[1:]}
    staging.close()
    assert not keys(store)
    store.close()


@needs_root
def test_p02_where_there_is_no_way_past_the_cache_the_proof_says_so(mounts: Mounts) -> None:
    places = {"cached": mounts.tmpfs(), "dontneed": mounts.fuse({}).place}
    for how, place in places.items():
        store = LocalStore(str(place))
        send(store, {"f": b"x"})
        with store.read("f", past_cache=True) as reader:
            assert b"".join(bytes(chunk) for chunk in reader.chunks()) == b"x"
            assert reader.how == how
        with store.read("f") as reader:
            assert reader.how == "cached"
        store.close()


@needs_root
def test_p04_what_is_mounted_below_a_destination_is_flushed_and_read_on_its_own_terms(
    mounts: Mounts, place: Path, tmp_path: Path
) -> None:
    inner = place / "a"
    inner.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", inner)
    mounts.callback(run, "umount", "-l", inner)
    trace = calls(place, 4, tmp_path)
    flushed = [match[2] for line in trace if (match := _FD.search(line)) and match[1] == "fsync"]
    assert len([path for path in flushed if path.startswith(f"{inner}/.~")]) == 2
    assert str(inner) in flushed
    store = LocalStore(str(place))
    store.stat("a/01")
    before = descriptors()
    with store.read("a/01", past_cache=True) as reader:
        assert reader.how == "cached"
    assert descriptors() <= before
    store.close()
