"""How are the requests of SMB2 laid out as bytes, and their answers read?

[MS-SMB2] 2.2.13 to 2.2.40 and [MS-FSCC] 2.4.  smbprotocol has classes for the same, whose fields are computed one by
one; to store a small file takes a dozen requests, of which these cost a twentieth of the processor time.  They also let
names pass that are no well-formed UTF-16.  Signing, encryption, credits and the transport are smbprotocol's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import NamedTuple, TypeVar

from coldchain.errors import Unreliable

T = TypeVar("T")

CREATE, CLOSE, FLUSH, READ, WRITE, QUERY_DIRECTORY, QUERY_INFO, SET_INFO = 5, 6, 7, 8, 9, 14, 16, 17
SAME_FILE = b"\xff" * 16
"""In a chain: the file that the CREATE before it opened ([MS-SMB2] 3.2.4.1.4)."""

# [MS-SMB2] 2.2.13.1: what a handle may do
READ_DATA, WRITE_DATA, ADD_FILE, DELETE = 0x1, 0x2, 0x2, 0x10000
READ_ATTRIBUTES, WRITE_ATTRIBUTES, SYNCHRONIZE = 0x80, 0x100, 0x100000
SHARE_ALL, SHARE_READERS = 0x7, 0x5
OPEN, NEW, OPEN_OR_NEW = 1, 2, 3
FOLDER, FILE, NOT_FOLLOWED = 0x1, 0x40, 0x200000
UNBUFFERED = 0x8
IS_FOLDER, IS_NORMAL, IS_REPARSE = 0x10, 0x80, 0x400

_NAMES_AND_IDS = 38  # FileIdFullDirectoryInformation
_OF_FILE, _OF_VOLUME = 1, 2
_ALL, _BASIC, _RENAME, _DISPOSITION, _TAG = 18, 4, 10, 13, 35
_FS_VOLUME, _FS_FULL_SIZE = 1, 7
_FACTS = struct.Struct("<qqqqI4xqqIBB2xq")
_FOUND = struct.Struct("<I4xqqqqqqIIIIq")
_HEADER_BYTES = 64


class _Number:
    """What smbprotocol asks of a field when it counts credits."""

    __slots__ = ("_value",)

    def __init__(self, value: int) -> None:
        self._value = value

    def get_value(self) -> int:
        return self._value

    def __len__(self) -> int:
        return self._value


@dataclass(frozen=True, slots=True)
class Message:
    """One request; what smbprotocol asks of its own structures when it sends them."""

    COMMAND: int
    body: bytes
    payload_bytes: int = 1
    """What it carries, or may bring back: the server is asked for credits for it."""

    def pack(self) -> bytes:
        """The bytes behind the header."""
        return self.body

    def __len__(self) -> int:
        return len(self.body)

    def __getitem__(self, name: str) -> _Number:
        return _Number(self.payload_bytes if name in {"length", "output_buffer_length"} else 0)

    @property
    def charge(self) -> int:
        """How many credits it takes ([MS-SMB2] 3.1.5.2)."""
        return max(0, self.payload_bytes - 1) // 65536 + 1


class Facts(NamedTuple):
    """What a server says of a file."""

    mtime: int
    """In units of 100 ns since 1601, as all times here."""
    ctime: int
    size_bytes: int
    attributes: int
    number: int
    """The same for all names of one file, on one volume."""
    tag: int = 0
    """Of a reparse point, where known."""


# --- requests ---------------------------------------------------------------------------------------------------------


def create(name: bytes, access: int, disposition: int, options: int, share: int = SHARE_ALL) -> Message:
    """Open or make; asks for no lock of the protocol (oplock, lease), so that nobody ever waits for us."""
    attributes = 0 if options & FOLDER else IS_NORMAL
    fixed = struct.pack(
        "<HBBIQQIIIIIHHII",
        *(57, 0, 0, 2, 0, 0),
        *(access | SYNCHRONIZE, attributes, share, disposition, options),
        *(_HEADER_BYTES + 56, len(name), 0, 0),
    )
    return Message(CREATE, fixed + (name or b"\0\0"))


def close(file: bytes = SAME_FILE) -> Message:
    """Let go of a handle."""
    return Message(CLOSE, struct.pack("<HHI16s", 24, 0, 0, file))


def flush(file: bytes = SAME_FILE) -> Message:
    """Make durable what was written."""
    return Message(FLUSH, struct.pack("<HHI16s", 24, 0, 0, file))


def read(offset: int, length: int, file: bytes = SAME_FILE, *, unbuffered: bool = False) -> Message:
    """Read a range."""
    fixed = struct.pack("<HBBIQ16sIIIHHB", 49, 0x50, int(unbuffered), length, offset, file, 0, 0, 0, 0, 0, 0)
    return Message(READ, fixed, length)


def write(offset: int, content: bytes, file: bytes = SAME_FILE) -> Message:
    """Write at a place."""
    fixed = struct.pack("<HHIQ16sIIHHI", 49, _HEADER_BYTES + 48, len(content), offset, file, 0, 0, 0, 0, 0)
    return Message(WRITE, fixed + (content or b"\0"), max(1, len(content)))


def names_in(length: int, file: bytes = SAME_FILE) -> Message:
    """The next names of a folder."""
    fixed = struct.pack("<HBBI16sHHI", 33, _NAMES_AND_IDS, 0, 0, file, _HEADER_BYTES + 32, 2, length)
    return Message(QUERY_DIRECTORY, fixed + "*".encode("utf-16-le"), length)


def _query(kind: int, number: int, length: int, file: bytes) -> Message:
    return Message(QUERY_INFO, struct.pack("<HBBIHHIII16sB", 41, kind, number, length, 0, 0, 0, 0, 0, file, 0), length)


def facts(file: bytes = SAME_FILE) -> Message:
    """Size, times and number of an open file."""
    return _query(_OF_FILE, _ALL, 4096, file)


def tag(file: bytes) -> Message:
    """What kind of reparse point it is."""
    return _query(_OF_FILE, _TAG, 8, file)


def volume() -> Message:
    """What the volume is called."""
    return _query(_OF_VOLUME, _FS_VOLUME, 1024, SAME_FILE)


def room() -> Message:
    """How much fits onto the volume."""
    return _query(_OF_VOLUME, _FS_FULL_SIZE, 64, SAME_FILE)


def _set(number: int, content: bytes, file: bytes) -> Message:
    fixed = struct.pack("<HBBIHHI16s", 33, _OF_FILE, number, len(content), _HEADER_BYTES + 32, 0, 0, file)
    return Message(SET_INFO, fixed + content)


def set_mtime(mtime: int, file: bytes = SAME_FILE) -> Message:
    """Give a file its time; 0 leaves what is there."""
    return _set(_BASIC, struct.pack("<qqqqII", 0, 0, mtime, 0, 0, 0), file)


def rename(name: bytes, *, replace: bool) -> Message:
    """Give a file another name of the share; fails with a collision unless ``replace``."""
    return _set(_RENAME, struct.pack("<B7xQI", int(replace), 0, len(name)) + name + b"\0\0", SAME_FILE)


def remove() -> Message:
    """Let a file go with its last handle."""
    return _set(_DISPOSITION, b"\x01", SAME_FILE)


# --- answers ----------------------------------------------------------------------------------------------------------


def _answer(read: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """Let a reader of answers raise Unreliable for one that is cut short or whose numbers lead beyond it."""

    @wraps(read)
    def reader(body: bytes) -> T:
        try:
            return read(body)
        except (struct.error, IndexError):
            raise Unreliable("the server's answer makes no sense") from None

    return reader


@_answer
def opened(body: bytes) -> bytes:
    """The handle, of the answer to CREATE."""
    if len(body) < 80:
        raise IndexError("file_id")
    return body[64:80]


@_answer
def content_of(body: bytes) -> bytes:
    """The content, of the answer to READ."""
    start, length = body[2] - _HEADER_BYTES, struct.unpack_from("<I", body, 4)[0]
    if length and not 0 <= start <= len(body) - length:
        raise IndexError("data_offset")
    return body[start : start + length]


@_answer
def written(body: bytes) -> int:
    """How much of it was taken, of the answer to WRITE."""
    return int(struct.unpack_from("<I", body, 4)[0])


@_answer
def facts_of(body: bytes) -> Facts:
    """Size, times and number, of the answer to ``facts``."""
    _, _, mtime, ctime, attributes, _, size_bytes, _, _, _, number = _FACTS.unpack_from(_buffer(body))
    return Facts(mtime, ctime, size_bytes, attributes, number)


@_answer
def tag_of(body: bytes) -> int:
    """The kind of reparse point."""
    return int(struct.unpack_from("<II", _buffer(body))[1])


@_answer
def names_of(body: bytes) -> list[tuple[bytes, Facts]]:
    """The names (UTF-16) with what is known of them, of the answer to ``names_in``."""
    buffer, at, found = _buffer(body), 0, []
    while True:
        fields = _FOUND.unpack_from(buffer, at)
        following, _, _, mtime, ctime, size_bytes, _, attributes, length, tag, _, number = fields
        name = buffer[at + _FOUND.size : at + _FOUND.size + length]
        found.append((name, Facts(mtime, ctime, size_bytes, attributes, number, tag)))
        if not following:
            return found
        if following < _FOUND.size + length:  # else one megabyte could say a million names, each of a megabyte
            raise IndexError("next_entry_offset")
        at += following


@_answer
def volume_of(body: bytes) -> tuple[int, str]:
    """Serial number and label."""
    buffer = _buffer(body)
    _, serial, length = struct.unpack_from("<qII", buffer)
    return serial, buffer[18 : 18 + length].decode("utf-16-le", "replace").rstrip("\0")


@_answer
def room_of(body: bytes) -> int:
    """Bytes that are left for this user."""
    _, available, _, sectors, sector_bytes = struct.unpack_from("<qqqII", _buffer(body))
    return int(available * sectors * sector_bytes)


def _buffer(body: bytes) -> bytes:
    offset, length = struct.unpack_from("<HI", body, 2)
    if offset < _HEADER_BYTES:
        raise IndexError("output_buffer_offset")
    return body[offset - _HEADER_BYTES : offset - _HEADER_BYTES + length]
