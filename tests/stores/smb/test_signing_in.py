"""Is a place that makes no sense, and a server that cannot be signed in to, said in words?"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from smbprotocol.exceptions import SMBException  # type: ignore[import-untyped]
from smbprotocol.header import SMB2HeaderResponse  # type: ignore[import-untyped]

from coldchain.errors import (
    ConfigurationError,
    NotFound,
    StoreGone,
)
from coldchain.stores.smb.share import READING
from coldchain.stores.smb.store import SmbStore
from coldchain.testing.contract.acts import (
    carry,
    content_of,
    some_bytes,
)
from tests.ports import free_port
from tests.stores.smb.serving import HASTY, PASSWORD, PREFIX, Server, said

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


def test_a_server_that_lets_nobody_in_just_now_is_asked_again(samba: Server) -> None:
    inside = samba.store(share="one")
    inside.volume()
    with pytest.raises(StoreGone, match="too much to do"):
        SmbStore(samba.url(share="one"), options=said(), patience=replace(HASTY, tries=2)).volume()
    patient = SmbStore(samba.url(share="one"), options=said(), patience=replace(HASTY, tries=60))
    leaving = threading.Timer(0.5, inside.close)
    leaving.start()
    patient.volume()
    leaving.join()


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
