"""How does coldchain keep files in a folder, durably and honestly?"""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import re
import stat as stats
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from coldchain.errors import ConfigurationError, NotAFile, NotFound, StoreError, StoreGone, from_os_error
from coldchain.model import OWN_FOLDER, Entry, Oddity
from coldchain.stores.base import Traits
from coldchain.stores.local.reading import LocalReader
from coldchain.stores.local.staging import LocalStaging
from coldchain.stores.local.volume import volume_of
from coldchain.stores.names import NameRules

if sys.platform == "win32":
    from coldchain.stores.local.windows import WindowsRoot as Root
else:
    from coldchain.stores.local.posix import PosixRoot as Root

if TYPE_CHECKING:
    from coldchain.stores.local.base import LocalRoot

_DRIVE = re.compile(r"/[A-Za-z]:")
_LEFTOVER = re.compile(r"\.~([0-9a-z]*)-[0-9a-f]{8}\.coldchain")
_WRITERS_FRESH_S = 1.0
_KIND = 0o170000
"""The bits of a mode that say what it is."""
_WHAT = {
    stats.S_ISFIFO: "a named pipe",
    stats.S_ISSOCK: "a socket",
    stats.S_ISCHR: "a device",
    stats.S_ISBLK: "a device",
}


def path_of(url: str) -> str:
    """The folder that a ``file://`` URL or a plain path names; raises ConfigurationError for one that names a host."""
    if not url.startswith("file://"):
        return url
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise ConfigurationError(f"{url}: write file:///folder, with %23 for # and %3F for ?, or the plain path")
    path = os.fsdecode(unquote_to_bytes(parts.path))
    return path[1:] if sys.platform == "win32" and _DRIVE.match(path) else path


class LocalStore:
    """Files below one folder; implements ``coldchain.stores.base.Store``."""

    def __init__(self, url: str, opener: Callable[[str], LocalRoot] = Root) -> None:
        self.url = url
        self._opener = opener
        self.path = path_of(url)
        self._root: LocalRoot | None = None
        self._writers: dict[int, str] = {}
        self._writers_seen = -_WRITERS_FRESH_S

    # --- opening ---------------------------------------------------------------------------------------------------

    def root(self) -> LocalRoot:
        """The folder itself; raises NotFound when it is not there."""
        if self._root is None:
            try:
                self._root = self._opener(self.path)
            except NotADirectoryError:
                raise NotAFile("not a folder", url=self.url) from None
            except OSError as error:
                raise self._error(error, "") from error
        return self._root

    @property
    def traits(self) -> Traits:
        """ctime and inode count only on file systems that are known to keep them."""
        root = self.root()
        return Traits(stable_inodes=root.stable_inodes, largest_bytes=root.largest_bytes, opens_anywhere=True)

    def volume(self) -> str:
        """See ``local.volume``."""
        try:
            return volume_of(self.path)
        except OSError as error:
            raise self._error(error, "") from error

    def free_bytes(self) -> int | None:
        """Room left for us, None where the system does not say."""
        try:
            return self.root().free_bytes()
        except OSError:
            return None

    def remarks(self) -> Iterator[str]:
        """Say who else may write here, and whether anything can be flushed; see ``base.Remarking``."""
        if os.name == "posix":
            try:
                mode = os.stat(self.path).st_mode
            except OSError as error:
                raise self._error(error, "") from error
            if mode & stats.S_IWOTH and not mode & stats.S_ISVTX:
                yield "every account of this machine may change and remove what lies here; take that right: chmod o-w"
        if self._cannot_flush():
            yield (
                "this place says that it has no flush: a power cut there may cost what was verified, for a while; "
                "see the options of the mount"
            )

    def _cannot_flush(self) -> bool:
        root = self.root()
        if root.syncs_whole:
            return False
        staging = self.stage("probe")
        key = f"{OWN_FOLDER}/flush"
        try:
            sink = staging.open(key, Entry(key, 1, 0))
            sink.write(b"x")
            sink.close()
        except StoreError:
            return False  # that nothing can be written is said by whoever tries that
        finally:
            staging.close()
        return root.cannot_flush

    def close(self) -> None:
        """Let go of the open folders."""
        if self._root is not None:
            self._root.close()
            self._root = None

    def _error(self, error: OSError, key: str) -> StoreError:
        return from_os_error(error, url=self.url, key=key)

    # --- looking ---------------------------------------------------------------------------------------------------

    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        """Walk one folder at a time; only the names of the folders on the way are in memory."""
        root = self.root()
        base = f"{prefix}/" if prefix else ""
        stack = [(base, root.stat_names(prefix), iter(names))] if (names := self._names(prefix)) else []
        while stack:
            folder, stat, rest = stack[-1]
            for name in rest:
                if name[-1] == "/":
                    inner = folder + name
                    if inner[:-1] in without:
                        continue
                    try:
                        below = root.names(inner[:-1])
                        stack.append((inner, root.stat_names(inner[:-1]), iter(below)))
                    except FileNotFoundError:
                        continue
                    except OSError as error:
                        yield Oddity(inner, "unreadable", _sentence(error))
                        continue
                    break
                try:
                    status = stat(name)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    yield Oddity(folder + name, "unreadable", _sentence(error))
                    continue
                yield _seen(folder + name, status)
            else:
                stack.pop()

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The folders directly below ``prefix``."""
        yield from (name[:-1] for name in self._names(prefix) if name[-1] == "/")

    def _names(self, prefix: str) -> builtins.list[str]:
        """The names in one folder, looked up afresh; none when it is not there, unless it is the root (P10)."""
        root = self.root()
        root.forget_folders()
        try:
            return root.names(prefix)
        except OSError as error:
            if prefix and isinstance(error, FileNotFoundError | NotADirectoryError):
                return []
            raise self._error(error, prefix) from error

    def stat(self, key: str) -> Entry:
        """Look at one name."""
        try:
            seen = _seen(key, self.root().stat(key))
        except OSError as error:
            raise self._looking(error, key) from error
        if isinstance(seen, Oddity):
            raise NotAFile(seen.reason, url=self.url, key=key)
        return seen

    def _looking(self, error: OSError, key: str) -> StoreError:
        """A file in the place of a folder means that nothing stands below it."""
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            above = key
            while above:
                with contextlib.suppress(OSError):
                    if stats.S_ISLNK(self.root().stat(above).st_mode):
                        return NotAFile("a symbolic link stands there; links are not followed", url=self.url, key=key)
                above = above.rpartition("/")[0]
            return NotFound("not there", url=self.url, key=key)
        if error.errno in (errno.ENXIO, errno.ENODEV):  # what opening a socket or a device without a driver says
            with contextlib.suppress(OSError):
                if isinstance(seen := _seen(key, self.root().stat(key)), Oddity):
                    return NotAFile(seen.reason, url=self.url, key=key)
        return self._error(error, key)

    def busy(self, key: str) -> str:
        """Ask /proc once a second; elsewhere nobody can tell before the file is opened."""
        now = time.monotonic()
        root = self.root()
        if now - self._writers_seen >= _WRITERS_FRESH_S:
            self._writers = root.writers()
            self._writers_seen = now
        if not self._writers:
            return ""
        try:
            program = self._writers.get(root.stat(key).st_ino)
        except OSError:
            return ""
        return f"still being written (open in {program})" if program else ""

    # --- reading and writing ---------------------------------------------------------------------------------------

    def read(self, key: str, *, past_cache: bool = False) -> LocalReader:
        """Open a plain file."""
        try:
            return LocalReader(self.root(), key, past_cache=past_cache, url=self.url)
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise self._looking(error, key) from error

    def stage(self, owner: str = "") -> LocalStaging:
        """Begin to write."""
        root = self.root()
        root.forget_folders()
        return LocalStaging(root, self.url, owner)

    def delete(self, key: str) -> None:
        """Remove one name, and make that durable."""
        try:
            self.root().unlink(key)
            self.root().sync_folder(key.rpartition("/")[0])
        except OSError as error:
            raise self._looking(error, key) from error

    def is_leftover(self, key: str, owner: str) -> bool:
        """Temporary names carry their owner."""
        match = _LEFTOVER.fullmatch(key.rpartition("/")[2])
        return match is not None and match[1] == owner

    def probe_names(self) -> NameRules:
        """See ``local.probe``."""
        from coldchain.stores.local.probe import probe_names  # needed by init and doctor only

        try:
            return probe_names(self.root())
        except OSError as error:
            raise self._error(error, "") from error

    def make(self) -> None:
        """Make the folder itself; the one above it must be there, else a missing mount would go unnoticed."""
        try:
            Path(self.path).mkdir(exist_ok=True)
        except OSError as error:
            raise StoreGone(f"cannot make the folder: {_sentence(error)}", url=self.url) from error


def _seen(path: str, status: os.stat_result) -> Entry | Oddity:
    mode = status.st_mode
    if mode & _KIND == stats.S_IFREG:  # of nearly all, so there is no call
        values = (path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, mode)
        return tuple.__new__(Entry, values)
    if stats.S_ISDIR(mode):
        return Oddity(path, "special", "a folder")
    if stats.S_ISLNK(mode):
        return Oddity(path, "symlink", "a symbolic link; links are not followed")
    what = next((word for test, word in _WHAT.items() if test(mode)), "no plain file")
    return Oddity(path, "special", f"{what}; only plain files are carried")


def _sentence(error: OSError) -> str:
    return error.strerror or str(error)
