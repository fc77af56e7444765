"""How does a folder on Linux or macOS open, rename and flush files without ever leaving itself?

Every name below the root goes through ``PosixRoot._folder``: one ``openat`` per component, none of which follows a
link, so neither a hostile name nor a folder that is swapped for a link leads outside.  It also has no limit on the
length of the whole path.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat as stats
import sys
from collections import OrderedDict
from functools import partial
from threading import Lock

from coldchain.model import Entry
from coldchain.stores.local.base import ReadsAtOnce, is_folder
from coldchain.stores.local.linking import rename_by_link

if sys.platform == "win32":
    raise ImportError("see local.windows")
import fcntl

if sys.platform == "linux":
    from coldchain.stores.local import linux

_CACHED_FOLDERS = 64
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_F_FULLFSYNC = 51  # macOS fcntl(2): ask the drive to empty its cache; fsync alone does not
_F_NOCACHE = 48
_NO_FLUSH = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class _Folder:
    """An open folder; closed when the last user lets go."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


class PosixRoot:
    """A folder, opened once; every method takes keys below it and raises OSError."""

    def __init__(self, path: str) -> None:
        self._root = _Folder(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        self._folders: OrderedDict[str, _Folder] = OrderedDict()
        self._last = "", self._root
        """The folder that was asked for last: one file after the other lies there."""
        self._lock = Lock()
        self.device = os.fstat(self._root.fd).st_dev
        self.syncs_whole = self._direct = False
        self.largest_bytes = 0
        """One call flushes everything; else every file and folder is flushed on its own."""
        if sys.platform == "linux":
            f_type = linux.file_system(self._root.fd)
            self.syncs_whole = linux.syncs_whole(f_type)
            self._direct = linux.direct_reaches_medium(f_type)
            self._memory = linux.is_memory(self._root.fd)
            self.largest_bytes = linux.largest_bytes(f_type)
        self.stable_inodes = self.syncs_whole
        self.cannot_flush = False
        """Whether this place said that it has no flush at all."""
        self._was_read_only = self._is_read_only()

    # --- folders ---------------------------------------------------------------------------------------------------

    def _folder(self, key: str) -> _Folder:
        """Open a folder, from the nearest one above it that is open.

        Whoever uses the descriptor must hold the ``_Folder`` in a variable: another thread may drop it from the cache
        at any time, and a number that is closed is soon that of another folder.
        """
        last, folder = self._last
        if key == last:
            return folder
        found, missing = self._nearest(key)
        for name in missing:
            found = _Folder(os.open(_name(name.rpartition("/")[2]), _OPEN_FOLDER, dir_fd=found.fd))
            with self._lock:
                self._folders[name] = found
                if len(self._folders) > _CACHED_FOLDERS:
                    self._folders.popitem(last=False)
        self._last = key, found
        return found

    def _nearest(self, key: str) -> tuple[_Folder, list[str]]:
        """The nearest open folder, and the keys of those still to be opened, downwards."""
        missing: list[str] = []
        with self._lock:
            while key:
                if folder := self._folders.get(key):
                    self._folders.move_to_end(key)
                    return folder, missing[::-1]
                missing.append(key)
                key = key.rpartition("/")[0]
        return self._root, missing[::-1]

    def _split(self, key: str) -> tuple[_Folder, str]:
        parent, slash, name = key.rpartition("/")
        return self._folder(_name(parent) if slash else ""), _name(name)

    def names(self, folder: str) -> list[str]:
        """The names in a folder, ascending; those of folders end in "/".

        Read through a descriptor of its own: btrfs shows what was there when the folder was opened, however often it
        is read again, and two readers of one descriptor share their place in it.
        """
        opened = self._folder(folder)
        fresh = os.open(".", _OPEN_FOLDER, dir_fd=opened.fd)
        try:
            with os.scandir(fresh) as found:
                names = [item.name + "/" if is_folder(item) else item.name for item in found]
        finally:
            os.close(fresh)
        if not names and os.fstat(opened.fd).st_nlink == 0:  # readdir(3) shows a removed folder as an empty one
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        names.sort()
        return names

    def make_folders(self, key: str) -> list[str]:
        """Make a folder and those above it; returns the ones that were not there."""
        made: list[str] = []
        missing = [key]
        while missing:
            try:
                self._folder(missing[-1])
                missing.pop()
            except FileNotFoundError:
                if not missing[-1]:
                    raise
                missing.append(missing[-1].rpartition("/")[0])
                continue
            if missing:
                folder, name = self._split(missing[-1])
                with contextlib.suppress(FileExistsError):
                    _mkdir(folder, name)
                    made.append(missing[-1])
        return made

    def forget_folders(self) -> None:
        """Drop what is remembered of folders, so that they are looked up by name again."""
        with self._lock:
            self._folders.clear()
            self._last = "", self._root

    # --- files -----------------------------------------------------------------------------------------------------

    def stat(self, key: str) -> os.stat_result:
        """What stands under a name; never follows it."""
        folder, name = self._split(key)
        return os.stat(name, dir_fd=folder.fd, follow_symlinks=False)

    def stat_names(self, folder: str) -> _Stat:
        """A function that looks at names in one folder, for listings."""
        opened = self._folder(folder)
        stat = _Stat(os.stat, dir_fd=opened.fd, follow_symlinks=False)
        stat.folder = opened
        return stat

    def open(self, key: str) -> int:
        """Open for reading; does not wait for pipes, and leaves no controlling terminal."""
        folder, name = self._split(key)
        return os.open(name, _OPEN_FILE, dir_fd=folder.fd)

    def create(self, key: str) -> int:
        """Make a new file for writing; raises FileExistsError for anything that stands there, links included."""
        folder, name = self._split(key)
        return os.open(name, _CREATE, 0o600, dir_fd=folder.fd)

    def unlink(self, key: str) -> None:
        """Remove a name."""
        folder, name = self._split(key)
        os.unlink(name, dir_fd=folder.fd)

    def rmdir(self, key: str) -> None:
        """Remove an empty folder."""
        parent, name = self._split(key)
        with self._lock:
            self._folders.pop(key, None)
            self._last = "", self._root
        os.rmdir(name, dir_fd=parent.fd)

    def replace(self, old: str, new: str) -> None:
        """Rename over whatever stands there."""
        (old_folder, old_name), (new_folder, new_name) = self._split(old), self._split(new)
        os.rename(old_name, new_name, src_dir_fd=old_folder.fd, dst_dir_fd=new_folder.fd)

    def rename(self, old: str, new: str) -> None:
        """Rename; raises FileExistsError when something stands there.

        Where the system has no such rename, see ``local.linking``.
        """
        (old_folder, old_name), (new_folder, new_name) = self._split(old), self._split(new)
        if sys.platform == "linux":
            try:
                linux.rename_noreplace(old_folder.fd, old_name, new_folder.fd, new_name)
            except OSError as error:
                if error.errno not in _NO_FLUSH:
                    raise
            else:
                return
        rename_by_link(old_folder.fd, old_name, new_folder.fd, new_name)

    def keep(self, fd: int, entry: Entry) -> None:
        """Give an open file the mtime and the permission bits of ``entry``, where the place can keep them.

        Set-uid, set-gid and sticky bits are never carried; the owner can always read, or nothing could be proved.
        """
        if entry.mode:
            try:
                os.fchmod(fd, entry.mode & 0o777 | stats.S_IRUSR)
            except OSError as error:
                _accept_refusal(error)
        if entry.mtime_ns:
            try:
                os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
            except OSError as error:
                _accept_refusal(error)

    # --- durability ------------------------------------------------------------------------------------------------

    def sync_file(self, fd: int) -> None:
        """Make one open file durable."""
        try:
            if sys.platform == "darwin":
                fcntl.fcntl(fd, _F_FULLFSYNC)
            else:
                os.fsync(fd)
        except OSError as error:
            if error.errno not in _NO_FLUSH:
                raise
            self.cannot_flush = True

    def sync_folder(self, key: str) -> None:
        """Make the names in one folder durable."""
        folder = self._folder(key)
        self.sync_file(folder.fd)

    def flush_handle(self) -> int:
        """A descriptor for ``sync_whole``, to be opened before writing and closed by the caller.

        syncfs tells of a failed write-back once per open file: two stagings that shared one would hide it from one
        another.
        """
        return os.open(".", _OPEN_FOLDER, dir_fd=self._root.fd)

    def sync_whole(self, handle: int) -> None:
        """Make everything on this file system durable; only where ``syncs_whole``.

        On a file system that the kernel made read-only after an error syncfs does nothing, and succeeds.
        """
        if sys.platform == "linux":
            linux.syncfs(handle)
        if self._is_read_only() and not self._was_read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def _is_read_only(self) -> bool:
        return bool(os.fstatvfs(self._root.fd).f_flag & os.ST_RDONLY)

    def start_write_back(self, fd: int, offset: int, length: int) -> None:
        """Let the disk begin with what was written."""
        if sys.platform == "linux":
            linux.start_write_back(fd, offset, length)

    # --- past the cache --------------------------------------------------------------------------------------------

    def writes_past_cache(self, fd: int) -> bool:
        """Let what is written in whole, aligned blocks go past the page cache from now on; False where it would not."""
        if sys.platform == "linux" and self._direct:
            with contextlib.suppress(OSError):  # then it goes through the cache, as everything else does
                if os.fstat(fd).st_dev == self.device:
                    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_DIRECT)
                    return True
        return False

    def write_through_cache(self, fd: int) -> None:
        """Let what is written be of any length and at any place again."""
        if sys.platform == "linux":
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_DIRECT)

    def open_past_cache(self, key: str) -> tuple[int, str]:
        """Open for reading from the medium; returns the descriptor and the means (see ``Proof.how``)."""
        folder, name = self._split(key)
        if sys.platform == "linux" and self._direct:
            try:
                fd = os.open(name, _OPEN_FILE | os.O_DIRECT, dir_fd=folder.fd)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
            else:
                status = os.fstat(fd)
                if stats.S_ISREG(status.st_mode) and status.st_dev == self.device:
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                    return fd, "direct"
                os.close(fd)
        fd = os.open(name, _OPEN_FILE, dir_fd=folder.fd)
        return fd, self.evict(fd)

    def evict(self, fd: int) -> str:
        """Ask the page cache to forget an open file; returns how well that went."""
        status = os.fstat(fd)
        if not stats.S_ISREG(status.st_mode):
            return "cached"
        if sys.platform == "linux":
            if self._memory if status.st_dev == self.device else linux.is_memory(fd):
                return "cached"
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            cached = linux.is_cached(fd) if status.st_size else False
            return {True: "cached", False: "evicted", None: "dontneed"}[cached]
        if sys.platform == "darwin":
            fcntl.fcntl(fd, _F_NOCACHE, 1)
            return "dontneed"
        return "cached"

    def reads_at_once(self) -> ReadsAtOnce | None:
        """What reads many files past the page cache at once, to be given back; None where there is nothing."""
        if sys.platform == "linux" and self._direct:
            from coldchain.stores.local import aio

            return aio.lend()
        return None

    def read_ahead(self, fd: int) -> None:
        """Let the disk begin to read an open file."""
        if sys.platform == "linux":
            linux.read_ahead(fd)

    # --- other programs --------------------------------------------------------------------------------------------

    def has_writer(self, fd: int) -> bool:
        """Whether some program has this open file open for writing, as far as the system can tell."""
        return sys.platform == "linux" and linux.has_writer(fd)

    def writers(self) -> dict[int, str]:
        """Inodes on this volume that are open for writing, with the name of the program."""
        if sys.platform == "linux":
            return linux.open_for_writing(self.device)
        return {}

    def free_bytes(self) -> int | None:
        """Room left for us."""
        status = os.fstatvfs(self._root.fd)
        return status.f_bavail * status.f_frsize

    def close(self) -> None:
        """Let go of the folders; whoever still uses one lets go of it on return."""
        self._root = _Folder(-1)
        self.forget_folders()


def _name(name: str) -> str:
    if name in ("", ".", ".."):
        raise OSError(errno.EILSEQ, "not a name below this folder")
    return name


def _mkdir(folder: _Folder, name: str) -> None:
    try:
        os.mkdir(name, dir_fd=folder.fd)
    except FileNotFoundError:
        if os.fstat(folder.fd).st_nlink == 0:
            raise
        raise OSError(errno.EILSEQ, "this place cannot keep this name") from None  # what exfat-fuse means by ENOENT


def _accept_refusal(error: OSError) -> None:
    if error.errno not in (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
        raise error


class _Stat(partial[os.stat_result]):
    """Looks at names in one open folder, which stays open for as long: a partial, for each call counts."""

    folder: _Folder
