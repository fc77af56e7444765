"""What does the manifest that stands there say, and how is it kept before another list of files takes its place?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256

from coldchain.config.schema import DIGESTS
from coldchain.errors import NotFound, Occupied, StoreError
from coldchain.ledger.manifest import ManifestHeader, Told, generation_key, sums_lines
from coldchain.ledger.manifest_read import lines_of, read_manifest, read_whole_manifest
from coldchain.model import Entry, Record
from coldchain.steps.deliver import Text, copied, pieces
from coldchain.stores.base import Store

_MODE = 0o644
_ATTEMPTS = 5

Texts = Mapping[str, Text]
"""By key."""


@dataclass(slots=True)
class Standing:
    """What was learnt from a manifest by reading it once, beside what the ledger holds."""

    key: str = ""
    """"" when none stands there."""
    told: Told | None = None
    units: list[dict[str, object]] = field(default_factory=list)
    """Empty when the ledger knows better."""
    others: list[Record] = field(default_factory=list)
    """What it lists under keys that are not ours, ascending by path and key."""
    differs: bool = False
    """The ledger holds a file that it does not list, or lists with another size or digest."""
    algorithms: set[str] = field(default_factory=set)
    """The digests of what it lists, of those that there are programs for."""

    @property
    def sealed(self) -> bool:
        """Whether it tells of a whole dataset."""
        return self.told is not None and self.told.sealed


def place(record: Record) -> tuple[str, str]:
    """By what the files of a manifest are ordered."""
    return record.path, record.key


def read_standing(
    store: Store, key: str, dataset: str, mine: Iterator[Record], *, units: bool, past_cache: bool = False
) -> Standing:
    """Read the manifest under ``key``, with its units if they are wanted; raises StoreError, ManifestDamaged.

    One of another dataset, whose name the place takes for the same, is Occupied: it is the only way back to that (P8).
    """
    try:
        with store.read(key, past_cache=past_cache) as reader:
            header, listed_units, listed = read_whole_manifest(lines_of(reader.chunks()), key)
            if header.dataset != dataset:
                deque(listed, maxlen=0)  # one that is damaged may have any name
                raise Occupied(
                    f"the manifest of {header.dataset!r} lies under this name: if the place confuses the two, "
                    "rename one; else move that file away",
                    url=store.url,
                    key=key,
                )
            standing = Standing(key, header.acquisition)
            if units and header.acquisition is not None:
                standing.units = list(listed_units)
            _compare(standing, listed, mine)
            return standing
    except NotFound:
        return Standing()


def _compare(standing: Standing, listed: Iterator[Record], mine: Iterator[Record]) -> None:
    own = next(mine, None)
    for record in listed:
        if record.digest.algorithm in DIGESTS:
            standing.algorithms.add(record.digest.algorithm)
        while own is not None and place(own) < place(record):
            standing.differs = True
            own = next(mine, None)
        if own is None or place(own) != place(record):
            standing.others.append(record)
            continue
        standing.differs |= (own.size_bytes, own.digest) != (record.size_bytes, record.digest)
        own = next(mine, None)
    standing.differs |= own is not None


def keep_generation(store: Store, standing: Standing, header: ManifestHeader, owner: str) -> int:
    """Keep the manifest that stands there, and its sums, under the number of its generation, durably.

    Nothing is ever written over: where something else has that number, the next free one is taken.  Returns the
    number.  When this was cut short the same call goes on from there.  Raises StoreError.
    """
    number = standing.told.generation if standing.told else 1
    for _ in range(_ATTEMPTS):
        texts = _texts(store, standing, header, number)
        absent = _absent(store, texts)
        while absent is None:
            number += 1
            texts = _texts(store, standing, header, number)
            absent = _absent(store, texts)
        if not absent:
            return number  # what was written was also read and compared
        _write_new(store, {key: texts[key] for key in absent}, owner)
    raise StoreError("an earlier generation of it could not be kept", url=store.url, key=standing.key)


def _texts(store: Store, standing: Standing, header: ManifestHeader, number: int) -> Texts:
    """The sums are made from the manifest: those beside it may be newer already, when a run was cut short."""
    key = standing.key

    def sums(algorithm: str) -> Iterator[bytes]:
        with store.read(key) as reader:
            yield from sums_lines(read_manifest(lines_of(reader.chunks()), key)[1], algorithm)

    def made(algorithm: str) -> Callable[[], Iterator[bytes]]:
        return lambda: sums(algorithm)

    made_of = {algorithm: made(algorithm) for algorithm in sorted(standing.algorithms)} | {"json": copied(store, key)}
    return {generation_key(header.job, header.dataset, number, ending): make for ending, make in made_of.items()}


def _absent(store: Store, texts: Texts) -> list[str] | None:
    """Which of them are not there yet; None when another content stands under one of the keys."""
    absent = []
    for key, make in texts.items():
        try:
            with store.read(key) as reader:
                found = _digest(bytes(chunk) for chunk in reader.chunks())
        except NotFound:
            absent.append(key)
            continue
        if found != _digest(make()):
            return None
    return absent


def _digest(chunks: Iterable[bytes]) -> bytes:
    hasher = sha256()
    for chunk in chunks:
        hasher.update(chunk)
    return hasher.digest()


def _write_new(store: Store, texts: Texts, owner: str) -> None:
    """Write files where nothing stands; who was quicker is looked at by the caller."""
    with closing(store.stage(owner)) as staging:
        for key, make in texts.items():
            sink = staging.open(key, Entry(key, 0, 0, mode=_MODE))
            try:
                for piece in pieces(make()):
                    sink.write(piece)
            except BaseException:
                sink.abort()
                raise
            sink.close()
        staging.flush()
        results = staging.publish(dict.fromkeys(texts))
    for result in results.values():
        if isinstance(result, StoreError) and not isinstance(result, (Occupied, NotFound)):
            raise result
