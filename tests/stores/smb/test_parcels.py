"""Is no answer believed that was not signed or encrypted as agreed, and does each find who waits for it?"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator

import pytest
from cryptography.exceptions import InvalidTag
from smbprotocol.exceptions import SMBException  # type: ignore[import-untyped]

from coldchain.stores.smb import messages as m
from coldchain.stores.smb.parcels import Awaited, Connection
from coldchain.stores.smb.share import READING
from coldchain.stores.smb.store import SmbStore
from tests.stores.smb.serving import Server

NUMBER = 1_000_000
_HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")


def answer(status: int = 0, flags: int = 1, number: int = NUMBER, signature: bytes = bytes(16)) -> bytes:
    """One that the server never gave."""
    return _HEADER.pack(b"\xfeSMB", 64, 1, status, m.CLOSE, 1, flags, 0, number, 0, 0, 0, signature) + b"body"


@pytest.fixture(params=["yes", "no"])
def store(request: pytest.FixtureRequest, samba: Server) -> Iterator[SmbStore]:
    """Encrypted and only signed."""
    store = samba.store(encrypt=request.param)
    yield store
    store.close()


@pytest.fixture
def connection(store: SmbStore) -> Connection:
    """One on which somebody waits for an answer."""
    line = store._share.line(READING)
    connection = line._connection
    assert isinstance(connection, Connection)
    connection._awaited[NUMBER] = Awaited()
    return connection


@pytest.mark.parametrize("flags", [1, 9], ids=["not signed", "wrongly signed"])
def test_a_forged_answer_is_no_answer(connection: Connection, flags: int) -> None:
    with pytest.raises(SMBException, match=r"should be|signature of an answer is wrong"):
        connection.took(answer(flags=flags))
    assert connection._awaited[NUMBER].answer is None


def test_a_forged_answer_that_says_wait_ends_no_waiting(connection: Connection) -> None:
    """[MS-SMB2] 3.2.5.1.3: interim answers may come unsigned; nothing is believed of them."""
    assert connection.took(answer(status=0x103))
    assert not connection._awaited[NUMBER].arrived.is_set()


def test_an_envelope_that_was_opened_on_the_way_ends_the_connection(samba: Server) -> None:
    store = samba.store(encrypt="yes")
    connection = store._share.line(READING)._connection
    connection._awaited[NUMBER] = Awaited()
    session = connection.sealed.session_id
    envelope = struct.pack("<4s16s16sIHHQ", b"\xfdSMB", bytes(16), bytes(16), 68, 0, 1, session)
    with pytest.raises(InvalidTag):
        connection.took(envelope + answer())
    assert connection._awaited[NUMBER].answer is None
    with pytest.raises(SMBException, match="for somebody else"):
        connection.took(envelope[:44] + struct.pack("<Q", session + 1) + answer())


def test_whoever_waits_when_the_connection_ends_is_woken(connection: Connection, store: SmbStore) -> None:
    waiting = connection._awaited[NUMBER]
    woken = threading.Thread(target=waiting.arrived.wait, args=(20,))
    woken.start()
    store._share.line(READING).close()
    woken.join(20)
    assert waiting.arrived.is_set() and waiting.answer is None


def test_an_answer_that_is_only_signed_counts_only_where_no_encryption_was_agreed_on(connection: Connection) -> None:
    signature = connection._signature(answer(flags=9), NUMBER, m.CLOSE)
    genuine = answer(flags=9, signature=signature)
    waiting = connection._awaited[NUMBER]
    if connection.sealed.encrypt_data:
        with pytest.raises(SMBException, match="should be encrypted"):
            connection.took(genuine)
        assert waiting.answer is None
    else:
        assert connection.took(genuine)
        assert waiting.answer == (0, b"body")
