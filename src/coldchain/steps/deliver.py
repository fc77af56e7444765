"""How do coldchain's own small files get to a destination and back?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from coldchain.errors import NotFound, Occupied, StoreError
from coldchain.model import Entry
from coldchain.stores.base import CHUNK_BYTES, Staging, Store

_ATTEMPTS = 5
_LIMIT_BYTES = 16 << 20
_MODE = 0o644
"""Everybody who can read the data can read how to check them (P9)."""


def deliver(store: Store, key: str, lines: Iterable[bytes], owner: str) -> None:
    """Write a whole file over the one that stands there, durably; raises StoreError."""
    if error := deliver_all(store, {key: lines}, owner).get(key):
        raise error


def deliver_all(store: Store, texts: Mapping[str, Iterable[bytes]], owner: str) -> dict[str, StoreError]:
    """Write whole files over those that stand there, durably, with one flush for all; returns what failed."""
    failed: dict[str, StoreError] = {}
    try:
        staging = store.stage(owner)
    except StoreError as error:
        return dict.fromkeys(texts, error.kept())
    try:
        staged = []
        for key, lines in texts.items():
            try:
                _stage(staging, key, lines)
                staged.append(key)
            except StoreError as error:
                failed[key] = error.kept()
        staging.flush()
        lost: dict[str, StoreError] = {}
        for _ in range(_ATTEMPTS):
            standing, lost = _standing(store, staged)
            results = staging.publish(standing)
            lost |= {key: error for key, error in results.items() if isinstance(error, StoreError)}
            # occupied or gone: another writer was quicker, so look and try again
            staged = [key for key, error in lost.items() if isinstance(error, Occupied | NotFound)]
            failed |= {key: error for key, error in lost.items() if key not in staged}
            if not staged:
                break
        else:
            failed |= {key: lost[key] for key in staged}
    except StoreError as error:
        return failed | dict.fromkeys(texts, error.kept())
    finally:
        staging.close()
    return failed


def _stage(staging: Staging, key: str, lines: Iterable[bytes]) -> None:
    sink = staging.open(key, Entry(key, 0, 0, mode=_MODE))
    try:
        for piece in _pieces(lines):
            sink.write(piece)
    except BaseException:
        sink.abort()
        raise
    sink.close()


def fetch(store: Store, key: str) -> bytes | None:
    """Read a small file whole; None when it is not there."""
    try:
        with store.read(key) as reader:
            if reader.entry.size_bytes > _LIMIT_BYTES:
                raise StoreError(f"{reader.entry.size_bytes:,} bytes are too many for it", url=store.url, key=key)
            return b"".join(bytes(chunk) for chunk in reader.chunks())
    except NotFound:
        return None


def _standing(store: Store, keys: Iterable[str]) -> tuple[dict[str, Entry | None], dict[str, StoreError]]:
    """What stands under each name now, and of which names that cannot be said: a folder has one of them.

    Raises what concerns them all, such as a place that does not answer: each further name would wait as long.
    """
    found: dict[str, Entry | None] = {}
    odd: dict[str, StoreError] = {}
    for key in keys:
        try:
            found[key] = store.stat(key)
        except NotFound:
            found[key] = None
        except StoreError as error:
            if error.temporary or error.ends_store:
                raise
            odd[key] = error.kept()
    return found, odd


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
