"""How is a file of a remote read?"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from coldchain.errors import ChangedUnderway, StoreError, Unreliable
from coldchain.model import Entry
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.rclone.remote import Remote

_Stream = tuple[http.client.HTTPConnection, http.client.HTTPResponse]


class RcloneReader:
    """One file, as one stream.

    A stream that breaks is taken up by rclone itself; what breaks here is not taken up, because nothing shows that the
    rest would be of the same file.
    """

    def __init__(self, remote: Remote, path: str, how: str) -> None:
        self._remote, self._path = remote, path
        self.how = how
        self.entry = remote.stat(path)
        self._modified = ""
        self._stream: _Stream | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in order; raises when it is not as long as it should be."""
        left = self.entry.size_bytes
        if not left:
            return
        self._stream = self._open("", left)
        response = self._stream[1]
        while left:
            chunk = self._read(response, min(CHUNK_BYTES, left))
            left -= len(chunk)
            yield chunk
        self._let_go()

    def piece(self, offset: int, length: int) -> bytes:
        """Ask for a piece by itself."""
        end = min(offset + length, self.entry.size_bytes)
        if offset >= end:
            return b""
        connection, response = self._open(f"bytes={offset}-{end - 1}", end - offset)
        with contextlib.closing(connection):
            return self._read(response, end - offset)

    def _open(self, span: str, length: int) -> _Stream:
        connection, response = self._remote.call.open(self._path, span)
        try:
            modified = response.headers.get("Last-Modified", "")
            said = (
                response.headers.get("Content-Range", "").rpartition("/")[2]
                if span
                else response.headers.get("Content-Length", "")
            )
            if said != str(self.entry.size_bytes) or (self._modified and self._modified != modified):
                raise ChangedUnderway(
                    "another file has its name since it was opened", url=self._remote.where.url, key=self._path
                )
            self._modified = modified
        except BaseException:
            connection.close()
            raise
        return connection, response

    def _read(self, response: http.client.HTTPResponse, length: int) -> bytes:
        try:
            found = response.read(length)
        except (OSError, http.client.HTTPException) as error:
            raise self._broken() from error
        if len(found) != length:
            raise self._broken()
        return found

    def _broken(self) -> StoreError:
        return Unreliable("the connection broke while it was read", url=self._remote.where.url, key=self._path)

    def look_again(self) -> Entry:
        """Ask what stands under the name now."""
        return self._remote.stat(self._path)

    def being_written(self) -> bool:
        """Nobody can tell."""
        return False

    def _let_go(self) -> None:
        if self._stream is not None:
            for one in reversed(self._stream):
                one.close()
            self._stream = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()
