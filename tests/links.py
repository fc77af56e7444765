"""How is a server reached over a link that is slow, is reset, or loses every packet?"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

_PIECE_BYTES = 4096
_UNDER_WAY = 64
"""So many pieces are on the link at once, in each direction."""
_number = count(1)


class SlowLink:
    """Hands bytes on to a server on this computer: so many a second, each after a while, and once with a reset."""

    def __init__(self, port: int, *, bytes_per_s: int, latency_s: float, reset_after_bytes: int = 0) -> None:
        self._target, self._rate, self._latency_s = port, bytes_per_s, latency_s
        self._left = reset_after_bytes
        self._resets_due = 1 if reset_after_bytes else 0
        self.resets = 0
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self._target))
                self._open += [here, there]
                for pair, upward in (((here, there), True), ((there, here), False)):
                    # a small buffer, or the system would take megabytes at once
                    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 10)
                    threading.Thread(target=self._carry, args=(*pair, upward), daemon=True).start()

    def _carry(self, come: socket.socket, go: socket.socket, upward: bool) -> None:
        under_way: queue.Queue[tuple[float, bytes]] = queue.Queue(_UNDER_WAY)
        threading.Thread(target=self._deliver, args=(under_way, come, go, upward), daemon=True).start()
        piece = b"first"
        while piece:
            try:
                piece = come.recv(_PIECE_BYTES)
            except OSError:
                piece = b""
            under_way.put((time.monotonic() + self._latency_s, piece))

    def _deliver(
        self, under_way: queue.Queue[tuple[float, bytes]], come: socket.socket, go: socket.socket, upward: bool
    ) -> None:
        broken = False
        while (waiting := under_way.get())[1]:  # to the end, or the other thread would wait for room
            at, piece = waiting
            if broken:
                continue
            time.sleep(max(0.0, at - time.monotonic()))
            time.sleep(len(piece) / self._rate)
            if upward and self._is_due(len(piece)):
                reset(come, go)
                broken = True
                continue
            try:
                go.sendall(piece)
            except OSError:
                broken = True
        with contextlib.suppress(OSError):
            go.shutdown(socket.SHUT_WR)

    def _is_due(self, size_bytes: int) -> bool:
        with self._lock:
            self._left -= size_bytes
            due = self._resets_due > self.resets and self._left < 0
            self.resets += due
            return due

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for end in (self._listener, *self._open):
            end.close()


def reset(*ends: socket.socket) -> None:
    """Let both computers know at once that the connection is over."""
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RD)
        end.close()


@dataclass(frozen=True)
class Cable:
    """Two network name spaces with a wire between them."""

    near: str
    far: str
    address: str
    """Of the far end."""

    @property
    def here(self) -> tuple[str, ...]:
        """What comes before a command that shall run at the near end."""
        return ("ip", "netns", "exec", self.near)

    @property
    def there(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.far)

    def cut(self) -> None:
        """From now on every packet vanishes; nobody is told."""
        _ip("-n", self.far, "link", "set", f"v{self.far}", "down")

    def mend(self) -> None:
        _ip("-n", self.far, "link", "set", f"v{self.far}", "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def laid() -> Iterator[Cable]:
    """For as long as a test lasts."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network name spaces need root and iproute2: scripts/install_test_servers.sh")
    name = f"c{os.getpid() % 100_000}x{next(_number)}"
    cable = Cable(f"{name}a", f"{name}b", "10.213.7.2")
    try:
        for one in (cable.near, cable.far):
            _ip("netns", "add", one)
        wire = ("type", "veth", "peer", "name", f"v{cable.far}", "netns", cable.far)
        _ip("link", "add", f"v{cable.near}", "netns", cable.near, *wire)
        for one, address in ((cable.near, "10.213.7.1"), (cable.far, cable.address)):
            _ip("-n", one, "addr", "add", f"{address}/30", "dev", f"v{one}")
            _ip("-n", one, "link", "set", "lo", "up")
            _ip("-n", one, "link", "set", f"v{one}", "up")
        yield cable
    finally:
        for one in (cable.near, cable.far):
            subprocess.run(["ip", "netns", "del", one], check=False, capture_output=True)
