"""Which system calls of Linux does the local store need that Python does not offer?"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import sys

if sys.platform != "linux":
    raise ImportError("these calls are those of Linux")

# statfs(2) f_type: file systems of the kernel itself, where syncfs(2) is as good as fsync(2) of every file, where
# ctime and inode are kept faithfully, and where O_DIRECT goes to the medium.
_EXT, _XFS, _BTRFS, _F2FS, _TMPFS = 0xEF53, 0x58465342, 0x9123683E, 0xF2F52010, 0x01021994
_FAT, _FAT_LARGEST_BYTES = 0x4D44, (1 << 32) - 1
_SYNCS_WHOLE = frozenset({_EXT, _XFS, _BTRFS, _F2FS, _TMPFS})
_DIRECT = frozenset({_EXT, _XFS, _BTRFS, _F2FS})
_MEMORY = frozenset({_TMPFS, 0x858458F6})  # tmpfs, ramfs

RENAME_NOREPLACE = 1
SYNC_FILE_RANGE_WRITE = 2
_F_SETSIG = 10

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def file_system(fd: int) -> int:
    """The ``f_type`` of the file system that ``fd`` lies on."""
    buffer = ctypes.create_string_buffer(256)
    _checked(_libc.fstatfs(fd, buffer))
    return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF


def syncs_whole(f_type: int) -> bool:
    """Whether one syncfs makes every file here durable.  FUSE and network file systems are not trusted with it."""
    return f_type in _SYNCS_WHOLE


def largest_bytes(f_type: int) -> int:
    """The largest file that fits this kind of file system, by its format; 0 where that is no matter."""
    return _FAT_LARGEST_BYTES if f_type == _FAT else 0


def direct_reaches_medium(f_type: int) -> bool:
    """Whether O_DIRECT is known to read from the medium here (tmpfs accepts the flag and reads memory)."""
    return f_type in _DIRECT


def is_memory(fd: int) -> bool:
    """Whether ``fd`` lies on a file system that is nothing but a cache."""
    return file_system(fd) in _MEMORY


def syncfs(fd: int) -> None:
    """Make durable everything on the file system of ``fd``; reports write-back errors since Linux 5.8."""
    _checked(_libc.syncfs(fd))


def rename_noreplace(old_fd: int, old: str, new_fd: int, new: str) -> None:
    """Rename; raises FileExistsError when ``new`` stands, OSError EINVAL or ENOSYS where that is not offered."""
    _checked(_libc.renameat2(old_fd, os.fsencode(old), new_fd, os.fsencode(new), RENAME_NOREPLACE))


def start_write_back(fd: int, offset: int, length: int) -> None:
    """Let the disk begin with these bytes now, so that the flush at the end is short; a hint, never an error."""
    _libc.sync_file_range(fd, ctypes.c_int64(offset), ctypes.c_int64(length), SYNC_FILE_RANGE_WRITE)


def has_writer(fd: int) -> bool:
    """Whether some program has this file open, or mapped, for writing.

    A read lease is refused while there is a writer (fcntl(2)); it is given back at once, and the signal for a writer
    that arrives in between is one that is ignored by default, so neither side is disturbed.  False where leases are
    not to be had (another user's file, network shares).
    """
    try:
        fcntl.fcntl(fd, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EWOULDBLOCK)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def is_cached(fd: int) -> bool | None:
    """Whether the first page is in the page cache; None where nobody can tell (preadv2(2), RWF_NOWAIT)."""
    try:
        os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def read_ahead(fd: int) -> None:
    """Let the disk begin to read this file."""
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED)


def open_for_writing(device: int) -> dict[int, str]:
    """Inodes on ``device`` that programs have open for writing, with the program's name, as far as /proc shows."""
    found: dict[int, str] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        folder = f"/proc/{pid}/fd"
        try:
            numbers = os.listdir(folder)
        except OSError:
            continue
        for number in numbers:
            try:
                if not os.lstat(f"{folder}/{number}").st_mode & 0o200:
                    continue
                status = os.stat(f"{folder}/{number}")
            except OSError:
                continue
            if status.st_dev == device and status.st_ino not in found:
                found[status.st_ino] = _program(pid)
    return found


def _program(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return f"process {pid}"
