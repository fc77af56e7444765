"""Does what goes wrong end in one sentence, the right class of error, and nothing half-written?"""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest
from smbprotocol.exceptions import SMBException  # type: ignore[import-untyped]
from smbprotocol.header import SMB2HeaderResponse  # type: ignore[import-untyped]

from coldchain.errors import (
    BusyWriting,
    ConfigurationError,
    Denied,
    NameRefused,
    NotAFile,
    NotFound,
    Occupied,
    StoreError,
    StoreFull,
    StoreGone,
    Unreliable,
)
from coldchain.model import Oddity
from coldchain.stores.smb import messages as m
from coldchain.stores.smb.renaming import Renaming
from coldchain.stores.smb.sending import Outgoing
from coldchain.stores.smb.share import READING, WRITING
from coldchain.stores.smb.staging import SmbStaging
from coldchain.stores.smb.store import SmbStore
from coldchain.stores.smb.trouble import translate
from coldchain.testing.contract.acts import (
    carry,
    content_of,
    entry_for,
    everything,
    put_in,
    some_bytes,
    staging_of,
)
from tests.stores.smb.serving import HASTY, PASSWORD, PREFIX, Server, free_port, said

MIB = 1 << 20


# --- what is written in a configuration ---


@pytest.mark.parametrize(
    "url",
    ["smb://", "smb://server", "smb://server/", "smb:///share", "smb://server:x/share", "smb://server/share/../x"],
)
def test_what_names_no_share_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        SmbStore(url)


@pytest.mark.parametrize("options", [{"encrypt": "maybe"}, {"auth": "basic"}, {"pasword": "x"}, {"credentials": "x"}])
def test_options_that_make_no_sense_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        SmbStore("smb://server/share", options=options)


def test_a_password_in_a_url_is_stripped() -> None:
    store = SmbStore(f"smb://somebody:{PASSWORD}@server/share/a%20b/")
    assert store.url == "smb://somebody@server/share/a%20b"
    assert PASSWORD not in repr(vars(store))


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch, samba: Server) -> None:
    monkeypatch.delenv(f"{PREFIX}_PASSWORD")
    with pytest.raises(ConfigurationError, match=f"{PREFIX}_PASSWORD"):
        samba.store().volume()


# --- signing in ---


def test_a_wrong_password_is_said_in_words(monkeypatch: pytest.MonkeyPatch, samba: Server) -> None:
    monkeypatch.setenv(f"{PREFIX}_PASSWORD", "wrong-canary")
    with pytest.raises(StoreGone, match="refuses this user or this password") as caught:
        samba.store().volume()
    assert "wrong-canary" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_nobody_to_sign_in_as_is_said_in_words(samba: Server) -> None:
    with pytest.raises(StoreGone, match="credentials") as caught:
        SmbStore(samba.url(), patience=HASTY).volume()
    assert "\n" not in caught.value.reason


def test_kerberos_without_its_package_is_said_in_words(samba: Server) -> None:
    with pytest.raises(StoreGone) as caught:
        samba.store(auth="kerberos").volume()
    assert "\n" not in caught.value.reason


def test_a_server_that_is_not_there_is_said_in_words() -> None:
    with pytest.raises(StoreGone, match="cannot be reached"):
        SmbStore(f"smb://127.0.0.1:{free_port()}/data", options=said(), patience=HASTY).volume()


def test_a_server_whose_name_is_unknown_is_said_in_words() -> None:
    with pytest.raises(StoreGone, match="cannot be reached"):
        SmbStore("smb://no-such-host.invalid/data", options=said(), patience=HASTY).volume()


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"smb://127.0.0.1:{mute.getsockname()[1]}/data"
        with pytest.raises(StoreGone, match="does not answer"):
            SmbStore(url, options=said(), patience=HASTY).volume()


def test_a_share_or_folder_that_is_not_there_is_not_found(samba: Server) -> None:
    with pytest.raises(NotFound, match="no such share"):
        samba.store(share="absent").volume()
    store = samba.store("absent")
    for verb in (store.volume, lambda: list(store.list())):
        with pytest.raises(NotFound):
            verb()


def test_the_folder_itself_is_made_but_nothing_above_it(samba: Server) -> None:
    samba.place("above")
    samba.store("above/made").make()
    samba.store("above/made").make()
    assert (samba.share / "above/made").is_dir()
    with pytest.raises(StoreGone):
        samba.store("above/not/made").make()


# --- a server that demands, or offers nothing ---


@pytest.fixture(scope="module")
def plain_samba() -> Iterator[Server]:
    from tests.stores.smb.serving import served

    yield from served("server smb encrypt = off\n  server max protocol = SMB2_10")


def test_encryption_that_is_not_offered_is_missed_only_where_it_is_demanded(plain_samba: Server) -> None:
    plain_samba.place("old")
    with pytest.raises(StoreGone, match="no encryption"):
        plain_samba.store("old", encrypt="yes").volume()
    store = plain_samba.store("old")
    assert store.agreed == "SMB 2.1.0, signed"
    carry(store, {"a": some_bytes(3 * MIB)})
    assert content_of(store, "a") == some_bytes(3 * MIB)


def test_an_answer_that_is_not_signed_is_not_believed(samba: Server) -> None:
    """[MS-SMB2] 3.2.5.1.3; smbprotocol alone would take it, signed or encrypted as the connection may be."""
    for encrypt in ("no", "yes"):
        store = samba.store(encrypt=encrypt)
        connection = store._share.line(READING)._connection
        answer = SMB2HeaderResponse()
        with pytest.raises(SMBException, match="should be"):
            connection.verify_signature(answer, connection.sealed.session_id)


# --- rights, room, locks ---


def test_a_share_for_reading_only_is_denied(samba: Server) -> None:
    root = samba.place("readonly")
    store = samba.store("readonly", share="ro")
    with staging_of(store) as staging:
        put_in(staging, "a", b"x")
        staging.flush()
        error = staging.publish({"a": None})["a"]
    assert isinstance(error, Denied)
    with pytest.raises(Denied):
        store.probe_names()
    assert list(root.iterdir()) == []


def test_a_folder_without_rights_is_an_oddity(samba: Server) -> None:
    root = samba.place("rights")
    (root / "shut").mkdir(mode=0o700)
    (root / "file").write_bytes(b"x")
    store = samba.store("rights")
    found = list(store.list())
    assert [item.path for item in found] == ["file", "shut/"]
    assert isinstance(found[1], Oddity)
    assert found[1].what == "unreadable"


def test_a_full_share_is_out_of_the_run(own_samba: Server) -> None:
    small = own_samba.folder / "small"
    user = own_samba.share.stat().st_uid
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=8m,uid={user}", "none", small], check=True)
    try:
        store = own_samba.store(share="small")
        room = store.free_bytes()
        assert room is not None and room <= 8 * MIB
        with staging_of(store) as staging:
            with pytest.raises(StoreFull):
                put_in(staging, "large", some_bytes(12 * MIB))
            for number in range(80):
                try:
                    put_in(staging, f"small{number}", some_bytes(60_000))
                except StoreFull:
                    break
            put_in_full(staging)
        assert everything(store) == []
    finally:
        own_samba.stop()
        subprocess.run(["umount", "-l", small], check=True)


def put_in_full(staging: object) -> None:
    """Fill the rest with small files, of which the last do not fit."""
    assert isinstance(staging, SmbStaging)
    with pytest.raises(StoreFull):
        for number in range(200):
            put_in(staging, f"more{number}", some_bytes(60_000))
        staging.flush()
        error = staging.publish({"more199": None})["more199"]
        assert isinstance(error, StoreError)
        raise error


def test_a_file_that_somebody_holds_alone_is_busy(samba: Server) -> None:
    samba.place("held")
    store = samba.store("held", ask_writers="yes")
    carry(store, {"a": b"x"})
    line = store._share.line(WRITING)
    name = store._share.name("a")
    alone = line.send(m.create(name, m.WRITE_DATA, m.OPEN, m.FILE, 0)).answers()[0]
    assert alone.status == 0
    with pytest.raises(BusyWriting):
        store.read("a")
    assert "being written" in store.busy("a")
    line.send(m.close(m.opened(alone.body))).answers()
    assert store.busy("a") == ""


def test_who_writes_is_only_asked_where_the_configuration_says_so(samba: Server) -> None:
    """P18: and a writer that lets others read is never in our way, nor we in its."""
    samba.place("asked")
    store, asking = samba.store("asked"), samba.store("asked", ask_writers="yes")
    carry(store, {"a": b"x"})
    line = store._share.line(WRITING)
    writer = line.send(m.create(store._share.name("a"), m.WRITE_DATA, m.OPEN, m.FILE)).answers()[0]
    with store.read("a") as reader, asking.read("a") as other:
        assert (reader.being_written(), other.being_written()) == (False, True)
    assert (store.busy("a"), bool(asking.busy("a"))) == ("", True)
    with store.read("a"):
        assert (
            line.send(m.create(store._share.name("a"), m.WRITE_DATA | m.DELETE, m.OPEN, m.FILE), m.close())
            .answers()[0]
            .status
            == 0
        )
    line.send(m.close(m.opened(writer.body))).answers()


# --- a connection that breaks ---


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


# --- names, links ---


@pytest.mark.parametrize("key", ["a:stream", "back\\slash", "nul\0"])
def test_what_would_lead_elsewhere_is_never_sent(samba: Server, key: str) -> None:
    store = samba.store()
    with staging_of(store) as staging, pytest.raises(NameRefused):
        staging.open(key, entry_for(key, b""))
    with pytest.raises(NotFound):
        store.stat(key)


def test_the_probe_says_what_samba_does(samba: Server) -> None:
    samba.place("probed")
    rules = samba.store("probed").probe_names()
    assert rules.folds_case
    assert set(rules.forbidden) >= set(':\\"*<>?|')
    assert (rules.name_limit, rules.limit_unit, rules.invalid_utf8) == (255, "bytes", False)


def test_a_server_s_error_is_translated_by_its_status() -> None:
    kinds = {0xC000007F: StoreFull, 0xC0000022: Denied, 0xC0000035: Occupied, 0xC0000043: BusyWriting}
    for status, kind in (kinds | {0xC0000034: NotFound, 0xC00000BA: NotAFile, 0xDEADBEEF: Unreliable}).items():
        assert type(translate(status, url="smb://x/y", key="k")) is kind
