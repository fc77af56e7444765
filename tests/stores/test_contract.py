"""Does every kind of store keep the contract?  One class a kind."""

from __future__ import annotations

import shutil
import unicodedata
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from coldchain.model import Place
from coldchain.stores.base import Store, Traits, open_store
from coldchain.stores.names import NameRules
from coldchain.testing import FaultyStore, ForgetfulStore, LyingStore, MemoryStore, SlowStore
from coldchain.testing.contract import StoreContract


class InMemory(StoreContract):
    """What all places in memory share; the fixture ``memory`` is the place itself."""

    @pytest.fixture
    def memory(self) -> Iterator[MemoryStore]:
        memory = MemoryStore(f"memory://{uuid.uuid4()}")
        yield memory
        memory.forget()

    @pytest.fixture
    def store(self, memory: MemoryStore) -> Store:
        return memory

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        MemoryStore(store.url).put(key, content)

    def remove_root(self, store: Store) -> None:
        MemoryStore(store.url).unplug()


class TestMemoryStore(InMemory):
    pass


class TestMemoryLikeNtfs(InMemory):
    """A place that folds case, refuses names and keeps times coarsely."""

    @pytest.fixture
    def store(self, memory: MemoryStore) -> Store:
        rules = NameRules(
            folds_case=True,
            forbidden='"*:<>?|\\',
            control_characters=False,
            trailing_dot=False,
            trailing_space=False,
            reserved_words=False,
            invalid_utf8=False,
            limit_unit="utf-16",
        )
        return MemoryStore(memory.url, rules=rules, traits=Traits(mtime_step_ns=2_000_000_000))


class TestMemoryLikeHfs(InMemory):
    """A place that folds case and Unicode form, and gives names back in another form."""

    @pytest.fixture
    def store(self, memory: MemoryStore) -> Store:
        rules = NameRules(folds_case=True, folds_unicode=True, invalid_utf8=False, limit_unit="utf-16")
        return MemoryStore(memory.url, rules=rules, respell=partial(unicodedata.normalize, "NFD"))


class TestFaultyStore(InMemory):
    @pytest.fixture
    def store(self, memory: MemoryStore) -> Store:
        return FaultyStore(memory)


class TestLyingStore(InMemory):
    @pytest.fixture
    def store(self, memory: MemoryStore) -> Store:
        return LyingStore(memory)


class TestSlowStore(InMemory):
    @pytest.fixture
    def store(self, memory: MemoryStore) -> Store:
        return SlowStore(memory)


class TestForgetfulStore(InMemory):
    @pytest.fixture
    def store(self, memory: MemoryStore) -> Store:
        return ForgetfulStore(memory)


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        folder = tmp_path / "place"
        folder.mkdir()
        store = open_store(Place("place", str(folder)))
        yield store
        store.close()

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        Path(store.url, key).write_bytes(content)

    def remove_root(self, store: Store) -> None:
        store.close()
        shutil.rmtree(store.url)
