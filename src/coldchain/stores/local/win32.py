"""Which system calls of Windows does the local store need that Python does not offer?"""

from __future__ import annotations

import ctypes
import msvcrt
import os
import sys

if sys.platform != "win32":
    raise ImportError("these calls are those of Windows")

_GENERIC_READ, _GENERIC_WRITE = 0x80000000, 0x40000000
_SHARE_READ, _SHARE_WRITE, _SHARE_DELETE = 1, 2, 4
_OPEN_EXISTING = 3
_FLAG_NO_BUFFERING = 0x20000000
_FLAG_SEQUENTIAL_SCAN = 0x08000000
_INVALID = ctypes.c_void_p(-1).value
_ERROR_ACCESS_DENIED, _ERROR_SHARING_VIOLATION = 5, 32
_NO_FLUSH = (1, 50)  # invalid function, not supported: what file systems without a flush say
_DRIVE_REMOTE = 4
_TICKS_TO_1970 = 116_444_736_000_000_000  # FILETIME counts steps of 100 ns from 1601

_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_kernel.CreateFileW.restype = _kernel.ReOpenFile.restype = ctypes.c_void_p
_kernel.ReOpenFile.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32]
_kernel.CloseHandle.argtypes = _kernel.FlushFileBuffers.argtypes = [ctypes.c_void_p]
_kernel.SetFileTime.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]


def open_shared(path: str, *, past_cache: bool = False) -> int:
    """Open for reading so that every other program can still read, write, rename and delete the file."""
    flags = _FLAG_NO_BUFFERING if past_cache else _FLAG_SEQUENTIAL_SCAN
    share = _SHARE_READ | _SHARE_WRITE | _SHARE_DELETE
    handle = _kernel.CreateFileW(ctypes.c_wchar_p(path), _GENERIC_READ, share, None, _OPEN_EXISTING, flags, None)
    if handle == _INVALID:
        raise ctypes.WinError(ctypes.get_last_error())
    return msvcrt.open_osfhandle(handle, os.O_RDONLY | os.O_BINARY | os.O_NOINHERIT)


def has_writer(fd: int) -> bool:
    """Whether some program has this open file open for writing.

    Opening it once more, for a moment and without letting others write, fails exactly then (CreateFile, "File
    sharing").  A program that opens the file for writing within that moment is refused, as by a virus scanner.
    """
    handle = _kernel.ReOpenFile(msvcrt.get_osfhandle(fd), _GENERIC_READ, _SHARE_READ | _SHARE_DELETE, 0)
    if handle == _INVALID:
        return ctypes.get_last_error() == _ERROR_SHARING_VIOLATION
    _kernel.CloseHandle(handle)
    return False


def flush(fd: int) -> None:
    """Make one open file durable.

    FlushFileBuffers wants a handle that may write; for a file that is adopted one is opened for that.  Python's fsync
    is of no use: the C library answers EBADF whatever went wrong.
    """
    handle = msvcrt.get_osfhandle(fd)
    if code := _flush(handle):
        if code == _ERROR_ACCESS_DENIED:
            share = _SHARE_READ | _SHARE_WRITE | _SHARE_DELETE
            again = _kernel.ReOpenFile(handle, _GENERIC_WRITE, share, 0)
            if again == _INVALID:
                raise ctypes.WinError(ctypes.get_last_error())
            code = _flush(again)
            _kernel.CloseHandle(again)
        if code and code not in _NO_FLUSH:
            raise ctypes.WinError(code)


def _flush(handle: int) -> int:
    return 0 if _kernel.FlushFileBuffers(handle) else ctypes.get_last_error()


def set_mtime(fd: int, mtime_ns: int) -> None:
    """Set the time of the last write of an open file, in the 100 ns that NTFS keeps."""
    ticks = ctypes.c_uint64(mtime_ns // 100 + _TICKS_TO_1970)
    if not _kernel.SetFileTime(msvcrt.get_osfhandle(fd), None, None, ctypes.byref(ticks)):
        raise ctypes.WinError(ctypes.get_last_error())


def file_system(root: str) -> str:
    """The name of the file system of a volume, such as NTFS; ``root`` ends in a backslash."""
    name = ctypes.create_unicode_buffer(64)
    found = _kernel.GetVolumeInformationW(ctypes.c_wchar_p(root), None, 0, None, None, None, name, len(name))
    return name.value if found else ""


def is_remote(root: str) -> bool:
    """Whether a volume is another computer's."""
    return bool(_kernel.GetDriveTypeW(ctypes.c_wchar_p(root)) == _DRIVE_REMOTE)
