"""Does a listing show everything that is there, in order, and nothing from elsewhere?"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from coldchain.errors import NotAFile, NotFound, Unreliable
from coldchain.model import Entry, Oddity
from coldchain.stores.local.store import LocalStore
from tests.stores.local.carrying import MTIME_NS, ROOTS, Mounts, content, keys, needs_root, oddities, send


def fill(place: Path, *names: str) -> None:
    for name in names:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def test_keys_ascend_by_code_point_with_a_folder_sorting_as_if_it_ended_in_a_slash(
    both: LocalStore, place: Path
) -> None:
    fill(place, "a/x", "a-b", "a.b", "a0", "aa", "A", "\U0001f600", "\ufffd", "é", "b/c/d", "b/c.d", "b/c-d")
    found = keys(both)
    assert found == sorted(found)
    assert len(found) == 12


def test_a_folder_with_a_thousand_files_is_listed_completely(both: LocalStore, place: Path) -> None:
    names = [f"{number:04}" for number in range(1000)]
    fill(place, *names)
    assert keys(both) == names


def test_every_byte_that_a_name_can_hold_comes_back(store: LocalStore, place: Path) -> None:
    names = [b"n" + bytes([byte]) for byte in range(1, 256) if byte != 0x2F]
    send(store, {os.fsdecode(name): name for name in names})
    assert sorted(os.listdir(os.fsencode(place))) == names
    assert {os.fsencode(key) for key in keys(store)} == set(names)
    assert all(content(store, os.fsdecode(name)) == name for name in names)


def test_a_path_longer_than_the_system_allows_is_written_listed_read_and_deleted(store: LocalStore) -> None:
    key = "/".join("d" * 249 for _ in range(20)) + "/file"
    assert len(key) > 5000 - 1
    assert isinstance(send(store, {key: b"deep", "top": b""})[key], Entry)
    assert keys(store) == [key, "top"]
    assert store.stat(key).size_bytes == 4
    assert content(store, key) == b"deep"
    store.delete(key)
    assert keys(store) == ["top"]
    for depth in range(20, 0, -1):  # shutil.rmtree of this Python does not reach so deep
        store.root().rmdir("/".join(["d" * 249] * depth))


def test_hundreds_of_nested_folders_need_no_stack(store: LocalStore) -> None:
    key = "/".join("d" * 700) + "/file"
    send(store, {key: b"deep"})
    store.root().forget_folders()
    assert keys(store) == [key]
    store.root().forget_folders()
    assert content(store, key) == b"deep"
    store.delete(key)
    for depth in range(700, 0, -1):
        store.root().rmdir("/".join("d" * depth))


def test_links_pipes_and_sockets_are_oddities_and_reading_them_never_blocks(both: LocalStore, place: Path) -> None:
    fill(place, "plain")
    (place / "link").symlink_to("plain")
    (place / "dangling").symlink_to("nowhere")
    (place / "loop").symlink_to(".")
    os.mkfifo(place / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(place)  # the path of a socket has 108 bytes at most
        listener.bind("socket")
        os.chdir(here)
        odd = oddities(both)
        assert {path: item.what for path, item in odd.items()} == {
            "link": "symlink",
            "dangling": "symlink",
            "loop": "symlink",
            "pipe": "special",
            "socket": "special",
        }
        for path in odd:
            with pytest.raises(NotAFile):
                both.stat(path)
            for past_cache in (False, True):
                with pytest.raises(NotAFile):
                    both.read(path, past_cache=past_cache)
    assert [item.path for item in both.list() if isinstance(item, Entry)] == ["plain"]


@needs_root
def test_a_device_is_an_oddity(both: LocalStore, place: Path) -> None:
    os.mknod(place / "null", 0o600 | 0o020000, os.makedev(1, 3))
    assert oddities(both)["null"].reason.startswith("a device")
    with pytest.raises(NotAFile):
        both.read("null")


def test_a_folder_is_no_file(both: LocalStore, place: Path) -> None:
    fill(place, "folder/x")
    for look in (both.stat, both.read):
        with pytest.raises(NotAFile):
            look("folder")


def test_what_is_not_there_is_not_found_and_a_missing_prefix_is_empty(both: LocalStore, place: Path) -> None:
    fill(place, "file")
    for look in (both.stat, both.read, both.delete):
        with pytest.raises(NotFound):
            look("gone")
        with pytest.raises(NotFound):
            look("gone/x")
        with pytest.raises(NotFound):
            look("file/x")
    assert keys(both, "gone") == keys(both, "file") == list(both.folders("gone")) == []


def test_a_root_that_went_away_is_missing_and_not_empty(both: LocalStore, place: Path) -> None:
    assert keys(both) == []
    place.rmdir()
    with pytest.raises(NotFound):
        keys(both)
    with pytest.raises(NotFound):
        list(both.folders())


def test_folders_are_listed_by_name_and_links_are_none(both: LocalStore, place: Path) -> None:
    fill(place, "b/x", "a/y", "file")
    (place / "link").symlink_to("a")
    assert list(both.folders()) == ["a", "b"]


def test_a_folder_that_becomes_a_link_during_the_walk_leads_nowhere(both: LocalStore, tmp_path: Path) -> None:
    place = tmp_path / "place"
    fill(place, "a/1", "b/2", "c/3")
    fill(tmp_path, "outside/canary", "outside/2")
    found: list[Entry | Oddity] = []
    for item in both.list():
        found.append(item)
        if item.path == "a/1":
            (place / "b").rename(place / "b-away")
            (place / "b").symlink_to(tmp_path / "outside")
    assert [item.path for item in found if isinstance(item, Entry)] in (["a/1", "c/3"], ["a/1", "b-away/2", "c/3"])
    assert [item.path for item in found if isinstance(item, Oddity)] == ["b/"]


def test_what_vanishes_during_the_walk_was_not_there_and_the_rest_is_told(both: LocalStore, place: Path) -> None:
    fill(place, "a", "b", "c/1", "d", "e/2", "f")
    found = []
    for item in both.list():
        found.append(item)
        if item.path == "a":
            (place / "b").unlink()
            (place / "c/1").unlink()
            (place / "c").rmdir()
    assert [item.path for item in found] == ["a", "d", "e/2", "f"]
    assert found[1:] == [both.stat(key) for key in ("d", "e/2", "f")]


def test_a_walk_looks_into_its_own_folders_while_others_let_go_of_them(both: LocalStore, place: Path) -> None:
    """A descriptor that is closed under somebody's hands is soon that of another folder."""
    names = [f"{top}/{sub}/{name}" for top in "ab" for sub in "cd" for name in "xyz"] + ["a/e", "b/e", "f"]
    fill(place, *names)
    found = []
    for item in both.list():
        both.root().forget_folders()
        list(both.folders("b"))
        found.append(item)
    assert found == [both.stat(key) for key in sorted(names)]


def test_p10_a_folder_that_was_replaced_is_looked_up_anew(both: LocalStore, place: Path) -> None:
    fill(place, "a/old")
    assert keys(both) == ["a/old"]
    (place / "a").rename(place / "b")
    fill(place, "a/new")
    assert keys(both, "a") == ["a/new"]
    assert keys(both) == ["a/new", "b/old"]
    (place / "a").rename(place / "c")
    fill(place, "a/newest/x")
    assert list(both.folders("a")) == ["newest"]


@needs_root
def test_p01_a_folder_without_rights_is_an_oddity_and_the_rest_is_listed() -> None:
    """Root may read everything, so another user looks."""
    script = (
        "import os, sys\n"
        "from coldchain.stores.local.store import LocalStore\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "store = LocalStore(sys.argv[1])\n"
        "for item in store.list(): print(type(item).__name__, item.path, getattr(item, 'what', ''))\n"
        "for key in ('closed/x', 'secret'):\n"
        "    try: store.read(key)\n"
        "    except Exception as error: print(type(error).__name__)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        fill(Path(folder), "open/x", "closed/x", "secret")
        os.chmod(f"{folder}/closed", 0)
        os.chmod(f"{folder}/secret", 0)
        done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "Oddity closed/ unreadable",
        "Entry open/x ",
        "Entry secret ",
        "Denied",
        "Denied",
    ]


@needs_root
@pytest.mark.parametrize("root", ROOTS)
def test_p01_a_name_that_cannot_be_looked_at_hides_no_other(mounts: Mounts, root: str) -> None:
    faulty = mounts.fuse({})
    fill(faulty.backing, "a/1", "a/2", "a/3", "b", "c/1", "d/1")
    store = LocalStore(str(faulty.place), ROOTS[root])
    for bad in ("a/2", "b", "c"):
        faulty.rules({"faults": [{"op": "getattr", "errno": errno.EIO, "match": f"/{bad}"}]})
        found = {item.path: isinstance(item, Entry) for item in store.list()}
        good = [key for key in ("a/1", "a/2", "a/3", "b", "c/1", "d/1") if not key.startswith(bad)]
        assert found == {**dict.fromkeys(good, True), f"{bad}/": False}
        assert oddities(store)[f"{bad}/"].what == "unreadable"
        assert "c" in store.folders(), "a dataset that nobody can look at is there"
    faulty.rules({"types": True, "faults": [{"op": "getattr", "errno": errno.EIO, "match": "/a/2"}]})
    found = {item.path: isinstance(item, Entry) for item in store.list()}
    assert found == {"a/1": True, "a/2": False, "a/3": True, "b": True, "c/1": True, "d/1": True}
    assert oddities(store)["a/2"].what == "unreadable"
    faulty.rules({"faults": [{"op": "readdir", "errno": errno.EIO, "match": "/a"}]})
    found = {item.path: isinstance(item, Entry) for item in store.list()}
    assert found == {"a/": False, "b": True, "c/1": True, "d/1": True}
    for prefix in ("a", "d"):
        faulty.rules({"faults": [{"op": "readdir", "errno": errno.EIO, "match": f"/{prefix}"}]})
        for look in (store.list, store.folders):
            with pytest.raises(Unreliable):
                list(look(prefix))
    faulty.rules({"faults": [{"op": "readdir", "errno": errno.EIO}]})
    with pytest.raises(Unreliable):
        list(store.list())
    store.close()


def test_times_are_kept_to_the_nanosecond(store: LocalStore) -> None:
    sent = send(store, {"f": b"x"})["f"]
    assert isinstance(sent, Entry)
    assert sent.mtime_ns == store.stat("f").mtime_ns == MTIME_NS
    assert sent == store.stat("f")
