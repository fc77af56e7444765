"""How are requests numbered, and signed or encrypted on their way, and how are answers checked?

[MS-SMB2] 2.2.1.2, 2.2.41, 3.2.4.1 and 3.2.5.1.  smbprotocol does that too, with structures whose fields are computed
one by one: to store 2,000 small files that was two thirds of all processor time.  So it only connects, signs in and
reads from the socket; what is asked afterwards passes it by.
"""

from __future__ import annotations

import os
import struct
import threading
from importlib import import_module
from typing import Any, NamedTuple

from coldchain.stores.smb.messages import Message

_connection: Any = import_module("smbprotocol.connection")
_errors: Any = import_module("smbprotocol.exceptions")
_aead: Any = import_module("cryptography.hazmat.primitives.ciphers.aead")

_PENDING = 0x103
_RELATED, _SIGNED, _OF_DFS = 0x4, 0x8, 0x10000000
_SMB_3_1_1 = 0x0311
_CLEAR, _SEALED = b"\xfeSMB", b"\xfdSMB"
_HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")
_ENVELOPE = struct.Struct("<4s16s16sIHHQ")
_NOT_SEALED = 20
"""So many bytes of an envelope are not covered by its seal."""
_GCM = frozenset({2, 4})
"""AES-128-GCM and AES-256-GCM among the ciphers of 2.2.3.1.2."""
_GCM_NONCE_BYTES, _CCM_NONCE_BYTES, _SEAL_BYTES = 12, 11, 16
_NO_SIGNATURE = bytes(16)


class Answer(NamedTuple):
    """The status (0 when all is well) and the body of one answer."""

    status: int
    body: bytes


class Awaited:
    """One request under way."""

    __slots__ = ("answer", "arrived")

    def __init__(self) -> None:
        self.arrived = threading.Event()
        """Also set when none will arrive any more."""
        self.answer: Answer | None = None


class Connection(_connection.Connection):  # type: ignore[misc]
    """smbprotocol's, which waits for ever and takes unsigned answers, without these."""

    answer_s = 60.0
    sealed: Any = None
    """The session, once every answer must be signed or encrypted."""
    _seal: Any = None
    _unseal: Any = None
    _nonce_bytes = _GCM_NONCE_BYTES

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._awaited: dict[int, Awaited] = {}

    def secure(self, session: Any) -> None:
        """From now on every answer must be signed or encrypted, as it was agreed on with ``session``."""
        if session.encryption_key:
            gcm = self.dialect >= _SMB_3_1_1 and self.cipher_id in _GCM
            cipher = _aead.AESGCM if gcm else _aead.AESCCM
            self._nonce_bytes = _GCM_NONCE_BYTES if gcm else _CCM_NONCE_BYTES
            self._seal, self._unseal = cipher(session.encryption_key), cipher(session.decryption_key)
        self.sealed = session

    # --- what smbprotocol asks itself ------------------------------------------------------------------------------

    def receive(
        self, request: Any, wait: bool = True, timeout: float | None = None, resolve_symlinks: bool = False
    ) -> Any:
        """Links are never followed by us, whatever the caller says."""
        return super().receive(request, wait, timeout or self.answer_s, resolve_symlinks=False)

    def verify_signature(self, header: Any, session_id: int, force: bool = False) -> None:
        """Called for answers that came unencrypted; [MS-SMB2] 3.2.5.1.3 has the client discard unsigned ones."""
        if self.sealed is not None:
            self._check_protected(header["status"].get_value(), header["flags"].get_value())
        super().verify_signature(header, session_id, force)

    def _check_protected(self, status: int, flags: int) -> None:
        if status == _PENDING:
            return
        if self.sealed.encrypt_data:
            raise _errors.SMBException("an answer that should be encrypted was not")
        if not flags & _SIGNED:
            raise _errors.SMBException("an answer that should be signed was not")

    # --- requests --------------------------------------------------------------------------------------------------

    def post(self, chain: tuple[Message, ...], tree: Any) -> list[Awaited]:
        """Send requests that belong together; the caller sees to it that there are credits for them."""
        sealing = self._seal is not None and (self.sealed.encrypt_data or tree.encrypt_data)
        flags = (_OF_DFS if tree.is_dfs_share else 0) | (0 if sealing else _SIGNED)
        parts: list[bytes] = []
        awaited: list[Awaited] = []
        for place, message in enumerate(chain):
            padding = bytes(-len(message.body) % 8) if place < len(chain) - 1 else b""
            following = _HEADER.size + len(message.body) + len(padding) if place < len(chain) - 1 else 0
            charge = message.charge if self.supports_multi_credit else 0
            number = self._number(max(1, charge))
            header = _HEADER.pack(
                *(_CLEAR, 64, charge, 0, message.COMMAND, charge),
                *(flags | (_RELATED if place else 0), following, number, 0),
                *(tree.tree_connect_id, self.sealed.session_id, _NO_SIGNATURE),
            )
            part = b"".join((header, message.body, padding))
            if not sealing:
                part = self._signed(part, number, message.COMMAND)
            parts.append(part)
            awaited.append(Awaited())
            self._awaited[number] = awaited[-1]
        self._check_worker_running()  # after the table knows them, so that somebody wakes those who wait
        self._hand_over(self._in_envelope(b"".join(parts)) if sealing else parts)
        return awaited

    def _number(self, charge: int) -> int:
        with self.sequence_lock:
            number = int(self.sequence_window["low"])
            self.sequence_window["low"] += charge
        return number

    def _signed(self, part: bytes, number: int, command: int) -> bytes:
        signature = self._generate_signature(part, self.sealed.signing_key, number, False, command)
        return b"".join((part[:48], signature, part[64:]))

    def _in_envelope(self, content: bytes) -> list[bytes]:
        nonce = os.urandom(self._nonce_bytes)
        facts = (nonce.ljust(16, b"\0"), len(content), 0, 1, self.sealed.session_id)
        seen = _ENVELOPE.pack(_SEALED, _NO_SIGNATURE, *facts)[_NOT_SEALED:]
        sealed = memoryview(self._seal.encrypt(nonce, content, seen))
        return [_SEALED, bytes(sealed[-_SEAL_BYTES:]), seen, bytes(sealed[:-_SEAL_BYTES])]

    def _hand_over(self, parts: list[bytes]) -> None:
        size_bytes = sum(map(len, parts))
        data = b"".join((struct.pack(">I", size_bytes), *parts))
        transport = self.transport
        with transport._sock_lock:
            transport._sock.sendall(data)

    # --- answers ---------------------------------------------------------------------------------------------------

    def _process_message_thread(self) -> None:
        """What is ours is taken before smbprotocol sees it; in the end nobody waits any more."""
        receive = self.transport.recv

        def rest(timeout: float) -> Any:
            while (message := receive(timeout)) and self.took(message):
                pass
            return message

        self.transport.recv = rest
        try:
            super()._process_message_thread()
        finally:
            for awaited in list(self._awaited.values()):
                awaited.arrived.set()

    def took(self, message: bytes) -> bool:
        """Take answers to what was posted; False for all else.  Raises what ends the connection."""
        if not self._awaited:
            return False
        unsealed = message[:4] == _SEALED
        if unsealed:
            message = self._opened(message)
        if len(message) < _HEADER.size or _HEADER.unpack_from(message)[8] not in self._awaited:
            return False
        start = 0
        while start < len(message):
            start += self._take(message, start, unsealed=unsealed)
        return True

    def _opened(self, message: bytes) -> bytes:
        _, seal, nonce, size_bytes, _, flags, session_id = _ENVELOPE.unpack_from(message)
        if flags != 1 or session_id != self.sealed.session_id or self._unseal is None:
            raise _errors.SMBException("an answer was encrypted for somebody else")
        content = b"".join((memoryview(message)[_ENVELOPE.size :], seal))
        opened: bytes = self._unseal.decrypt(nonce[: self._nonce_bytes], content, message[_NOT_SEALED : _ENVELOPE.size])
        if len(opened) != size_bytes:
            raise _errors.SMBException("an encrypted answer has another length than it says")
        return opened

    def _take(self, message: bytes, start: int, *, unsealed: bool) -> int:
        """One answer; returns where the next one begins, counted from this one."""
        fields = _HEADER.unpack_from(message, start)
        status, command, credit, flags, following, number, signature = *fields[3:9], fields[12]
        size_bytes = following or len(message) - start
        part = message[start : start + size_bytes] if start or following else message
        if fields[0] != _CLEAR or size_bytes < _HEADER.size or len(part) != size_bytes:
            raise _errors.SMBException("an answer makes no sense")
        if not unsealed:
            self._check_protected(status, flags)
            if status != _PENDING and self._signature(part, number, command) != signature:
                raise _errors.SMBException("the signature of an answer is wrong")
        with self.sequence_lock:
            self.sequence_window["high"] += credit if credit or self.supports_multi_credit else 1
        if status != _PENDING:
            awaited = self._awaited.pop(number, None)
            if awaited is None:
                raise _errors.SMBException("an answer came that nobody waits for")
            awaited.answer = Answer(status, part[_HEADER.size :])
            awaited.arrived.set()
        return size_bytes

    def _signature(self, part: bytes, number: int, command: int) -> bytes:
        return bytes(self._generate_signature(part, self.sealed.signing_key, number, True, command))
