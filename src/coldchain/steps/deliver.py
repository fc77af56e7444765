"""How do coldchain's own small files get to a destination and back?"""

from __future__ import annotations

from collections.abc import Iterable

from coldchain.errors import NotFound, Occupied, StoreError
from coldchain.model import Entry
from coldchain.stores.base import CHUNK_BYTES, Store

_ATTEMPTS = 5
_LIMIT_BYTES = 16 << 20
_MODE = 0o644
"""Everybody who can read the data can read how to check them (P9)."""


def deliver(store: Store, key: str, lines: Iterable[bytes], owner: str) -> Entry:
    """Write a whole file over the one that stands there, durably; raises StoreError."""
    staging = store.stage(owner)
    try:
        sink = staging.open(key, Entry(key, 0, 0, mode=_MODE))
        try:
            for piece in _pieces(lines):
                sink.write(piece)
        except BaseException:
            sink.abort()
            raise
        sink.close()
        staging.flush()
        attempt = 0
        while True:
            result = staging.publish({key: _standing(store, key)})[key]
            if isinstance(result, Entry):
                return result
            attempt += 1  # occupied or gone: another writer was quicker, so look and try again
            if attempt == _ATTEMPTS or not isinstance(result, Occupied | NotFound):
                raise result
    finally:
        staging.close()


def fetch(store: Store, key: str) -> bytes | None:
    """Read a small file whole; None when it is not there."""
    try:
        with store.read(key) as reader:
            if reader.entry.size_bytes > _LIMIT_BYTES:
                raise StoreError(f"{reader.entry.size_bytes:,} bytes are too many for it", url=store.url, key=key)
            return b"".join(bytes(chunk) for chunk in reader.chunks())
    except NotFound:
        return None


def _standing(store: Store, key: str) -> Entry | None:
    try:
        return store.stat(key)
    except NotFound:
        return None


def _pieces(lines: Iterable[bytes]) -> Iterable[bytes]:
    """Join short lines into chunks."""
    waiting: list[bytes] = []
    size_bytes = 0
    for line in lines:
        waiting.append(line)
        size_bytes += len(line)
        if size_bytes >= CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size_bytes = [], 0
    if waiting:
        yield b"".join(waiting)
