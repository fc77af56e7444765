"""How do coldchain's own small files get to a destination and back?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import NamedTuple

from coldchain.content.patience import Patience
from coldchain.errors import FlushFailed, NotFound, Occupied, StoreError
from coldchain.model import Digest, Entry, ProofKind
from coldchain.steps.prove import prove
from coldchain.stores.base import CHUNK_BYTES, Staging, Store

Text = Callable[[], Iterable[bytes]]
"""Begins to tell what shall stand in a file; asked again for another try."""
_PATIENCE = Patience(retries=2)
_ATTEMPTS = 5
_LIMIT_BYTES = 16 << 20
_MODE = 0o644
"""Everybody who can read the data can read how to check them (P9)."""


def deliver(store: Store, key: str, text: Text, owner: str) -> None:
    """Write a whole file over the one that stands there, durably, and see that it is there; raises StoreError."""
    if error := deliver_all(store, {key: text}, owner).get(key):
        raise error


def deliver_all(
    store: Store,
    texts: Mapping[str, Text],
    owner: str,
    proof: ProofKind = ProofKind.CHECKSUM,
    *,
    begin_anew: Callable[[], None] = lambda: None,
) -> dict[str, StoreError]:
    """Write whole files over those that stand there, durably, with one flush for all; returns what failed.

    Each is proved as a copy is: a disk that forgets what it was given takes manifests with it as well.  And as a copy
    is, it is written anew after trouble that may pass; ``begin_anew`` is called before.
    """
    failed = _deliver_once(store, texts, owner, proof)
    for tried in range(_PATIENCE.retries):
        again = {key: texts[key] for key, error in failed.items() if error.temporary}
        if not again:
            break
        begin_anew()
        _PATIENCE.wait(tried)
        failed = {key: error for key, error in failed.items() if key not in again}
        failed |= _deliver_once(store, again, owner, proof)
    return failed


def _deliver_once(store: Store, texts: Mapping[str, Text], owner: str, proof: ProofKind) -> dict[str, StoreError]:
    failed: dict[str, StoreError] = {}
    try:
        staging = store.stage(owner)
    except StoreError as error:
        return dict.fromkeys(texts, error.kept())
    try:
        written: dict[str, _Written] = {}
        for key, text in texts.items():
            try:
                written[key] = _stage(staging, key, text())
            except StoreError as error:
                failed[key] = error.kept()
        staging.flush()
        if not store.traits.proves_published:
            failed |= _unproved(store, staging, written, proof)
        failed |= _publish(store, staging, {key: one for key, one in written.items() if key not in failed}, proof)
    except StoreError as error:
        return failed | dict.fromkeys(texts, error.kept())
    finally:
        staging.close()
    return failed


class _Written(NamedTuple):
    digest: Digest
    size_bytes: int


def _stage(staging: Staging, key: str, lines: Iterable[bytes]) -> _Written:
    hasher, size_bytes = sha256(), 0
    sink = staging.open(key, Entry(key, 0, 0, mode=_MODE))
    try:
        for piece in pieces(lines):
            hasher.update(piece)
            size_bytes += len(piece)
            sink.write(piece)
    except BaseException:
        sink.abort()
        raise
    sink.close()
    return _Written(Digest("sha256", hasher.hexdigest()), size_bytes)


def _publish(
    store: Store, staging: Staging, written: Mapping[str, _Written], proof: ProofKind
) -> dict[str, StoreError]:
    """Let them appear over what stands there, and look again where another writer was quicker; returns what failed."""
    failed: dict[str, StoreError] = {}
    lost: dict[str, StoreError] = {}
    waiting = list(written)
    for _ in range(_ATTEMPTS):
        standing, lost = _standing(store, waiting)
        results = staging.publish(standing)
        lost |= {key: result for key, result in results.items() if isinstance(result, StoreError)}
        there = {key: result for key, result in results.items() if isinstance(result, Entry)}
        for key, entry in there.items():
            if entry.size_bytes != written[key].size_bytes:
                failed[key] = FlushFailed("the stored file has another size", url=store.url, key=key)
        if store.traits.proves_published:
            failed |= _unproved(store, staging, {key: written[key] for key in there if key not in failed}, proof)
        waiting = [key for key, error in lost.items() if isinstance(error, Occupied | NotFound)]
        failed |= {key: error for key, error in lost.items() if key not in waiting}
        if not waiting:
            return failed
    return failed | {key: lost[key] for key in waiting}


def _unproved(
    store: Store, staging: Staging, written: Mapping[str, _Written], proof: ProofKind
) -> dict[str, StoreError]:
    """Which of them are not there as they were written, as far as anybody can tell; none of these is left there."""
    failed: dict[str, StoreError] = {}
    other = "what the destination read back is not what was written"
    for key, one in written.items():
        try:
            if not prove(staging, key, one.digest, proof):
                failed[key] = FlushFailed(other, url=store.url, key=key)
                staging.discard(key)
        except StoreError as error:
            failed.setdefault(key, error.kept())
    return failed


def copied(store: Store, key: str) -> Text:
    """What stands in another file of the store; opened for each try, for no reader need begin twice."""

    def text() -> Iterator[bytes]:
        with store.read(key) as reader:
            yield from map(bytes, reader.chunks())

    return text


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


def pieces(lines: Iterable[bytes]) -> Iterable[bytes]:
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
