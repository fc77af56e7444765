"""Which ports may a server of the tests take?

Never one that the system gives away by itself: between the moment that such a port is seen to be free and the moment
that a server listens there, any connection of another test may get it.  Linux gives away 32768 and more, Windows and
macOS 49152 and more.  Below that, each process of the tests has a block of its own, for as long as it lives.
"""

from __future__ import annotations

import functools
import socket
import sys

_BLOCK = 1_000
_FIRST, _TWINS = 10_000, 20_000
"""Where the blocks begin, and their twins: SeaweedFS takes each of its ports plus 10,000 as well."""


def free_port() -> int:
    """A port that nobody uses; none that was returned before, until the block is used up."""
    return free_ports(1)[0]


def free_ports(count: int) -> range:
    """Ports in a row that nobody uses, nor any of them plus 10,000."""
    return _block().take(count)


class _Block:
    """The ports of this process: no other gets them while it lives."""

    def __init__(self) -> None:
        for first in range(_FIRST, _TWINS, _BLOCK):
            # A lock that ends with the process on every system; it is a port of UDP, which no server here listens at.
            claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                claim.bind(("127.0.0.1", first))
            except OSError:
                claim.close()
            else:
                self._claim, self._ports, self._taken = claim, range(first, first + _BLOCK), 0
                return
        raise RuntimeError("every block of ports is taken: do that many tests run at once?")

    def take(self, count: int) -> range:
        starts = _BLOCK - count + 1
        for step in range(starts):
            start = (self._taken + step) % starts
            found = self._ports[start : start + count]
            if all(_is_free(port) and _is_free(port + _TWINS - _FIRST) for port in found):
                self._taken = start + count
                return found
        raise RuntimeError(f"no {count} ports in a row are free in {self._ports}")


@functools.cache
def _block() -> _Block:
    return _Block()


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        if sys.platform != "win32":  # as servers do: a connection that was closed a moment ago keeps nobody out
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
