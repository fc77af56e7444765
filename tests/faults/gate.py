"""Who holds a program up at its k-th system call that changes something: to kill it there, or to have that call fail?

The kernel asks (seccomp, user notification: seccomp_unotify(2)) before each such call of any thread, and this process
answers: go on, fail with this errno, or SIGKILL before anything was done.  strace would count in each thread by itself
(strace(1), "when"), so that calls of workers stay out of reach.  Commands are forked from a process that has imported
all that it needs; so a hundred kills take as long as a few starts of Python.

As a program: reads one JSON object a line (an Order), answers one a line (how the command ended).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import platform
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, Self

import pytest

needs_gate = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or os.geteuid() != 0,
    reason="holds system calls up by seccomp: wants Linux on x86_64, and root",
)

# /usr/include/x86_64-linux-gnu/asm/unistd_64.h
CALLS = {
    1: "write", 18: "pwrite64", 20: "writev", 40: "sendfile", 74: "fsync", 75: "fdatasync", 76: "truncate",
    77: "ftruncate", 82: "rename", 83: "mkdir", 84: "rmdir", 86: "link", 87: "unlink", 88: "symlink", 90: "chmod",
    91: "fchmod", 257: "openat", 258: "mkdirat", 263: "unlinkat", 264: "renameat", 265: "linkat", 266: "symlinkat",
    268: "fchmodat", 280: "utimensat", 306: "syncfs", 316: "renameat2", 326: "copy_file_range",
}  # fmt: skip
_BY_DESCRIPTOR = {"write", "pwrite64", "writev", "fsync", "fdatasync", "ftruncate", "fchmod", "syncfs", "utimensat"}
_FLAGS_OF_OPENAT = 32  # where the third argument lies in struct seccomp_data (seccomp(2)), lower half
_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV and _SEND of linux/seccomp.h
_GO_ON = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
_WAIT_MS = 200


class Ended(NamedTuple):
    """How a command ended, and at which of its calls it was stopped."""

    code: int
    said: str
    calls: int
    """How many calls were asked about; when it was stopped, up to and with that one."""
    met: str
    """The call that was killed or that failed; "" when it was never reached."""


@dataclass(frozen=True, slots=True)
class Order:
    """What shall be run, and what shall befall it."""

    words: Sequence[str]
    folder: str
    when: int = 0
    """At which call; 0 for none."""
    error: int = 0
    """The errno that the call gives; 0 kills instead."""


class Gate:
    """A warm program from which commands are forked."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate(timeout=120)

    def run(self, order: Order) -> Ended:
        """Run a command to whatever end it comes to."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asdict(order)), file=self._process.stdin, flush=True)
        return Ended(*json.loads(self._process.stdout.readline()))


# --- the program ----------------------------------------------------------------------------------------------------


def _serve() -> None:
    import coldchain.cli.main
    import coldchain.ledger.ledger
    import coldchain.operate.check
    import coldchain.operate.job
    import coldchain.operate.rebuild
    import coldchain.operate.restore
    import coldchain.stores.local.store  # noqa: F401 - all this is imported once, before the forks

    for line in sys.stdin:
        print(json.dumps(_run(Order(**json.loads(line)))), flush=True)


def _run(order: Order) -> Ended:
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if not child:
            ours.close()
            _be_the_command(order, theirs, output.fileno())
        theirs.close()
        calls, met = 0, ""
        if order.when:
            _, (listener,), _, _ = socket.recv_fds(ours, 1, 1)
            calls, met = _answer(listener, child, order)
            os.close(listener)
        ours.close()
        status = os.waitpid(child, 0)[1]
        output.seek(0)
        said = output.read().decode(errors="backslashreplace")
    return Ended(os.waitstatus_to_exitcode(status), said, calls, met)


def _be_the_command(order: Order, line: socket.socket, output: int) -> None:
    """In the child: never returns."""
    code = 99
    try:
        os.chdir(order.folder)
        for number, source in enumerate((os.open(os.devnull, os.O_RDONLY), output, output)):
            os.dup2(source, number)
        sys.argv = ["coldchain", *order.words]
        if order.when:
            listener = _listen()
            socket.send_fds(line, [b"!"], [listener])
            os.close(listener)
        line.close()
        from coldchain.cli.main import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _listen() -> int:
    """Ask this process, and every thread that it will have, before each of the calls; returns whom to answer by."""
    load, jump_equal, jump_set, ret = 0x20, 0x15, 0x45, 0x06
    numbers = [number for number, name in CALLS.items() if name != "openat"]
    allow, notify = 0x7FFF0000, 0x7FC00000
    code = [(load, 0, 0, 0)]
    rest = len(numbers)  # a match jumps over the others and over what is about openat
    code += [(jump_equal, rest - count + 3, 0, number) for count, number in enumerate(numbers)]
    code += [
        (jump_equal, 0, 2, 257),
        (load, 0, 0, _FLAGS_OF_OPENAT),
        (jump_set, 1, 0, os.O_CREAT),
        (ret, 0, 0, allow),
        (ret, 0, 0, notify),
    ]
    program = b"".join(struct.pack("HBBI", *line) for line in code)
    buffer = ctypes.create_string_buffer(program)
    filtering = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    listener: int = libc.syscall(317, 1, 8, filtering)  # seccomp(SET_MODE_FILTER, NEW_LISTENER)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


def _answer(listener: int, child: int, order: Order) -> tuple[int, str]:
    """Let every call go on but the one; returns how many there were, and which it was."""
    calls, met = 0, ""
    watched = select.poll()
    watched.register(listener, select.POLLIN)
    while True:
        ready = watched.poll(_WAIT_MS)
        if ready and ready[0][1] & select.POLLIN:
            asked = bytearray(80)
            try:
                fcntl.ioctl(listener, _RECEIVE, asked)
            except OSError as error:
                if error.errno in {errno.ENOENT, errno.EINTR}:  # who asked is gone
                    continue
                raise
            number, pid, _, call, _, _, *arguments = struct.unpack("QIIiIQ6Q", asked)
            what = _what(pid, CALLS[call], arguments)
            calls += bool(what)
            strikes = bool(what) and calls == order.when
            if strikes:
                met = what
            if strikes and not order.error:
                os.kill(child, signal.SIGKILL)
                return calls, met
            _reply(listener, number, -order.error if strikes else 0)
        elif ready or not Path(f"/proc/{child}/task").exists():
            return calls, met


def _reply(listener: int, number: int, error: int) -> None:
    try:
        fcntl.ioctl(listener, _SEND, struct.pack("QqiI", number, 0, error, 0 if error else _GO_ON))
    except OSError as gone:
        if gone.errno != errno.ENOENT:
            raise


def _what(pid: int, call: str, arguments: Sequence[int]) -> str:
    """The call in words; "" for one that changes no file: what is printed, and what goes into a pipe."""
    if call not in _BY_DESCRIPTOR:
        return call
    descriptor = arguments[0] & 0xFFFFFFFF
    try:
        place = os.readlink(f"/proc/{pid}/fd/{descriptor}")
    except OSError:
        return call
    return f"{call} {place}" if descriptor > 2 and place.startswith("/") and not place.startswith("/dev/null") else ""


if __name__ == "__main__":
    _serve()
