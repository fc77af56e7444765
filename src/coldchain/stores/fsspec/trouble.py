"""What does it mean when a file system of fsspec raises something?

Every file system raises what it likes; the built-in errors are the only common words, and status codes the next best.
"""

from __future__ import annotations

import contextlib
import ftplib
import json
import re

from coldchain.errors import (
    Denied,
    NameRefused,
    NotAFile,
    NotFound,
    Occupied,
    StoreError,
    StoreFull,
    StoreGone,
    Unreliable,
    from_os_error,
)

_BUILT_IN: tuple[tuple[type[Exception], type[StoreError], str], ...] = (
    (FileNotFoundError, NotFound, "not there"),
    (NotADirectoryError, NotFound, "not there: a file stands where a folder was expected"),
    (IsADirectoryError, NotAFile, "a folder"),
    (FileExistsError, Occupied, "something stands here already"),
    (PermissionError, Denied, "access is denied"),
    (UnicodeError, NameRefused, "the protocol has no way to say this name"),
    (NotImplementedError, Denied, "this file system cannot do this"),
)
_STATUS: dict[int, tuple[type[StoreError], str]] = {
    401: (StoreGone, "user or password is wrong"),
    403: (Denied, "access is denied"),
    404: (NotFound, "not there"),
    405: (Denied, "the server does not allow this"),
    409: (NotFound, "the folder above it is not there"),
    412: (Occupied, "something stands here already"),
    423: (Unreliable, "the server has locked it"),
    507: (StoreFull, "no room left"),
}
_FTP: dict[str, tuple[type[StoreError], str]] = {
    "421": (StoreGone, "the server closes the connection"),
    "452": (StoreFull, "no room left"),
    "530": (StoreGone, "user or password is wrong"),
    "532": (Denied, "the account may not store files"),
    "552": (StoreFull, "no room left"),
    "553": (NameRefused, "the server does not take this name"),
}
_UNREACHABLE = re.compile(r"connect|resolve|getaddrinfo|unreachable|refused|name or service", re.IGNORECASE)


def translate(error: Exception, *, url: str, key: str) -> StoreError:
    """The error of the tree; the text of the foreign one is not repeated where it could hold a secret."""
    if isinstance(error, StoreError):
        return error
    for built_in, kind, reason in _BUILT_IN:
        if isinstance(error, built_in):
            return kind(reason, url=url, key=key)
    if isinstance(error, ftplib.Error):
        return _of_ftp(error, url=url, key=key)
    if (status := _status(error)) and status in _STATUS:
        kind, reason = _STATUS[status]
        return kind(reason, url=url, key=key)
    if status:
        return Unreliable(f"the server failed (status {status})", url=url, key=key)
    return _of_connection(error, url=url, key=key)


def _of_ftp(error: Exception, *, url: str, key: str) -> StoreError:
    said = str(error)
    if found := _FTP.get(said[:3]):
        return found[0](found[1], url=url, key=key)
    words = said[:200].splitlines()[0] if said else type(error).__name__
    if isinstance(error, ftplib.error_temp):
        return Unreliable(f"the server failed ({words})", url=url, key=key)
    if "not found" in said.lower() or "no such" in said.lower() or "not exist" in said.lower():
        return NotFound("not there", url=url, key=key)
    if "exist" in said.lower():
        return Occupied("something stands here already", url=url, key=key)
    return Denied(f"the server refused ({words})", url=url, key=key)


def _of_connection(error: Exception, *, url: str, key: str) -> StoreError:
    name = type(error).__name__
    if isinstance(error, SyntaxError | json.JSONDecodeError):  # the ParseError of XML is a SyntaxError
        # a server that meets trouble amid a listing has already said 207, and can only break off
        return Unreliable(f"the server's answer is cut short or garbled ({name})", url=url, key=key)
    if isinstance(error, ConnectionRefusedError) or name in {"ConnectError", "ConnectTimeout", "gaierror"}:
        return StoreGone("the server cannot be reached", url=url, key=key)
    if isinstance(error, OSError) and error.errno and not isinstance(error, ConnectionError | TimeoutError):
        translated = from_os_error(error, url=url, key=key)
        return translated
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return NameRefused("the protocol has no way to say this name", url=url, key=key)
    if isinstance(error, EOFError | OSError) or _is_foreign(error):
        return Unreliable(f"the connection failed ({name})", url=url, key=key)
    return StoreError(f"the file system failed ({name})", url=url, key=key)


def _is_foreign(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in {"httpx", "httpcore", "aiohttp", "requests", "urllib3"}


def _status(error: Exception) -> int:
    """The HTTP status that an error carries somewhere."""
    for holder in (error, getattr(error, "response", None), error.__cause__, error.__context__):
        with contextlib.suppress(TypeError, ValueError, AttributeError):
            status = getattr(holder, "status_code", None) or getattr(holder, "status", None)
            if status and 400 <= int(status) < 600:
                return int(status)
    return 0
