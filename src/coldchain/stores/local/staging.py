"""How do files get into a folder so that a name, once it is there, means whole and durable content?"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coldchain.errors import FlushFailed, NameRefused, NotFound, Occupied, StoreError, from_os_error
from coldchain.model import Entry
from coldchain.stores.local.ahead import SMALL_BYTES, Ahead, HeldReader
from coldchain.stores.local.reading import LocalReader, entry_of
from coldchain.stores.local.writing import WriterPastCache

if TYPE_CHECKING:
    from coldchain.stores.local.base import LocalRoot

_WRITE_BACK_BYTES = 16 << 20
"""A large file is handed to the disk in pieces of this size while it is still being written."""
_PAST_CACHE_BYTES = 32 << 20
"""Files of this size are written past the page cache where there is a way past."""


@dataclass(frozen=True, slots=True)
class _Staged:
    temporary: str
    size_bytes: int
    elsewhere: bool
    """On another file system than the root: something is mounted below it."""


class LocalStaging:
    """Files under temporary names beside their targets; implements ``coldchain.stores.base.Staging``."""

    def __init__(self, root: LocalRoot, url: str, owner: str) -> None:
        self._root, self._url = root, url
        # names that no other writer uses, and that ``LocalStore.is_leftover`` recognises by their owner
        self._names, self._number = f".~{owner}-", secrets.randbits(32)
        self._ahead: Ahead | None = None
        """The reading back of small files; None before the first of them is asked for after a flush."""
        self._staged: dict[str, _Staged] = {}
        self._sinks: set[LocalSink] = set()
        """Those that are neither closed nor aborted."""
        self._touched: set[str] = set()
        """Folders in which names appeared and which the flush of the whole does not reach."""
        try:
            self._handle = root.flush_handle() if root.syncs_whole else -1
        except OSError as error:
            raise from_os_error(error, url=url, key="") from error

    def open(self, key: str, entry: Entry) -> LocalSink:
        """Make the folders above ``key`` and a temporary file in the last of them."""
        folder = key.rpartition("/")[0]
        self._number = (self._number + 1) & 0xFFFFFFFF
        name = f"{self._names}{self._number:08x}.coldchain"
        temporary = f"{folder}/{name}" if folder else name
        try:
            try:
                fd = self._root.create(temporary)
            except FileNotFoundError:
                self._root.forget_folders()
                self._root.make_folders(folder)
                fd = self._root.create(temporary)
        except NotADirectoryError:
            raise Occupied("a file or a link stands where a folder is needed", url=self._url, key=key) from None
        except OSError as error:
            raise self._naming(error, key, "") from error
        sink = LocalSink(self, key, temporary, fd, entry)
        self._sinks.add(sink)
        return sink

    def flush(self) -> None:
        """One ``syncfs`` where it can be trusted; elsewhere every file was flushed when it was closed."""
        self._forget_ahead()
        if self._root.syncs_whole:
            try:
                self._root.sync_whole(self._handle)
            except OSError as error:
                raise FlushFailed(f"the flush failed: {error.strerror}", url=self._url) from error

    def settle(self, key: str) -> None:
        """Make durable what already stands under ``key`` (for adoption), with the next flush."""
        try:
            if self._root.syncs_whole and self._root.stat(key).st_dev == self._root.device:
                return
            fd = self._root.open(key)
            try:
                self._root.sync_file(fd)
            finally:
                os.close(fd)
            for folder in _with_parents({key.rpartition("/")[0]}):
                self._root.sync_folder(folder)
        except OSError as error:
            raise FlushFailed(f"the flush failed: {error.strerror}", url=self._url, key=key) from error

    def read_back(self, key: str) -> LocalReader | HeldReader:
        """Open the temporary file past the page cache; small ones are read together, some before they are asked for."""
        staged = self._of(key)
        held = self._read_ahead(staged.temporary) if staged.size_bytes <= SMALL_BYTES else None
        if isinstance(held, HeldReader):
            return held
        try:
            return LocalReader(self._root, staged.temporary, past_cache=True, url=self._url, opened=held)
        except OSError as error:
            raise self._error(error, key) from error

    def _read_ahead(self, temporary: str) -> HeldReader | tuple[int, str] | None:
        if self._ahead is None:
            small = [one.temporary for one in self._staged.values() if one.size_bytes <= SMALL_BYTES]
            self._ahead = Ahead(self._root, small)
        return self._ahead.take(temporary)

    def _forget_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def vouched(self, key: str) -> str:
        """A file system vouches for nothing."""
        return ""

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Rename, then make the names durable; a failure of that last step is raised for all."""
        results: dict[str, Entry | StoreError] = {}
        renamed = False
        for key, old in keys.items():
            try:
                staged = self._of(key)
            except NotFound as error:
                results[key] = error.kept()
                continue
            try:
                if old is None:
                    self._root.rename(staged.temporary, key)
                else:
                    self._check_unchanged(key, old)
                    self._root.replace(staged.temporary, key)
            except OSError as error:
                results[key] = self._naming(error, key, staged.temporary)
                continue
            del self._staged[key]
            renamed = True
            if not self._root.syncs_whole or staged.elsewhere:
                self._touched.add(key.rpartition("/")[0])
            results[key] = self._seen(key)
        if renamed:
            self._flush_names()
        return results

    def _of(self, key: str) -> _Staged:
        if key not in self._staged:
            raise NotFound("was not staged", url=self._url, key=key)
        return self._staged[key]

    def _seen(self, key: str) -> Entry | StoreError:
        """A rename changes the ctime, and some places show another mtime once a file is closed."""
        try:
            return entry_of(key, self._root.stat(key))
        except OSError as error:
            return self._error(error, key)

    def _check_unchanged(self, key: str, old: Entry) -> None:
        try:
            status = self._root.stat(key)
        except FileNotFoundError:
            raise NotFound("what was to be replaced is gone", url=self._url, key=key) from None
        now = (status.st_size, status.st_mtime_ns, status.st_ino)
        ctime_ns = status.st_ctime_ns if self._root.stable_inodes and old.ctime_ns else old.ctime_ns
        if now != (old.size_bytes, old.mtime_ns, old.inode) or ctime_ns != old.ctime_ns:
            raise Occupied("another file took this name meanwhile", url=self._url, key=key)

    def _flush_names(self) -> None:
        try:
            if self._root.syncs_whole:
                self._root.sync_whole(self._handle)
            for folder in _with_parents(self._touched):
                self._root.sync_folder(folder)
        except OSError as error:
            raise FlushFailed(f"the flush of names failed: {error.strerror}", url=self._url) from error
        self._touched.clear()

    def discard(self, key: str) -> None:
        """Remove one temporary file."""
        staged = self._of(key)
        del self._staged[key]
        with contextlib.suppress(OSError):
            self._root.unlink(staged.temporary)

    def close(self) -> None:
        """Remove every temporary file that is left, also of files that were begun and never closed."""
        self._forget_ahead()
        for sink in list(self._sinks):
            sink.abort()
        for key in list(self._staged):
            self.discard(key)
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _error(self, error: OSError, key: str) -> StoreError:
        return error if isinstance(error, StoreError) else from_os_error(error, url=self._url, key=key)

    def _naming(self, error: OSError, key: str, temporary: str) -> StoreError:
        """EINVAL is what NTFS and SMB say of a name that they cannot keep; exfat-fuse says ENOENT of a rename."""
        if isinstance(error, StoreError):
            return error
        if error.errno == errno.EINVAL or (error.errno == errno.ENOENT and temporary and self._stands(temporary)):
            return NameRefused("this place cannot keep this name", url=self._url, key=key)
        return self._error(error, key)

    def _stands(self, key: str) -> bool:
        try:
            self._root.stat(key)
        except OSError:
            return False
        return True

    def _closed(self, sink: LocalSink, key: str, staged: _Staged) -> None:
        self._sinks.discard(sink)
        self._staged[key] = staged


class LocalSink:
    """One temporary file; implements ``coldchain.stores.base.Sink``."""

    __slots__ = ("_entry", "_fd", "_key", "_past_cache", "_staging", "_started", "_temporary", "_written")

    def __init__(self, staging: LocalStaging, key: str, temporary: str, fd: int, entry: Entry) -> None:
        self._staging, self._key, self._temporary, self._fd, self._entry = staging, key, temporary, fd, entry
        self._written = self._started = 0
        root = staging._root
        large = entry.size_bytes >= _PAST_CACHE_BYTES
        self._past_cache = WriterPastCache(root, fd) if large and root.writes_past_cache(fd) else None

    def write(self, chunk: bytes | memoryview) -> None:
        """Write all of it, however short the single writes are."""
        try:
            if self._past_cache is not None:
                self._past_cache.write(chunk)
                return
            done = os.write(self._fd, chunk)
            while done < len(chunk):
                done += os.write(self._fd, memoryview(chunk)[done:])
        except OSError as error:
            raise self._staging._error(error, self._key) from error
        self._written += done
        if self._written - self._started >= _WRITE_BACK_BYTES:
            self._staging._root.start_write_back(self._fd, self._started, self._written - self._started)
            self._started = self._written

    def close(self) -> None:
        """Set mtime and mode, flush where that is not done by the batch, and look what the file system says of it."""
        root = self._staging._root
        try:
            if self._past_cache is not None:
                self._past_cache.finish()
            root.keep(self._fd, self._entry)
            status = os.fstat(self._fd)
            elsewhere = status.st_dev != root.device
            if not root.syncs_whole or elsewhere:
                root.sync_file(self._fd)
            fd, self._fd = self._fd, -1
            os.close(fd)
        except OSError as error:
            self.abort()
            raise self._staging._error(error, self._key) from error
        self._staging._closed(self, self._key, _Staged(self._temporary, status.st_size, elsewhere))

    def abort(self) -> None:
        """Remove the temporary file."""
        self._staging._sinks.discard(self)
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1
        with contextlib.suppress(OSError):
            self._staging._root.unlink(self._temporary)


def _with_parents(folders: set[str]) -> list[str]:
    """The folders and all above them, which another staging may have made and not flushed yet."""
    found: set[str] = set()
    waiting = list(folders)
    while waiting:
        folder = waiting.pop()
        if folder not in found:
            found.add(folder)
            waiting.append(folder.rpartition("/")[0])
    return sorted(found, reverse=True)
