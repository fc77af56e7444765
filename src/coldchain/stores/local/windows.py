"""How does a folder on Windows open, rename and flush files without leaving itself?

Windows has no ``openat``: names are whole paths here.  Every component is looked at before it is used, and a link or
junction among them is refused; a file that is opened must be the one that was looked at.  Between the two looks a
folder can still be swapped by someone with the right to do so, which ``PosixRoot`` rules out and this cannot.

Everything but the calls in ``win32`` runs on other systems as well, so that the rules are tested there.
"""

from __future__ import annotations

import contextlib
import errno
import ntpath
import os
import re
import shutil
import stat as stats
import sys
from collections.abc import Callable, Iterator

from coldchain.model import Entry
from coldchain.stores.local.base import ReadsAtOnce, is_folder

if sys.platform == "win32":
    from coldchain.stores.local import win32

_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_NAME_SURROGATE = 0x20000000  # [MS-FSCC] 2.1.2.1: stands for another name, as links and junctions do
_FAT_LARGEST_BYTES = (1 << 32) - 1
_NEVER = re.compile(r'[\x00-\x1f<>:"|?*\\/]')

# What the numbers of Windows mean for the caller, where Python's own table says less (winerror.h).
_BY_WINERROR = {
    19: errno.EROFS,  # write protected
    21: errno.ENODEV,  # not ready
    32: errno.EBUSY,  # sharing violation
    33: errno.EBUSY,  # lock violation
    39: errno.ENOSPC,
    53: errno.ENOTCONN,  # network path not found
    55: errno.ENOTCONN,
    59: errno.ENOTCONN,
    64: errno.ENOTCONN,  # network name gone
    67: errno.ENOTCONN,
    112: errno.ENOSPC,
    121: errno.ENOTCONN,  # semaphore timeout: the share does not answer
    123: errno.EILSEQ,  # invalid name
    206: errno.ENAMETOOLONG,
    1231: errno.ENOTCONN,  # network unreachable
    1295: errno.ENOSPC,  # disk quota
    1920: errno.EACCES,
    1921: errno.ELOOP,
}


def long_path(path: str) -> str:
    r"""An absolute Windows path in the form without a limit of 260 characters: ``\\?\C:\x``, ``\\?\UNC\server\x``."""
    path = path.replace("/", "\\")
    if path.startswith("\\\\?\\"):
        return path
    if path.startswith("\\\\"):
        return "\\\\?\\UNC\\" + path[2:]
    return "\\\\?\\" + path


def refusal(name: str) -> str:
    r"""Say why Windows must never see this component, or "": ``a\..\b`` would leave, ``a:b`` be a hidden stream."""
    if name in ("", ".", ".."):
        return "not a name below this folder"
    if bad := _NEVER.search(name):
        return f"Windows keeps no {bad[0]!r} in a name"
    return ""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Give errors of Windows the errno of their cause."""
    try:
        yield
    except OSError as error:
        code = _BY_WINERROR.get(getattr(error, "winerror", None) or 0)
        if code is None:
            raise
        raise OSError(code, error.strerror or os.strerror(code)) from error


class WindowsRoot:
    """A folder; every method takes keys below it and raises OSError."""

    syncs_whole = False

    def __init__(self, path: str) -> None:
        self._root = os.path.abspath(path)
        if sys.platform == "win32":
            self._root = long_path(self._root).rstrip("\\")
        volume = ntpath.splitdrive(os.path.abspath(path))[0] + "\\"
        with translated():
            status = os.stat(self._path(""))
        if not stats.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        self.device = status.st_dev
        self.stable_inodes = self._remote = False
        self.largest_bytes = 0
        self.cannot_flush = False
        if sys.platform == "win32":
            kind = win32.file_system(volume)
            self.stable_inodes = kind in ("NTFS", "ReFS")
            self.largest_bytes = _FAT_LARGEST_BYTES if kind in ("FAT", "FAT32") else 0
            self._remote = win32.is_remote(volume)

    # --- folders ---------------------------------------------------------------------------------------------------

    def _path(self, key: str) -> str:
        if not key:
            return self._root + os.sep
        parts = key.split("/")
        for name in parts:
            if sys.platform == "win32" and (reason := refusal(name)):
                raise OSError(errno.EILSEQ, reason)
            if name in ("", ".", ".."):
                raise OSError(errno.EILSEQ, "not a name below this folder")
        return os.sep.join((self._root, *parts))

    def _checked(self, key: str, *, folder: bool = False) -> str:
        """The path of ``key``, whose components are no links; the last one counts only when it is a folder."""
        if not key and not folder:
            raise OSError(errno.EILSEQ, "not a name below this folder")
        path = self._path(key)
        parts = key.split("/") if key else []
        checked = self._root
        for name in parts if folder else parts[:-1]:
            checked = f"{checked}{os.sep}{name}"
            with translated():
                status = os.lstat(checked)
            if _is_link(status) or not stats.S_ISDIR(status.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return path

    def names(self, folder: str) -> list[str]:
        path = self._checked(folder, folder=True)
        with translated(), os.scandir(path) as found:
            names = [item.name + "/" if _is_folder(item) else item.name for item in found]
        names.sort()
        return names

    def make_folders(self, key: str) -> list[str]:
        made: list[str] = []
        parts = key.split("/") if key else []
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            path = self._checked(folder)
            with contextlib.suppress(FileExistsError), translated():
                os.mkdir(path)
                made.append(folder)
        return made

    def forget_folders(self) -> None:
        """Nothing is remembered here."""

    # --- files -----------------------------------------------------------------------------------------------------

    def stat(self, key: str) -> os.stat_result:
        path = self._checked(key)
        with translated():
            return os.lstat(path)

    def stat_names(self, folder: str) -> Callable[[str], os.stat_result]:
        path = self._checked(folder, folder=True).rstrip(os.sep)
        return lambda name: os.lstat(f"{path}{os.sep}{name}")

    def open(self, key: str) -> int:
        return self._open(key, past_cache=False)

    def _open(self, key: str, *, past_cache: bool) -> int:
        """Open what was looked at: no link, and the very same file once it is open."""
        path = self._checked(key)
        with translated():
            seen = os.lstat(path)
            if _is_link(seen):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if sys.platform == "win32":
                fd = win32.open_shared(path, past_cache=past_cache)
            else:
                fd = os.open(path, _READ)
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) != (seen.st_dev, seen.st_ino):
            os.close(fd)
            raise OSError(errno.EBUSY, "another file took this name while it was opened")
        return fd

    def create(self, key: str) -> int:
        path = self._checked(key)
        with translated():
            return os.open(path, _CREATE, 0o600)

    def unlink(self, key: str) -> None:
        path = self._checked(key)
        with translated():
            os.unlink(path)

    def rmdir(self, key: str) -> None:
        path = self._checked(key)
        with translated():
            os.rmdir(path)

    def replace(self, old: str, new: str) -> None:
        """Rename over whatever stands there; a program that has it open makes that fail (EBUSY)."""
        old_path, new_path = self._checked(old), self._checked(new)
        with translated():
            os.replace(old_path, new_path)

    def rename(self, old: str, new: str) -> None:
        """Rename; raises FileExistsError when something stands there: on Windows a rename does so by itself."""
        old_path, new_path = self._checked(old), self._checked(new)
        with translated():
            if sys.platform == "win32":
                os.rename(old_path, new_path)
            else:
                os.link(old_path, new_path, follow_symlinks=False)
                os.unlink(old_path)

    def keep(self, fd: int, entry: Entry) -> None:
        """Give an open file the mtime of ``entry``; of permission bits Windows knows one, which is not carried."""
        if not entry.mtime_ns:
            return
        with contextlib.suppress(PermissionError), translated():
            if sys.platform == "win32":
                win32.set_mtime(fd, entry.mtime_ns)
            else:
                os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))

    # --- durability ------------------------------------------------------------------------------------------------

    def sync_file(self, fd: int) -> None:
        """FlushFileBuffers; elsewhere fsync."""
        with translated():
            if sys.platform == "win32":
                win32.flush(fd)
            else:
                os.fsync(fd)

    def sync_folder(self, key: str) -> None:
        """Windows has no flush of a folder; NTFS and ReFS keep names in a journal, FAT and exFAT do not."""

    def flush_handle(self) -> int:
        return -1

    def sync_whole(self, handle: int) -> None:
        """Never asked: every file is flushed on its own."""

    def start_write_back(self, fd: int, offset: int, length: int) -> None:
        """There is no such hint."""

    # --- past the cache --------------------------------------------------------------------------------------------

    def writes_past_cache(self, fd: int) -> bool:
        """Not after a file was opened; the flush of each file reaches the medium."""
        return False

    def write_through_cache(self, fd: int) -> None:
        """They always do."""

    def open_past_cache(self, key: str) -> tuple[int, str]:
        """Without buffering on a local disk; a share's own cache is beyond reach."""
        if sys.platform == "win32" and not self._remote:
            return self._open(key, past_cache=True), "direct"
        return self.open(key), "cached"

    def evict(self, fd: int) -> str:
        return "cached"

    # --- other programs --------------------------------------------------------------------------------------------

    def reads_at_once(self) -> ReadsAtOnce | None:
        """Nothing of the kind is known here."""
        return None

    def read_ahead(self, fd: int) -> None:
        """Nothing forgets a file here, and so nothing need read it again."""

    def has_writer(self, fd: int) -> bool:
        return sys.platform == "win32" and win32.has_writer(fd)

    def writers(self) -> dict[int, str]:
        return {}

    def free_bytes(self) -> int | None:
        return shutil.disk_usage(self._path("")).free

    def close(self) -> None:
        """Nothing is open."""


def _is_link(status: os.stat_result) -> bool:
    """A symbolic link or junction; other reparse points (deduplication, cloud files) are what they look like."""
    return stats.S_ISLNK(status.st_mode) or bool(getattr(status, "st_reparse_tag", 0) & _NAME_SURROGATE)


def _is_folder(item: os.DirEntry[str]) -> bool:
    return is_folder(item) and not (sys.platform == "win32" and _is_link(item.stat(follow_symlinks=False)))
