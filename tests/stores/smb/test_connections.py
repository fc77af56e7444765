"""Does a connection that breaks cost time only, and is nothing of another file read or named?"""

from __future__ import annotations

import threading

import pytest

from coldchain.errors import (
    StoreError,
    StoreGone,
    Unreliable,
)
from coldchain.stores.smb.renaming import Renaming
from coldchain.stores.smb.sending import Outgoing
from coldchain.stores.smb.staging import SmbStaging
from coldchain.testing.contract.acts import (
    carry,
    content_of,
    entry_for,
    everything,
    put_in,
    some_bytes,
    staging_of,
)
from tests.stores.smb.serving import Server

MIB = 1 << 20


def test_reading_goes_on_with_the_same_file_after_the_connection_broke(own_samba: Server) -> None:
    own_samba.place("broken")
    store = own_samba.store("broken")
    content = some_bytes(12 * MIB)
    carry(store, {"a": content, "b": b"x"})
    with store.read("a") as reader:
        chunks = iter(reader.chunks())
        got = bytes(next(chunks))
        own_samba.drop_connections()
        got += b"".join(map(bytes, chunks))
        assert reader.look_again() == reader.entry
    assert got == content
    own_samba.drop_connections()
    assert store.stat("b").size_bytes == 1
    own_samba.drop_connections()
    assert everything(store) == ["a", "b"]


def test_another_file_is_never_read_on_after_the_connection_broke(own_samba: Server) -> None:
    root = own_samba.place("broken")
    store = own_samba.store("broken")
    carry(store, {"a": some_bytes(12 * MIB)})
    with store.read("a") as reader:
        chunks = iter(reader.chunks())
        next(chunks)
        own_samba.drop_connections()
        # Samba keeps showing the old time of a file whose server process was killed, so another size has to tell
        (root / "a").write_bytes(some_bytes(12 * MIB + 1, salt=1))
        with pytest.raises(StoreError):
            list(chunks)


def test_what_was_written_when_the_connection_broke_is_written_again(own_samba: Server) -> None:
    """A file half-way is given up; one that was flushed before gets its name after all."""
    root = own_samba.place("broken")
    store = own_samba.store("broken")
    with staging_of(store) as staging:
        put_in(staging, "done", b"x" * 100)
        put_in(staging, "large", some_bytes(3 * MIB))
        staging.flush()
        sink = staging.open("half", entry_for("half", b""))
        sink.write(some_bytes(MIB))
        own_samba.drop_connections()
        with pytest.raises(Unreliable):
            for _ in range(20):
                sink.write(some_bytes(MIB))
            sink.close()
        sink.abort()
        put_in(staging, "half", b"again")
        staging.flush()
        results = staging.publish({"done": None, "large": None, "half": None})
    assert {key: getattr(result, "size_bytes", result) for key, result in results.items()} == {
        "done": 100,
        "large": 3 * MIB,
        "half": 5,
    }
    assert sorted(file.name for file in root.iterdir()) == ["done", "half", "large"]


def outgoing(staging: object, key: str) -> Outgoing:
    assert isinstance(staging, SmbStaging)
    return staging._of(key)


def test_a_rename_whose_answer_was_lost_is_recognised(samba: Server) -> None:
    """And one that was not done is done."""
    root = samba.place("renamed")
    store = samba.store("renamed")
    with staging_of(store) as staging:
        put_in(staging, "a", b"content of a")
        put_in(staging, "b", b"content of b")
        staging.flush()
        done = Renaming(store._share, outgoing(staging, "a"), replace=False)
        assert done._sent is not None
        done._sent.wait()
        done._sent = None
        assert done.result() == store.stat("a")
        undone = Renaming(store._share, outgoing(staging, "b"), replace=False)
        assert undone._sent is not None
        undone._sent.wait()
        (root / "b").rename(root / outgoing(staging, "b").temporary)
        undone._sent = None
        assert undone.result() == store.stat("b")
        assert content_of(store, "b") == b"content of b"


def test_a_foreign_file_is_not_taken_for_ours_after_a_lost_answer(samba: Server) -> None:
    """Also when it has the same size and time."""
    root = samba.place("lost")
    store = samba.store("lost")
    before = carry(store, {"a": b"content of a"})["a"]
    with staging_of(store) as staging:
        put_in(staging, "a", b"content of b", entry_for("a", b"", before.mtime_ns))
        staging.flush()
        lost = Renaming(store._share, outgoing(staging, "a"), replace=False)
        assert lost._sent is not None
        lost._sent.wait()
        lost._sent = None
        (root / outgoing(staging, "a").temporary).unlink()
        with pytest.raises(Unreliable):
            lost.result()
    assert content_of(store, "a") == b"content of a"


def test_a_server_that_is_gone_is_gone(own_samba: Server) -> None:
    own_samba.place("gone")
    store = own_samba.store("gone")
    carry(store, {"a": b"x"})
    with staging_of(store) as staging:
        put_in(staging, "b", b"x")
        staging.flush()
        own_samba.stop()
        assert isinstance(staging.publish({"b": None})["b"], StoreGone)
    for verb in (store.volume, lambda: store.stat("a"), lambda: list(store.list()), lambda: store.read("a")):
        with pytest.raises(StoreGone, match="cannot be reached"):
            verb()


def test_many_threads_survive_a_broken_connection(own_samba: Server) -> None:
    own_samba.place("threads")
    store = own_samba.store("threads")
    contents = {f"f{number}": some_bytes(2 * MIB, salt=number) for number in range(4)}
    carry(store, contents)
    failed: list[BaseException] = []

    def read(key: str) -> None:
        try:
            for _ in range(10):
                assert content_of(store, key) == contents[key]
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=read, args=[key]) for key in contents]
    for thread in threads:
        thread.start()
    own_samba.drop_connections()
    for thread in threads:
        thread.join(60)
    assert not failed
