"""What does the status of an answer, or a broken connection, mean for the caller?"""

from __future__ import annotations

from collections.abc import Mapping

from coldchain.errors import (
    BusyWriting,
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


class Lost(Exception):
    """The connection is gone, or never came about; the text is a reason for people."""


class Broken(Lost):
    """It came about, and broke: nobody refused anything."""


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"0x{status:08x}")
        self.status = status


NO_MORE_FILES, END_OF_FILE, BUFFER_OVERFLOW = 0x80000006, 0xC0000011, 0x80000005
ACCESS_DENIED, COLLISION, SHARING_VIOLATION = 0xC0000022, 0xC0000035, 0xC0000043
NOT_THERE, NO_FOLDER, NO_SUCH_FILE = 0xC0000034, 0xC000003A, 0xC000000F
IS_A_FOLDER, NOT_A_FOLDER, DELETE_PENDING = 0xC00000BA, 0xC0000103, 0xC0000056
NAME_INVALID, BAD_SHARE, SYMLINK = 0xC0000033, 0xC00000CC, 0x8000002D
MISSING = frozenset({NOT_THERE, NO_FOLDER, NO_SUCH_FILE, DELETE_PENDING})
"""What stands for "not there"; a file that somebody deleted while it is open elsewhere is one of them."""
NO_FLUSH = frozenset({0xC0000010, 0xC00000BB, 0xC000000D, 0xC0000002, ACCESS_DENIED, IS_A_FOLDER, 0xC0000008})
"""What servers say that cannot flush a folder."""
NOT_IN_CHAIN = frozenset({0xC00000E5, 0xC00000BB, 0xC000000D, 0xC0000120})
"""What servers say that cannot flush in the middle of a chain of requests ([MS-SMB2] 3.3.5.2.7, note)."""
SESSION_OVER = frozenset({0xC0000203, 0xC000035C, 0xC00000C9, 0xC0000128, 0xC0000008, 0xC000020C})
"""The session, the share's connection or the handle is gone: signing in anew helps."""
AGAIN = frozenset({0xC0000205, 0xC000009A, 0xC0000017, 0xC00000B5, 0xC000011F, 0xC00000BF, 0xC00000D0, 0xC0000466})
"""The server has too much to do, or has only just begun."""

_NO_LOGON = "; ask who runs the server"
# [MS-ERREF] 2.3.1
_KINDS: Mapping[int, tuple[type[StoreError], str]] = {
    **dict.fromkeys(MISSING, (NotFound, "not there")),
    COLLISION: (Occupied, "something stands under this name already"),
    NOT_A_FOLDER: (Occupied, "a file stands where a folder is needed"),
    IS_A_FOLDER: (NotAFile, "a folder"),
    SYMLINK: (NotAFile, "a symbolic link stands on the way; links are not followed"),
    NAME_INVALID: (NameRefused, "this server cannot keep this name"),
    0xC0000039: (NameRefused, "this server cannot keep this path"),
    0xC000003B: (NameRefused, "this server cannot keep this path"),
    0xC0000106: (NameRefused, "the path is too long for this server"),
    ACCESS_DENIED: (Denied, "the server denies access: this user has no right to do this here"),
    0xC0000121: (Denied, "it cannot be removed: it is marked as read-only, or somebody uses it"),
    0xC0000061: (Denied, "the server denies access: this user lacks a privilege"),
    SHARING_VIOLATION: (BusyWriting, "some program has it open and lets nobody else at it"),
    0xC0000054: (BusyWriting, "some program has locked a part of it"),
    0xC000007F: (StoreFull, "there is no room left on the share"),
    0xC0000044: (StoreFull, "the quota is used up"),
    0xC0000802: (StoreFull, "the quota is used up"),
    0xC0000904: (StoreFull, "the file is larger than this server's file system allows"),
    0xC00000A2: (StoreGone, "the share is write-protected"),
    BAD_SHARE: (NotFound, "there is no such share on this server; correct the name, or have it made"),
    0xC000006D: (StoreGone, "the server refuses this user or this password"),
    0xC000006A: (StoreGone, "the server says that the password is wrong"),
    0xC0000064: (StoreGone, "the server does not know this user"),
    0xC000006E: (StoreGone, "the server does not let this user in" + _NO_LOGON),
    0xC000006F: (StoreGone, "this user may not sign in at this hour" + _NO_LOGON),
    0xC0000070: (StoreGone, "this user may not sign in from this computer" + _NO_LOGON),
    0xC0000071: (StoreGone, "the password has expired; set a new one"),
    0xC0000224: (StoreGone, "the password has expired; set a new one"),
    0xC0000072: (StoreGone, "the account is switched off" + _NO_LOGON),
    0xC0000193: (StoreGone, "the account has expired" + _NO_LOGON),
    0xC0000234: (StoreGone, "the account is locked after too many wrong passwords" + _NO_LOGON),
    0xC000015B: (StoreGone, "this user may not sign in over the network" + _NO_LOGON),
    0xC0000133: (StoreGone, "the clocks of this computer and the server differ too much for Kerberos; set them"),
    0xC000005E: (StoreGone, "the server cannot reach its domain controller; try later"),
    0xC0000257: (StoreGone, "this folder lies on another server (DFS): name that server in the URL"),
    0xC000026D: (StoreGone, "the server cannot resolve this DFS path: name the server itself in the URL"),
    0xC00000CB: (StoreGone, "this is no share for files"),
    0xC000009C: (Unreliable, "the server's disk could not read or write this"),
    0xC0000185: (Unreliable, "the server's disk failed to answer"),
    0xC0000032: (StoreGone, "the file system of the server is damaged; have it checked"),
    0xC0000102: (StoreGone, "the file system of the server is damaged; have it checked"),
}


def translate(status: int, *, url: str, key: str) -> StoreError:
    """The error of the tree for a status."""
    if status in _KINDS:
        kind, reason = _KINDS[status]
        return kind(reason, url=url, key=key)
    if status in AGAIN:
        return Unreliable("the server has too much to do, also after several tries", url=url, key=key)
    return Unreliable(f"the server failed (status 0x{status:08x})", url=url, key=key)
