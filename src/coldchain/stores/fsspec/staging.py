"""How do files get to a place that only fsspec knows, so that a name means whole content as far as the place allows?

Where the place renames, a file is written under a temporary name beside its own.  Elsewhere it waits on the local disk,
and is sent when its name shall appear.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from coldchain.errors import FlushFailed, NameRefused, NotAFile, NotFound, Occupied, StoreError
from coldchain.model import Entry, Oddity
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.fsspec.facts import name_of, seen
from coldchain.stores.fsspec.line import Line
from coldchain.stores.fsspec.reading import FsspecReader, look

BLOCK_BYTES = 8 << 20
"""What is sent in one request where the file system sends in blocks; up to so much goes whole."""
_NOTICED_S = 1.0
"""So long a server has to notice that a connection broke, and to be done with what it had received of it.

rclone waits as long before it removes a failed upload over WebDAV.
"""


@dataclass
class _File:
    """One file on its way."""

    handle: Any
    temporary: str
    """The key under which it is written; "" when it waits on the local disk."""
    size_bytes: int = 0
    closed: bool = False
    cut_off: bool = False
    """Something failed while it was sent: the server may be at work with it still."""
    published: Entry | None = field(default=None)


class FsspecSink:
    """One file on its way into a staging."""

    def __init__(self, staging: FsspecStaging, key: str, file: _File) -> None:
        self._staging, self._key, self._file = staging, key, file

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece, whole."""
        self._staging.write(self._key, self._file, chunk)

    def close(self) -> None:
        """Say that this was all."""
        self._staging.finish(self._key, self._file)

    def abort(self) -> None:
        """Forget this file."""
        self._staging.forget(self._key, self._file)


class FsspecStaging:
    """Files that are not yet visible under their names."""

    def __init__(self, line: Line, owner: str, naming: threading.Lock) -> None:
        self._line, self._owner, self._naming = line, owner, naming
        self._renames = line.place.habit.renames
        self._files: dict[str, _File] = {}
        self._folders: set[str] = {""}
        self._removed: dict[str, float] = {}
        """Temporary files that were cut off, and when they were removed: a server may bring them back."""

    # --- writing -----------------------------------------------------------------------------------------------------

    def open(self, key: str, entry: Entry) -> FsspecSink:
        """Begin a file; its time is not kept, because fsspec has no verb for that."""
        self._line.path(key)
        folder = key.rpartition("/")[0]
        if self._renames:
            temporary = f"{folder}/" if folder else ""
            temporary += f".~{self._owner}-{secrets.token_hex(4)}.coldchain"
            self._make_folder(folder, key)
            handle = self._line.do(temporary, lambda fs, path: fs.open(path, "wb", block_size=BLOCK_BYTES))
            file = _File(handle, temporary)
        else:
            file = _File(tempfile.SpooledTemporaryFile(BLOCK_BYTES, prefix="coldchain-"), "")  # noqa: SIM115
        if (before := self._files.get(key)) is not None:
            self.forget(key, before)
        self._files[key] = file
        return FsspecSink(self, key, file)

    def write(self, key: str, file: _File, chunk: bytes | memoryview) -> None:
        """Take the next piece of a file."""
        self._sent(key, file, lambda: file.handle.write(bytes(chunk)))
        file.size_bytes += len(chunk)

    def finish(self, key: str, file: _File) -> None:
        """All was written: what waits here stays here, the rest has arrived."""
        if file.temporary:
            try:
                self._sent(key, file, file.handle.close)
            except StoreError as error:
                if self._blocked(key.rpartition("/")[0]):  # some servers say so only when the content has come
                    raise self._occupied("a file stands where a folder is needed", key) from error
                raise
            if look(self._line, file.temporary).size_bytes != file.size_bytes:
                raise FlushFailed("the place keeps fewer bytes than it was sent", url=self._line.place.url, key=key)
        file.closed = True

    def _sent(self, key: str, file: _File, deed: Callable[[], object]) -> None:
        try:
            self._line.do(key, lambda _, __: deed())
        except StoreError:
            file.cut_off = True
            raise

    def forget(self, key: str, file: _File) -> None:
        """Leave nothing behind of a file that was not published."""
        if self._files.get(key) is file:
            del self._files[key]
        _let_go(file.handle)
        if file.temporary and file.published is None:
            with contextlib.suppress(StoreError):
                self._line.remove(file.temporary)
            if file.cut_off:
                self._removed[file.temporary] = time.monotonic()

    def _make_folder(self, folder: str, key: str) -> None:
        if folder in self._folders:
            return
        try:
            self._line.make_folder(folder)
        except StoreError as error:
            if isinstance(error, Occupied | NotFound) or self._blocked(folder):
                raise self._occupied("a file stands where a folder is needed", key) from error
            raise
        self._folders.add(folder)

    def _blocked(self, folder: str) -> bool:
        """Whether a file stands in the place of a folder, or of one above it."""
        while folder:
            with contextlib.suppress(StoreError):
                return bool(self._line.info(folder)["type"] != "directory")
            folder = folder.rpartition("/")[0]
        return False

    # --- proving -----------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Nothing: fsspec has no verb for it; a closed file has been taken by the place."""

    def settle(self, key: str) -> None:
        """See that it is there; what is no plain file is refused when it is read, by itself."""
        with contextlib.suppress(NotAFile):
            look(self._line, key)

    def read_back(self, key: str) -> FsspecReader:
        """Fetch what was staged once more through the protocol."""
        file = self._closed(key)
        if file.published is None and not self._renames:
            raise StoreError("it can be read back only when it has its name", url=self._line.place.url, key=key)
        return FsspecReader(self._line, key if file.published else file.temporary, "get")

    def vouched(self, key: str) -> str:
        """Nothing vouches here."""
        return ""

    def _closed(self, key: str) -> _File:
        file = self._files.get(key)
        if file is None or not file.closed:
            raise NotFound("it was not staged", url=self._line.place.url, key=key)
        return file

    # --- names -------------------------------------------------------------------------------------------------------

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Let the names appear one after the other, then look at each folder once whether they are there."""
        results: dict[str, Entry | StoreError] = {}
        for key, expected in keys.items():
            try:
                with self._naming:  # of the threads of one store, only one looks and names at a time
                    self._appear(key, self._closed(key), expected)
            except StoreError as error:
                results[key] = error.kept()
        for key, found in self._there([key for key in keys if key not in results]):
            results[key] = found
            if isinstance(found, Entry):
                self._files[key].published = found
        return results

    def _appear(self, key: str, file: _File, expected: Entry | None) -> None:
        if file.published is not None:
            raise self._occupied("it was published already", key)
        self._check(key, expected)
        if self._renames:
            try:
                self._line.rename(file.temporary, key, over=expected is not None)
            except NotFound as error:
                raise FlushFailed("what was written is gone", url=self._line.place.url, key=key) from error
            return
        self._make_folder(key.rpartition("/")[0], key)
        try:
            self._line.do(key, lambda fs, path: _send(fs, path, file))
        except StoreError:
            if expected is None:
                with contextlib.suppress(StoreError):
                    self._line.remove(key)
            raise

    def _check(self, key: str, expected: Entry | None) -> None:
        """Look right before: no file system of fsspec refuses by itself on all places."""
        try:
            found = seen(key, self._line.info(key))
        except NotFound:
            if expected is not None:
                raise
            if self._blocked(key.rpartition("/")[0]):
                raise self._occupied("a file stands where a folder is needed", key) from None
            return
        if expected is None:
            raise self._occupied("something stands here already", key)
        if isinstance(found, Oddity):
            raise NotAFile(found.reason, url=self._line.place.url, key=key)
        if (found.size_bytes, found.mtime_ns) != (expected.size_bytes, expected.mtime_ns):
            raise self._occupied("what stands here is not what was expected", key)

    def _there(self, keys: list[str]) -> Iterator[tuple[str, Entry | StoreError]]:
        """What listings show under names that were just given: a place may have made other names of them (P16)."""
        by_folder: dict[str, list[str]] = {}
        for key in keys:
            by_folder.setdefault(key.rpartition("/")[0], []).append(key)
        url = self._line.place.url
        for folder, inside in by_folder.items():
            try:
                listed = {name_of(facts): facts for facts in self._line.ls(folder)}
            except StoreError as error:
                yield from dict.fromkeys(inside, error.kept()).items()
                continue
            for key in inside:
                facts = listed.get(key.rpartition("/")[2])
                found = seen(key, facts) if facts is not None else None
                if isinstance(found, Entry):
                    yield key, found
                    continue
                with contextlib.suppress(StoreError):
                    self._line.remove(key)
                yield key, NameRefused("the place shows another name than it was given", url=url, key=key)

    def discard(self, key: str) -> None:
        """Forget one file, and take it back if it is published and still the same."""
        file = self._files.get(key)
        if file is None:
            return
        if file.published is not None and not self._renames:
            with contextlib.suppress(NotFound, NotAFile):
                if look(self._line, key)[:3] == file.published[:3]:
                    self._line.remove(key)
        self.forget(key, file)

    def close(self) -> None:
        """Forget everything that was not published."""
        for key, file in list(self._files.items()):
            self.forget(key, file)
        for temporary, removed in self._removed.items():
            time.sleep(max(0.0, removed + _NOTICED_S - time.monotonic()))
            with contextlib.suppress(StoreError):
                self._line.remove(temporary)
        self._removed.clear()

    def _occupied(self, reason: str, key: str) -> Occupied:
        return Occupied(reason, url=self._line.place.url, key=key)


def _send(fs: Any, path: str, file: _File) -> None:
    """Send what waits on the local disk; small files in one piece, so that nobody sees half of one."""
    waiting: IO[bytes] = file.handle
    waiting.seek(0)
    if file.size_bytes <= BLOCK_BYTES:
        fs.pipe_file(path, waiting.read())
        return
    there = fs.open(path, "wb", block_size=BLOCK_BYTES)
    try:
        while piece := waiting.read(CHUNK_BYTES):
            there.write(piece)
        there.close()
    except BaseException:
        _let_go(there)
        raise


def _let_go(handle: Any) -> None:
    """Close what nothing more shall be sent of.

    To close a file is to send it, for most of fsspec; after an error as well, and even when Python forgets it: so an
    upload that a full server had refused was seen to appear minutes later, when there was room.
    """
    from fsspec.spec import AbstractBufferedFile

    with contextlib.suppress(Exception):
        if isinstance(handle, AbstractBufferedFile):
            handle.closed = True
        elif type(handle).__module__.startswith("webdav4"):
            handle.discard()
        else:
            handle.close()
