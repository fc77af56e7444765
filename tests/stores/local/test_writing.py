"""Does a name, once it is there, mean the whole content, and is nothing of others ever lost?"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from coldchain.errors import NameRefused, NotFound, Occupied, StoreError
from coldchain.model import Entry
from coldchain.stores.local.store import LocalStore
from tests.stores.local.carrying import MTIME_NS, OWNER, content, entry, keys, needs_root, send, standing


def sent(store: LocalStore, key: str, body: bytes, old: Entry | None = None) -> Entry:
    result = send(store, {key: body}, old={key: old} if old else None)[key]
    assert isinstance(result, Entry), result
    return result


def test_p03_nothing_stands_under_its_name_before_it_is_published(both: LocalStore, place: Path) -> None:
    staging = both.stage(OWNER)
    sink = staging.open("a/f", entry("a/f", b"xy"))
    sink.write(b"x")
    sink.write(memoryview(b"y"))
    assert [both.is_leftover(key, OWNER) for key in standing(place)] == [True]
    sink.close()
    staging.flush()
    assert not (place / "a/f").exists()
    with staging.read_back("a/f") as reader:
        assert b"".join(bytes(chunk) for chunk in reader.chunks()) == b"xy"
    assert isinstance(staging.publish({"a/f": None})["a/f"], Entry)
    staging.close()
    assert standing(place) == {"a/f": b"xy"}


def test_what_is_aborted_discarded_or_not_published_leaves_nothing(both: LocalStore, place: Path) -> None:
    staging = both.stage(OWNER)
    staging.open("aborted", entry("aborted")).abort()
    for key in ("discarded", "forgotten"):
        staging.open(key, entry(key)).close()
    staging.discard("discarded")
    staging.close()
    assert standing(place) == {}


def test_p05_a_name_that_somebody_else_took_meanwhile_is_never_replaced(both: LocalStore, place: Path) -> None:
    takers: dict[str, Callable[[Path], object]] = {
        "file": lambda path: path.write_bytes(b"theirs"),
        "empty": Path.touch,
        "link": lambda path: path.symlink_to("nowhere"),
        "folder": Path.mkdir,
        "pipe": os.mkfifo,
    }
    staging = both.stage(OWNER)
    for key in takers:
        sink = staging.open(key, entry(key, b"ours"))
        sink.write(b"ours")
        sink.close()
    staging.flush()
    for key, take in takers.items():
        take(place / key)
    results = staging.publish(dict.fromkeys(takers))
    staging.close()
    assert {type(result) for result in results.values()} == {Occupied}
    assert standing(place) == {"file": b"theirs", "empty": b""}


def test_p05_only_what_still_looks_the_same_is_replaced(both: LocalStore, place: Path) -> None:
    old = sent(both, "f", b"old")
    new = sent(both, "f", b"new!", old)
    assert (new.size_bytes, content(both, "f")) == (4, b"new!")
    result = send(both, {"f": b"newer"}, old={"f": old})["f"]
    assert isinstance(result, Occupied)
    (place / "f").unlink()
    result = send(both, {"f": b"newer"}, old={"f": new})["f"]
    assert isinstance(result, NotFound)
    assert standing(place) == {}


def test_p05_a_copy_whose_bytes_changed_behind_its_size_and_time_is_not_replaced(
    store: LocalStore, place: Path
) -> None:
    old = sent(store, "f", b"old")
    with (place / "f").open("r+b") as file:
        file.write(b"theirs"[:3])
    os.utime(place / "f", ns=(MTIME_NS, MTIME_NS))
    assert store.stat("f")._replace(ctime_ns=0) == old._replace(ctime_ns=0)
    assert isinstance(send(store, {"f": b"new"}, old={"f": old})["f"], Occupied)
    assert content(store, "f") == b"the"


def test_a_file_or_link_where_a_folder_is_needed_is_occupied(both: LocalStore, place: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (place / "file").touch()
    (place / "link").symlink_to(outside)
    for key in ("file/x", "link/x", "link/y/z"):
        with pytest.raises(Occupied):
            send(both, {key: b""})
    assert list(outside.iterdir()) == []


def test_p15_a_folder_swapped_for_a_link_before_a_write_or_a_read_leads_nowhere(
    both: LocalStore, place: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"canary")
    sent(both, "a/f", b"ours")
    staging = both.stage(OWNER)
    sink = staging.open("a/g", entry("a/g"))
    (place / "a").rename(place / "away")
    (place / "a").symlink_to(outside)
    with pytest.raises(StoreError):
        both.stage(OWNER).open("a/h", entry("a/h"))
    try:
        sink.close()
        staging.publish({"a/g": None})
        staging.close()
    except StoreError:
        pass
    both.root().forget_folders()
    for act in (both.read, both.stat, both.delete):
        with pytest.raises(StoreError):
            act("a/f")
    assert standing(outside) == {"f": b"canary"}


@pytest.mark.parametrize("key", ["../f", "a/../../f", "./f", "a//f", "/f", "", ".."])
def test_no_key_leads_out_of_the_folder(both: LocalStore, tmp_path: Path, key: str) -> None:
    (tmp_path / "f").write_bytes(b"canary")
    (tmp_path / "place/a").mkdir()
    for act in (both.read, both.stat, both.delete):
        with pytest.raises(NameRefused):
            act(key)
    try:
        result = send(both, {key: b""})[key]
    except StoreError as error:
        result = error
    assert isinstance(result, NameRefused)
    assert standing(tmp_path) == {"f": b"canary"}


def test_a_name_that_is_too_long_is_refused_and_leaves_nothing(both: LocalStore, place: Path) -> None:
    for key in ("n" * 256, "d" * 256 + "/f"):
        try:
            result = send(both, {key: b"x"})[key]
        except StoreError as error:
            result = error
        assert isinstance(result, NameRefused)
    assert standing(place) == {}


def test_permission_bits_are_kept_without_set_uid_set_gid_and_sticky(store: LocalStore) -> None:
    staging = store.stage(OWNER)
    modes = {0o107777: 0o777, 0o104755: 0o755, 0o102644: 0o644, 0o100600: 0o600, 0o100040: 0o440, 0o100444: 0o444}
    for mode in modes:
        staging.open(f"{mode:o}", entry("", mode=mode)).close()
    staging.publish({f"{mode:o}": None for mode in modes})
    staging.close()
    assert {mode: store.stat(f"{mode:o}").mode & 0o7777 for mode in modes} == modes


def test_an_empty_file_and_one_of_exactly_a_piece_are_carried_whole(both: LocalStore) -> None:
    sizes = (0, 1, 4095, 4096, 4097, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20)
    files = {str(size): os.urandom(size) for size in sizes}
    send(both, files)
    for key, body in files.items():
        assert content(both, key) == content(both, key, past_cache=True) == body


def test_a_sparse_file_is_read_as_the_zeros_that_it_means(both: LocalStore, place: Path) -> None:
    with (place / "sparse").open("wb") as file:
        file.truncate(50_000_000)
    for past_cache in (False, True):
        with both.read("sparse", past_cache=past_cache) as reader:
            assert reader.entry.size_bytes == 50_000_000
            assert sum(len(chunk) for chunk in reader.chunks() if not any(bytes(chunk[:: 1 << 12]))) == 50_000_000
    with both.read("sparse", past_cache=True) as reader:
        assert all(bytes(chunk) == bytes(len(chunk)) for chunk in reader.chunks())


def test_each_name_of_a_hard_link_is_carried_as_a_file_of_its_own(both: LocalStore, place: Path) -> None:
    (place / "a").write_bytes(b"x")
    os.link(place / "a", place / "b")
    assert keys(both) == ["a", "b"]
    assert content(both, "a") == content(both, "b") == b"x"


def test_a_file_that_grows_while_it_is_read_is_read_to_its_end_and_looks_different(
    both: LocalStore, place: Path
) -> None:
    for start in (0, 10, 1 << 20):
        (place / "f").write_bytes(b"x" * start)
        with both.read("f") as reader:
            with (place / "f").open("ab") as file:
                file.write(b"y" * (5 << 20))
            pieces = [len(chunk) for chunk in reader.chunks()]
            assert sum(pieces) == start + (5 << 20)
            assert len(pieces) < 10
            assert reader.look_again() != reader.entry


def test_a_deleted_file_is_gone(both: LocalStore) -> None:
    send(both, {"a/f": b"x", "a/g": b""})
    both.delete("a/f")
    assert keys(both) == ["a/g"]
    with pytest.raises(NotFound):
        both.delete("a/f")


def test_p11_a_killed_run_leaves_only_leftovers_of_its_own(both: LocalStore) -> None:
    both.stage("mine").open("a/f", entry("a/f")).write(b"x")
    both.stage("theirs").open("a/f", entry("a/f")).write(b"x")
    both.stage().open("a/f", entry("a/f")).write(b"x")
    found = keys(both)
    assert len(found) == 3
    assert [sum(both.is_leftover(key, owner) for key in found) for owner in ("mine", "theirs", "", "else")] == [
        1,
        1,
        1,
        0,
    ]
    assert not any(both.is_leftover(key, "mine") for key in ("a", ".~mine-0123456.coldchain", "x.coldchain"))


CHILD = """
import sys
from coldchain.model import Entry
from coldchain.stores.local.store import LocalStore
store = LocalStore(sys.argv[1])
staging = store.stage("ab12")
names = [f"{'a' if n % 2 else 'b'}/{n:02}" for n in range(int(sys.argv[2]))]
for name in names:
    sink = staging.open(name, Entry(name, 200, 1_600_000_000_000_000_000, mode=0o100640))
    sink.write(b"x" * 100)
    sink.write(b"y" * 100)
    sink.close()
staging.flush()
results = staging.publish(dict.fromkeys(names))
assert all(isinstance(result, Entry) for result in results.values()), results
staging.close()
"""


def test_p11_killed_at_any_system_call_it_leaves_whole_files_and_its_own_leftovers(
    store: LocalStore, place: Path
) -> None:
    """SIGKILL at the k-th call that changes something, for every k."""
    kills = {"mkdirat": 0, "write": 0, "fchmod": 0, "utimensat": 0, "syncfs": 0, "renameat2": 0}
    calls = list(kills)
    while calls:
        inject = f"inject={calls[0]}:signal=KILL:when={kills[calls[0]] + 1}"
        command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", inject, sys.executable, "-c", CHILD, str(place), "2"]
        code = subprocess.run(command, check=False).returncode
        for key, body in standing(place).items():
            if store.is_leftover(key, OWNER):
                store.delete(key)
            else:
                assert body == b"x" * 100 + b"y" * 100, (inject, key)
                assert key in ("a/01", "b/00")
        if code == 0:
            assert keys(store) == ["a/01", "b/00"]
            calls.pop(0)
        else:
            assert code in (-signal.SIGKILL, 128 + signal.SIGKILL)
            kills[calls[0]] += 1
        for key in keys(store):
            store.delete(key)
        for folder in list(store.folders()):
            store.root().rmdir(folder)
        store.root().forget_folders()
    assert kills == {"mkdirat": 2, "write": 4, "fchmod": 2, "utimensat": 2, "syncfs": 2, "renameat2": 2}


def test_p18_a_file_that_is_open_for_writing_is_known_and_its_writer_is_not_disturbed(
    store: LocalStore, place: Path
) -> None:
    with (place / "f").open("wb", buffering=0) as file:
        file.write(b"x")
        with store.read("f") as reader:
            assert reader.being_written()
            file.write(b"y")
        assert store.busy("gone") == ""
        assert store.busy("f") == f"still being written (open in {Path('/proc/self/comm').read_text().strip()})"
    with store.read("f") as reader:
        assert not reader.being_written()
        with (place / "f").open("ab", buffering=0) as file:  # no lease stays behind that would hold this up
            file.write(b"z")
    with (place / "f").open("rb") as file:
        assert fcntl.fcntl(file, fcntl.F_GETLEASE) == fcntl.F_UNLCK


def test_p18_a_reader_that_is_open_lets_the_instrument_rename_and_delete(both: LocalStore, place: Path) -> None:
    (place / "f").write_bytes(b"x")
    with both.read("f") as reader:
        (place / "f").rename(place / "g")
        (place / "g").unlink()
        assert b"".join(bytes(chunk) for chunk in reader.chunks()) == b"x"


def test_files_of_many_threads_land_in_their_own_folders_while_the_open_ones_are_dropped(
    store: LocalStore, place: Path
) -> None:
    """A descriptor that is closed under somebody's hands is soon that of another folder."""
    stop = Event()

    def drop() -> None:
        while not stop.is_set():
            store.root().forget_folders()

    def work(worker: int) -> None:
        for number in range(40):
            key = f"{worker}/{number % 7}/{worker}/{number}"
            assert isinstance(send(store, {key: key.encode()})[key], Entry)
            assert content(store, key) == key.encode()

    with ThreadPoolExecutor(5) as pool:
        dropping = pool.submit(drop)
        try:
            list(pool.map(work, range(4)))
        finally:
            stop.set()
        dropping.result()
    assert all(body.decode() == key for key, body in standing(place).items())
    assert len(keys(store)) == 160


@needs_root
def test_a_file_that_an_ordinary_user_made_can_be_proved_whatever_its_mode() -> None:
    import tempfile

    script = (
        "import os, sys\n"
        "from coldchain.model import Entry\n"
        "from coldchain.stores.local.store import LocalStore\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "staging = LocalStore(sys.argv[1]).stage()\n"
        "staging.open('f', Entry('f', 0, 1, mode=0o100020)).close()\n"
        "with staging.read_back('f') as reader: print(reader.entry.size_bytes)\n"
        "staging.close()\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
