"""How does Linux read many small files past the page cache at once?

By io_submit(2): one call asks the disk for all of them, none of which passes through the cache, and one waits for what
comes.  A thread that read them one after the other would wait for the disk each time.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
import sys
from collections import deque
from collections.abc import Sequence

from coldchain.stores.local.ahead import SMALL_BYTES, TOGETHER

if sys.platform != "linux":
    raise ImportError("these calls are those of Linux")

AT_ONCE = TOGETHER
_ALIGNED = mmap.PAGESIZE
_SLOT_BYTES = SMALL_BYTES + _ALIGNED

# asm/unistd.h: io_setup, io_submit, io_getevents; asm-generic serves every architecture but the older ones
_GENERIC = (0, 2, 4)
_CALLS = {"x86_64": (206, 209, 208), "aarch64": _GENERIC, "riscv64": _GENERIC}.get(os.uname().machine)
_CALLS = _CALLS if sys.maxsize > 1 << 32 else None  # a program of 32 bits has numbers of its own
_IOCB = struct.Struct("<QIiHhIQQqQII")
"""linux/aio_abi.h, ``struct iocb``: data, key, rw_flags, opcode, reqprio, fildes, buf, nbytes, offset, -, flags, -."""
_EVENT = struct.Struct("<QQqq")
"""``struct io_event``: data, obj, res, res2."""
_PREAD = 0

_libc = ctypes.CDLL(None, use_errno=True)
_idle: deque[Reads] = deque()
"""Those that nobody uses: the kernel takes its time to give one back."""


class Reads:
    """Room for as many reads as are under way at once; for one user at a time."""

    def __init__(self) -> None:
        """Raises OSError where the kernel offers nothing of the kind, or no more of it."""
        if _CALLS is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        setup, self._submit, self._wait = _CALLS
        self._context = ctypes.c_ulong(0)
        _call(setup, ctypes.c_long(AT_ONCE), ctypes.byref(self._context))
        self._room = mmap.mmap(-1, AT_ONCE * _SLOT_BYTES)
        self._room_at = ctypes.addressof(ctypes.c_char.from_buffer(self._room))
        self._wanted = ctypes.create_string_buffer(AT_ONCE * _IOCB.size)
        first = ctypes.addressof(self._wanted)
        self._each = (ctypes.c_void_p * AT_ONCE)(*(first + number * _IOCB.size for number in range(AT_ONCE)))
        self._events = ctypes.create_string_buffer(AT_ONCE * _EVENT.size)
        self._asked = self._under_way = 0

    def begin(self, files: Sequence[tuple[int, int]]) -> None:
        """Ask for up to ``AT_ONCE`` files, given by descriptor (opened with O_DIRECT) and size in bytes."""
        for number, (fd, size_bytes) in enumerate(files):
            wanted = -(-(size_bytes + 1) // _ALIGNED) * _ALIGNED  # one byte more: the whole and nothing else is the end
            at = self._room_at + number * _SLOT_BYTES
            _IOCB.pack_into(self._wanted, number * _IOCB.size, number, 0, 0, _PREAD, 0, fd, at, wanted, 0, 0, 0, 0)
        self._asked = len(files)
        try:
            self._under_way = _call(self._submit, self._context, ctypes.c_long(len(files)), self._each)
        except OSError:
            self._under_way = 0

    def finish(self) -> list[bytes | None]:
        """Wait for all of them; returns what each read gave, None for one that failed or was not accepted."""
        found: list[bytes | None] = [None] * self._asked
        while self._under_way:
            least = ctypes.c_long(self._under_way)
            try:
                came = _call(self._wait, self._context, least, least, self._events, None)
            except InterruptedError:
                continue
            self._under_way -= came
            for event in range(came):
                number, _, length, _ = _EVENT.unpack_from(self._events, event * _EVENT.size)
                if length >= 0:
                    start = number * _SLOT_BYTES
                    found[number] = self._room[start : start + length]
        self._asked = 0
        return found

    def give_back(self) -> None:
        """Let others use it, once nothing is under way."""
        self.finish()
        _idle.append(self)


def lend() -> Reads | None:
    """Some to be given back; None where there are none."""
    try:
        return _idle.pop()
    except IndexError:
        pass
    try:
        return Reads()
    except OSError:
        return None


def _call(*words: object) -> int:
    result = int(_libc.syscall(*(ctypes.c_long(word) if isinstance(word, int) else word for word in words)))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
