"""How is rclone started, so that nobody else can use it and it never outlives us?

One ``rclone rcd`` listens on a unix socket in a folder that only its owner can enter, and asks for a password that was
drawn for it and is handed over in its environment.  All stores of a process with the same configuration share it,
because rclone writes renewed OAuth tokens into its configuration, which bears one writer only.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

from coldchain.errors import ConfigurationError, StoreGone
from coldchain.stores.rclone import keeper
from coldchain.stores.rclone.ear import Ear
from coldchain.stores.rclone.folders import private_folder, sweep
from coldchain.stores.rclone.program import environment, find_program, python
from coldchain.stores.rclone.where import Manner

_START_S, _END_S = 30.0, 10.0
_LONGEST_SOCKET_PATH = 90
"""sun_path holds 104 bytes on macOS and 108 on Linux (unix(4), unix(7))."""
_LOCKED_CONFIG = ("decrypt", "encrypted", "configuration password", "config password")


class Daemon:
    """A running rclone; it ends when nobody holds it any more."""

    def __init__(self, manner: Manner) -> None:
        if not hasattr(socket, "AF_UNIX"):
            raise ConfigurationError("rclone:// needs unix sockets, which this Python does not have on Windows")
        if manner.config and not Path(manner.config).is_file():
            raise ConfigurationError(f"rclone: there is no configuration {manner.config}; correct the option `config`")
        program = find_program(manner.program)
        sweep(manner.spool)
        self.spool, spool_lock = private_folder(manner.spool)
        folder, lock = private_folder("" if len(tempfile.gettempdir()) < _LONGEST_SOCKET_PATH - 40 else "/tmp")  # noqa: S108
        self.socket = f"{folder}/rc"
        user, password = secrets.token_hex(8), secrets.token_hex(24)
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.ear = Ear()
        self._busy: set[str] = set()
        self._free = threading.Condition()
        command = [program, "rcd", "--rc-addr", f"unix://{self.socket}", *_FLAGS]
        command += ["--config", manner.config] if manner.config else []
        self._process = subprocess.Popen(
            [*python(), keeper.__file__, "2", folder, self.spool, *command],
            env=environment(RCLONE_RC_USER=user, RCLONE_RC_PASS=password),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(spool_lock, lock),
        )
        for one in (spool_lock, lock):  # the keeper holds them, for as long as somebody lives there
            os.close(one)
        self._end = weakref.finalize(self, _end, self._process, [folder, self.spool], os.getpid())
        threading.Thread(target=self.ear.listen, args=(self._process.stderr,), daemon=True).start()
        self._wait_until_ready()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def last_words(self) -> str:
        """The last line of its log."""
        return self.ear.last_words()

    def end(self) -> None:
        """End it now."""
        self._end()

    @contextlib.contextmanager
    def alone_with(self, name: str) -> Iterator[None]:
        """Let one thread at a time decide about a name: rclone has no way to create only what is not there."""
        with self._free:
            while name in self._busy:
                self._free.wait()
            self._busy.add(name)
        try:
            yield
        finally:
            with self._free:
                self._busy.discard(name)
                self._free.notify_all()

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + _START_S
        while not self._answers():
            if self.alive and time.monotonic() < until:
                time.sleep(0.01)
                continue
            self.end()
            said = self.last_words()
            if any(word in said.lower() for word in _LOCKED_CONFIG):
                raise ConfigurationError(
                    "rclone: its configuration is encrypted; put the right password into the environment variable "
                    "RCLONE_CONFIG_PASS"
                )
            raise StoreGone(f"rclone does not start: {said}")

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as one:
            try:
                one.connect(self.socket)
            except OSError:
                return False
        return True


_FLAGS = (
    *("--rc-serve", "--use-json-log", "--log-level", "NOTICE", "--stats", "0", "--ask-password=false"),
    # a file may take days; what hangs is noticed by rclone's own --timeout, and by ours
    *("--rc-server-read-timeout", "240h", "--rc-server-write-timeout", "240h", "--rc-max-header-bytes", "262144"),
    # else each file of a listing of S3 or Swift costs a request of its own
    *("--use-server-modtime", "--max-stats-groups", "100000"),
)


def _end(process: subprocess.Popen[bytes], folders: list[str], owner: int) -> None:
    if os.getpid() != owner:
        return  # a forked child that lets go of its copy
    with contextlib.suppress(OSError, AttributeError):
        process.stdin.close()  # type: ignore[union-attr]
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


# A run opens a place anew for every batch.  Whoever still has it open lends the others its daemon.
_running: weakref.WeakValueDictionary[tuple[Manner, int], Daemon] = weakref.WeakValueDictionary()
_starting = threading.Lock()


def running(manner: Manner) -> Daemon:
    """The daemon that somebody holds already, or a new one; never that of the process that this one was forked from."""
    with _starting:
        daemon = _running.get((manner, os.getpid()))
        if daemon is None or not daemon.alive:
            daemon = _running[manner, os.getpid()] = Daemon(manner)
        return daemon
