"""What do the tests of the fakes share?"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coldchain.errors import StoreError
from coldchain.testing import MemoryStore
from coldchain.testing.contract import StoreContract


@pytest.fixture
def memory() -> Iterator[MemoryStore]:
    """An empty place in memory."""
    store = MemoryStore(f"memory://{uuid.uuid4()}")
    yield store
    store.forget()


class Suite(StoreContract):
    """The contract as it is run against places in memory, mutants among them."""

    def tamper(self, store: Any, key: str, content: bytes) -> None:
        store.put(key, content)

    def remove_root(self, store: Any) -> None:
        store.unplug()


@pytest.fixture
def contract_notices() -> Callable[[type[MemoryStore], str, dict[str, Any]], bool]:
    """Says whether a test of the contract fails for a mutant; it must not fail for a store without a fault."""

    def fails(kind: type[MemoryStore], test: str, arguments: dict[str, Any]) -> bool:
        url = f"memory://{uuid.uuid4()}"
        try:
            getattr(Suite(), test)(kind(url), **arguments)
        except (AssertionError, pytest.fail.Exception, StoreError, TypeError):
            return True
        finally:
            MemoryStore(url).forget()
        return False

    def notices(mutant: type[MemoryStore], test: str, arguments: dict[str, Any]) -> bool:
        return fails(mutant, test, arguments) and not fails(MemoryStore, test, arguments)

    return notices
