"""What does every test of the contract do with a store?"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from coldchain.errors import StoreError
from coldchain.model import OWN_FOLDER, Entry, Place
from coldchain.stores.base import CHUNK_BYTES, Reader, Staging, Store, open_store
from coldchain.stores.names import NameRules

OWNER = "contract"
MTIME_NS = 1_600_000_000_000_000_000


class Subject:
    """What a suite is told about the store; all but the fixture ``store`` has a default."""

    @pytest.fixture
    def store(self) -> Store:
        """The store to be tested: empty, and another one for each test."""
        raise NotImplementedError("override the fixture `store`: an empty store, another one for each test")

    def reopen(self, store: Store) -> Store:
        """Open the same place once more; by its URL, unless a suite knows better."""
        return open_store(Place("again", store.url))

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        """Change a stored file in place, behind the store's back, as an instrument does that writes on."""
        pytest.skip("this suite does not say how a file changes behind the store's back: override `tamper`")

    def remove_root(self, store: Store) -> None:
        """Let the root of the store be gone, as when a disk is pulled out."""
        pytest.skip("this suite does not say how the place is taken away: override `remove_root`")


def some_bytes(size_bytes: int, salt: int = 0) -> bytes:
    """Content in which no two pieces are alike at the same place."""
    pattern = bytes((n * 7 + salt) % 251 for n in range(251))
    return (pattern * (size_bytes // len(pattern) + 1))[:size_bytes]


def entry_for(key: str, content: bytes, mtime_ns: int = MTIME_NS, mode: int = 0) -> Entry:
    """The source entry of a content."""
    return Entry(key, len(content), mtime_ns, mode=mode)


@contextmanager
def staging_of(store: Store, owner: str = OWNER) -> Iterator[Staging]:
    """A staging that is closed in the end, whatever happens."""
    staging = store.stage(owner)
    try:
        yield staging
    finally:
        staging.close()


def put_in(staging: Staging, key: str, content: bytes, entry: Entry | None = None) -> None:
    """Write one file into a staging and close it."""
    sink = staging.open(key, entry or entry_for(key, content))
    for start in range(0, len(content), CHUNK_BYTES):
        sink.write(content[start : start + CHUNK_BYTES])
    sink.close()


def carry(store: Store, contents: Mapping[str, bytes], mtime_ns: int = MTIME_NS) -> dict[str, Entry]:
    """Stage, flush and publish files under names that are free; fails the test when one does not arrive."""
    with staging_of(store) as staging:
        for key, content in contents.items():
            put_in(staging, key, content, entry_for(key, content, mtime_ns))
        staging.flush()
        results = staging.publish(dict.fromkeys(contents))
    return {key: arrived(result) for key, result in results.items()}


def replace(store: Store, key: str, content: bytes, expected: Entry, mtime_ns: int = MTIME_NS) -> Entry | StoreError:
    """Stage, flush and publish one file in the place of another."""
    with staging_of(store) as staging:
        put_in(staging, key, content, entry_for(key, content, mtime_ns))
        staging.flush()
        return staging.publish({key: expected})[key]


def arrived(result: Entry | StoreError) -> Entry:
    """The entry, when there is one."""
    assert isinstance(result, Entry), f"not published: {result!r}"
    return result


def refused(result: Entry | StoreError) -> StoreError:
    """The error, when there is one."""
    assert isinstance(result, StoreError), f"published, and should not have been: {result!r}"
    return result


def joined(reader: Reader) -> bytes:
    """The whole content; each piece is copied at once, because it is valid only until the next."""
    return b"".join([bytes(chunk) for chunk in reader.chunks()])


def content_of(store: Store, key: str) -> bytes:
    """The whole content of a stored file."""
    with store.read(key) as reader:
        return joined(reader)


def visible(store: Store, prefix: str = "", owners: Iterable[str] = (OWNER,)) -> list[str]:
    """The keys in the order of the listing, without the temporary names of these owners."""
    keys = [item.path for item in store.list(prefix)]
    return [key for key in keys if not any(store.is_leftover(key, owner) for owner in owners)]


def everything(store: Store) -> list[str]:
    """Every key, temporary ones as well."""
    return [item.path for item in store.list()]


def in_one_form(rules: NameRules, keys: Iterable[str]) -> list[str]:
    """The keys, sorted; where a place may give back another form of a letter, all of them in the same form."""
    return sorted(unicodedata.normalize("NFC", key) if rules.folds_unicode else key for key in keys)


def own(name: str) -> bool:
    """Whether a top-level folder is coldchain's own, where a store may keep what it needs."""
    return name == OWN_FOLDER
