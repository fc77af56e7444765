"""Is every trouble of a server said in words, with nothing half-written under a name?"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from coldchain.errors import (
    Denied,
    FlushFailed,
    NotAFile,
    NotFound,
    Occupied,
    StoreError,
    StoreFull,
    StoreGone,
    Unreliable,
)
from coldchain.model import Entry, Oddity
from coldchain.stores.base import CHUNK_BYTES
from coldchain.testing.contract.acts import carry, content_of, everything, put_in, some_bytes, staging_of
from coldchain.testing.contract.acts import replace as put_over
from tests.stores.sftp.failing import Server
from tests.stores.sftp.serving import HASTY, Sshd

LARGE = 5 * CHUNK_BYTES


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def files(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if not path.is_dir())


# --- what OpenSSH says ------------------------------------------------------------------------------------------------


def test_a_missing_place_is_not_found_and_can_be_made_where_its_parent_stands(sshd: Sshd, place: Path) -> None:
    store = sshd.store(place / "new")
    for verb in (store.volume, lambda: list(store.list())):
        with pytest.raises(NotFound):
            verb()
    deeper = sshd.store(place / "no/where")
    with pytest.raises(StoreGone, match="cannot make"):
        deeper.make()
    store.make()
    store.make()
    carry(store, {"a": b"1"})
    assert files(place) == ["new/a"]


def test_links_pipes_and_odd_names_are_shown_and_never_followed(sshd: Sshd, place: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("elsewhere")
    (place / "file").write_bytes(b"x")
    (place / "link").symlink_to(tmp_path / "secret")
    (place / "folder-link").symlink_to(tmp_path)
    os.mkfifo(place / "pipe")
    os.close(os.open(os.fsencode(place) + b"/\xff\xe9\n", os.O_CREAT))
    store = sshd.store(place)
    found = {item.path: item for item in store.list()}
    assert list(found) == ["file", "folder-link", "link", "pipe", "\udcff\udce9\n"]
    assert [item.what for item in found.values() if isinstance(item, Oddity)] == ["symlink", "symlink", "special"]
    for key in ("link", "pipe", "folder-link/secret"):
        for verb in (store.stat, store.read):
            with pytest.raises(NotAFile):
                verb(key)
    with staging_of(store) as staging:
        put_in(staging, "folder-link/new", b"x")
        staging.flush()
        assert isinstance(staging.publish({"folder-link/new": None})["folder-link/new"], Occupied)
    assert not (tmp_path / "new").exists()
    assert content_of(store, "\udcff\udce9\n") == b""


def test_a_place_without_rights_is_denied(own_sshd: Sshd, place: Path) -> None:
    """As a server does it that lets its users only read."""
    own_sshd.stop()
    own_sshd.subsystem = "sftp internal-sftp -R"
    own_sshd.start()
    (place / "there").write_bytes(b"x")
    store = own_sshd.store(place)
    assert content_of(store, "there") == b"x"
    with staging_of(store) as staging:
        put_in(staging, "a", b"1")
        staging.flush()
        assert isinstance(staging.publish({"a": None})["a"], Denied)
        with pytest.raises(Denied):
            put_in(staging, "b", some_bytes(LARGE))
            staging.flush()
            staging.read_back("b")
    with pytest.raises(Denied):
        store.delete("there")
    with pytest.raises(Denied):
        store.probe_names()
    assert files(place) == ["there"]
    store.close()


def test_a_folder_in_a_chroot_is_named_as_its_user_sees_it(own_sshd: Sshd, place: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can lock somebody in")
    own_sshd.stop()
    jail = Path("/run/coldchain-jail-test") / own_sshd.folder.parent.name
    (jail / "data").mkdir(parents=True)
    try:
        own_sshd.more = (f"ChrootDirectory {jail}", "ForceCommand internal-sftp")
        own_sshd.start()
        store = own_sshd.store("/data")
        store.probe_names()
        carry(store, {"run/a": b"1"})
        assert (jail / "data/run/a").read_bytes() == b"1"
        assert store.volume().endswith(" /data")
        store.close()
    finally:
        own_sshd.stop()
        for path in sorted(jail.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        jail.rmdir()
        jail.parent.rmdir()


def test_a_home_is_named_by_a_tilde(sshd: Sshd) -> None:
    store = sshd.store("/~")
    assert store.volume().rpartition(" ")[2] == os.path.realpath(os.path.expanduser("~root")) or os.getuid()
    store.close()


def test_a_full_disk_ends_the_store_in_words(sshd: Sshd, tmp_path: Path) -> None:
    """On a real file system that is full, which OpenSSH calls a Failure."""
    full = tmp_path / "full"
    full.mkdir()
    if os.getuid() != 0 or os.system(f"mount -t tmpfs -o size=2m none {full}"):
        pytest.skip("only root can mount a small file system")
    try:
        store = sshd.store(full)
        with staging_of(store) as staging:
            with pytest.raises(StoreFull) as caught:
                sink = staging.open("large", Entry("large", LARGE * 4, 0))
                for _ in range(20):
                    sink.write(some_bytes(CHUNK_BYTES))
                sink.close()
                staging.flush()
                staging.read_back("large")
            assert caught.value.ends_store
            put_in(staging, "small", some_bytes(CHUNK_BYTES))
        assert files(full) == []
        store.close()
    finally:
        os.system(f"umount {full}")


# --- connections that are lost ----------------------------------------------------------------------------------------


def test_small_files_survive_a_lost_connection(own_sshd: Sshd, place: Path) -> None:
    """They are sent again, each request on its own; nothing is left of the first try."""
    store = own_sshd.store(place)
    contents = {f"run/{n:03}": some_bytes(3000, salt=n) for n in range(200)}
    with staging_of(store) as staging:
        for number, (key, content) in enumerate(contents.items()):
            put_in(staging, key, content)
            if number == 100:
                own_sshd.cut()
        staging.flush()
        own_sshd.cut()
        for key, content in contents.items():
            with staging.read_back(key) as reader:
                assert b"".join(reader.chunks()) == content
        own_sshd.cut()
        results = staging.publish(dict.fromkeys(contents))
    assert [error for error in results.values() if not isinstance(error, Entry)] == []
    assert files(place) == sorted(contents)
    assert len(list(store.list())) == len(contents)
    store.close()


def test_a_large_file_whose_connection_is_lost_is_worth_another_try(own_sshd: Sshd, place: Path) -> None:
    store = own_sshd.store(place)
    with staging_of(store) as staging:
        sink = staging.open("large", Entry("large", LARGE, 0))
        sink.write(some_bytes(3 * CHUNK_BYTES))
        _until(lambda: bool(files(place)))
        own_sshd.cut()
        with pytest.raises(Unreliable) as caught:
            for _ in range(100):
                sink.write(some_bytes(CHUNK_BYTES))
            sink.close()
            staging.flush()
            staging.read_back("large")
        assert caught.value.temporary
        sink.abort()
    assert files(place) == []
    carry(store, {"large": some_bytes(LARGE)})
    with store.read("large") as reader, pytest.raises(Unreliable):
        pieces = reader.chunks()
        next(pieces)
        own_sshd.cut()
        assert len(b"".join(pieces)) < LARGE
        raise Unreliable("it had been read ahead")
    assert content_of(store, "large") == some_bytes(LARGE)
    store.close()


@pytest.mark.parametrize("times", [1, 2])
def test_a_connection_that_is_lost_between_login_and_session_is_made_again(
    sshd: Sshd, place: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """It is not a server without SFTP, though asyncssh says the same of both."""
    left, honest = [None] * times, asyncssh.connect

    async def connect(*args: Any, **named: Any) -> asyncssh.SSHClientConnection:
        connection = await honest(*args, **named)
        if left:
            left.pop()
            connection.abort()
        return connection

    store = sshd.store(place, replace(HASTY, stall_s=59))
    carry(store, {"a": b"1"})
    sshd.cut()
    monkeypatch.setattr(asyncssh, "connect", connect)
    assert content_of(store, "a") == b"1"
    assert not left
    store.close()


def test_a_server_that_hangs_up_when_a_session_is_asked_for_is_asked_again(failing: Server, place: Path) -> None:
    failing.orders.hang_up = 9
    store = failing.store(place)
    with pytest.raises(StoreGone, match="cannot be reached"):
        store.volume()
    time.sleep(HASTY.gone_s)
    failing.orders.hang_up, failing.orders.logins = 1, 0
    carry(store, {"a": b"1"})
    assert failing.orders.logins == 2
    store.close()


@pytest.mark.parametrize(("subsystem", "sessions"), [("sftp internal-sftp", 0), ("other internal-sftp", 9)])
def test_a_server_without_sftp_is_said_at_once(own_sshd: Sshd, place: Path, subsystem: str, sessions: int) -> None:
    own_sshd.stop()
    own_sshd.subsystem, own_sshd.more = subsystem, (f"MaxSessions {sessions}",)
    own_sshd.start()
    store = own_sshd.store(place)
    with pytest.raises(StoreGone, match="lets this account in, but offers it no SFTP"):
        store.volume()
    store.close()


def test_a_server_that_is_gone_ends_the_store(own_sshd: Sshd, place: Path) -> None:
    store = own_sshd.store(place)
    carry(store, {"a": b"1"})
    with staging_of(store) as staging:
        put_in(staging, "b", b"2")
        own_sshd.stop()
        staging.flush()
        with pytest.raises(StoreGone, match="nothing answers") as caught:
            staging.read_back("b")
        assert caught.value.ends_store
    with pytest.raises(StoreGone):
        list(store.list())
    own_sshd.start()
    time.sleep(HASTY.gone_s)
    assert content_of(store, "a") == b"1"
    store.close()


def test_a_server_that_owes_every_answer_is_left(failing: Server, place: Path) -> None:
    store = failing.store(place, replace(HASTY, stall_s=0.4, tries=2))
    carry(store, {"a": b"1"})
    failing.orders.stall = threading.Event()
    with pytest.raises(Unreliable, match="broke off"):
        store.stat("a")
    failing.orders.stall.set()
    assert store.stat("a").size_bytes == 1
    store.close()


# --- other servers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncssh.SFTPFailure("No space left on device"), StoreFull),
        (asyncssh.SFTPFailure("Disk quota exceeded"), StoreFull),
        (asyncssh.SFTPFailure("Read-only file system"), StoreGone),
        (asyncssh.SFTPFailure("Input/output error"), Unreliable),
        (asyncssh.SFTPPermissionDenied("no"), Denied),
        (asyncssh.SFTPNoSpaceOnFilesystem("disk full"), StoreFull),
    ],
)
@pytest.mark.parametrize("size_bytes", [10, LARGE])
def test_a_write_that_fails_leaves_nothing(
    failing: Server, place: Path, error: BaseException, kind: type[StoreError], size_bytes: int
) -> None:
    failing.orders.fail_write = error
    failing.orders.after_writes = 2 if size_bytes == LARGE else 0
    store = failing.store(place)
    with staging_of(store) as staging:
        with pytest.raises(StoreError) as caught:
            put_in(staging, "run/a", some_bytes(size_bytes))
            staging.flush()
            staging.read_back("run/a")
        assert type(caught.value) is kind
        assert (caught.value.url, caught.value.key) == (store.url, "run/a")
    assert files(place) == []
    store.close()


def test_a_failed_flush_fails_the_file(failing: Server, place: Path) -> None:
    failing.orders.fail_sync = asyncssh.SFTPFailure("Input/output error")
    store = failing.store(place)
    with staging_of(store) as staging:
        put_in(staging, "a", b"1")
        staging.flush()
        assert isinstance(staging.publish({"a": None})["a"], FlushFailed)
        (place / "old").write_bytes(b"x")
        staging.settle("old")
        with pytest.raises(FlushFailed):
            staging.flush()
    assert files(place) == ["old"]
    store.close()


def test_a_server_without_extensions_keeps_every_promise_that_it_can(bare: Server, place: Path) -> None:
    store = bare.store(place)
    assert store.free_bytes() is None
    assert store.volume().startswith("SHA256:")
    found = carry(store, {"run/a": b"old", "b": some_bytes(LARGE)})
    (place / "theirs").write_bytes(b"theirs")
    with staging_of(store) as staging:
        put_in(staging, "theirs", b"ours")
        staging.settle("b")
        staging.flush()
        assert isinstance(staging.publish({"theirs": None})["theirs"], Occupied)
    assert isinstance(put_over(store, "run/a", b"newer", found["run/a"]), Entry)
    assert [content_of(store, key) for key in ("run/a", "theirs")] == [b"newer", b"theirs"]
    assert everything(store) == ["b", "run/a", "theirs"]
    store.close()


def _until(true: object) -> None:
    until = time.monotonic() + 20
    while not true() and time.monotonic() < until:  # type: ignore[operator]
        time.sleep(0.01)
