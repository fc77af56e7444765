"""Which places do the tests of the local store run in?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coldchain.stores.local.store import LocalStore
from tests.stores.local.carrying import ROOTS, Mounts


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def store(place: Path) -> Iterator[LocalStore]:
    """A folder as this system opens it."""
    store = LocalStore(str(place))
    yield store
    store.close()


@pytest.fixture(params=ROOTS)
def both(request: pytest.FixtureRequest, place: Path) -> Iterator[LocalStore]:
    """A folder by descriptors, and by paths as Windows has it."""
    store = LocalStore(str(place), ROOTS[request.param])
    yield store
    store.close()


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Mounts]:
    with Mounts(tmp_path) as mounts:
        yield mounts
