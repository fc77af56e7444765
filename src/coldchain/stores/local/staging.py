"""How do files get into a folder so that a name, once it is there, means whole and durable content?"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coldchain.errors import FlushFailed, NotFound, Occupied, StoreError, from_os_error
from coldchain.model import Entry
from coldchain.stores.local.reading import LocalReader

if TYPE_CHECKING:
    from coldchain.stores.local.base import LocalRoot

_WRITE_BACK_BYTES = 16 << 20
"""A large file is handed to the disk in pieces of this size while it is still being written."""


@dataclass(frozen=True, slots=True)
class _Staged:
    temporary: str
    entry: Entry


class LocalStaging:
    """Files under temporary names beside their targets; implements ``coldchain.stores.base.Staging``."""

    def __init__(self, root: LocalRoot, url: str, owner: str) -> None:
        self._root, self._url, self._owner = root, url, owner
        self._staged: dict[str, _Staged] = {}
        self._touched: set[str] = set()

    def open(self, key: str, entry: Entry) -> LocalSink:
        """Make the folders above ``key`` and a temporary file in the last of them."""
        folder = key.rpartition("/")[0]
        temporary = f"{folder}/{_temporary_name(self._owner)}" if folder else _temporary_name(self._owner)
        try:
            try:
                fd = self._root.create(temporary)
            except FileNotFoundError:
                self._root.forget_folders()
                for made in self._root.make_folders(folder):
                    self._touched.add(made.rpartition("/")[0])
                fd = self._root.create(temporary)
        except NotADirectoryError:
            raise Occupied("a file or a link stands where a folder is needed", url=self._url, key=key) from None
        except OSError as error:
            raise self._error(error, key) from error
        return LocalSink(self, key, temporary, fd, entry)

    def flush(self) -> None:
        """One ``syncfs`` where it can be trusted; elsewhere every file was flushed when it was closed."""
        if self._root.syncs_whole:
            try:
                self._root.sync_whole()
            except OSError as error:
                raise FlushFailed(f"the flush failed: {error.strerror}", url=self._url) from error

    def settle(self, key: str) -> None:
        """Make durable what already stands under ``key`` (for adoption), with the next flush."""
        if self._root.syncs_whole:
            return
        try:
            fd = self._root.open(key)
            try:
                self._root.sync_file(fd)
                self._root.sync_folder(key.rpartition("/")[0])
            finally:
                os.close(fd)
        except OSError as error:
            raise FlushFailed(f"the flush failed: {error.strerror}", url=self._url, key=key) from error

    def read_back(self, key: str) -> LocalReader:
        """Open the temporary file past the page cache."""
        staged = self._staged[key]
        try:
            return LocalReader(self._root, staged.temporary, past_cache=True, url=self._url)
        except OSError as error:
            raise self._error(error, key) from error

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Rename, then make the names durable; a failure of that last step is raised for all."""
        results: dict[str, Entry | StoreError] = {}
        for key, old in keys.items():
            staged = self._staged[key]
            try:
                if old is None:
                    self._root.rename(staged.temporary, key)
                else:
                    self._check_unchanged(key, old)
                    self._root.replace(staged.temporary, key)
            except OSError as error:
                results[key] = error if isinstance(error, StoreError) else self._error(error, key)
                continue
            del self._staged[key]
            self._touched.add(key.rpartition("/")[0])
            results[key] = staged.entry
        self._flush_names()
        return results

    def _check_unchanged(self, key: str, old: Entry) -> None:
        try:
            status = self._root.stat(key)
        except FileNotFoundError:
            raise NotFound("what was to be replaced is gone", url=self._url, key=key) from None
        now = (status.st_size, status.st_mtime_ns, status.st_ino)
        if now != (old.size_bytes, old.mtime_ns, old.inode):
            raise Occupied("another file took this name meanwhile", url=self._url, key=key)

    def _flush_names(self) -> None:
        try:
            if self._root.syncs_whole:
                self._root.sync_whole()
            else:
                for folder in sorted(self._touched):
                    self._root.sync_folder(folder)
        except OSError as error:
            raise FlushFailed(f"the flush of names failed: {error.strerror}", url=self._url) from error
        self._touched.clear()

    def discard(self, key: str) -> None:
        """Remove one temporary file."""
        staged = self._staged.pop(key)
        with contextlib.suppress(OSError):
            self._root.unlink(staged.temporary)

    def close(self) -> None:
        """Remove every temporary file that is left."""
        for key in list(self._staged):
            self.discard(key)

    def _error(self, error: OSError, key: str) -> StoreError:
        return error if isinstance(error, StoreError) else from_os_error(error, url=self._url, key=key)

    def _closed(self, key: str, temporary: str, entry: Entry) -> None:
        self._staged[key] = _Staged(temporary, entry)


class LocalSink:
    """One temporary file; implements ``coldchain.stores.base.Sink``."""

    __slots__ = ("_entry", "_fd", "_key", "_staging", "_started", "_temporary", "_written")

    def __init__(self, staging: LocalStaging, key: str, temporary: str, fd: int, entry: Entry) -> None:
        self._staging, self._key, self._temporary, self._fd, self._entry = staging, key, temporary, fd, entry
        self._written = self._started = 0

    def write(self, chunk: bytes | memoryview) -> None:
        """Write all of it, however short the single writes are."""
        try:
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
            root.keep(self._fd, self._entry)
            status = os.fstat(self._fd)
            if not root.syncs_whole or status.st_dev != root.device:
                root.sync_file(self._fd)
            fd, self._fd = self._fd, -1
            os.close(fd)
        except OSError as error:
            self.abort()
            raise self._staging._error(error, self._key) from error
        entry = Entry(
            self._key, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode
        )
        self._staging._closed(self._key, self._temporary, entry)

    def abort(self) -> None:
        """Remove the temporary file."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1
        with contextlib.suppress(OSError):
            self._staging._root.unlink(self._temporary)


def _temporary_name(owner: str) -> str:
    """A name that no other writer uses, and that ``LocalStore.is_leftover`` recognises by its owner."""
    return f".~{owner}-{secrets.token_hex(4)}.coldchain"
