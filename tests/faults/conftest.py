"""Where do the fault tests play?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.gate import Gate
from tests.faults.world import World
from tests.stores.local.carrying import Mounts


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Mounts]:
    with Mounts(tmp_path) as mounts:
        yield mounts


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a flush of a shared disk waits for everybody's writing."""
    memory = Path("/dev/shm")
    folder = memory / f"coldchain-{os.getpid()}-{tmp_path.name}" if memory.is_dir() else tmp_path / "stage"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)
