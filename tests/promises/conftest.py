"""In which laboratory do the promises have to be kept?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises.lab import Lab
from tests.stores.local.carrying import Mounts


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A source, one destination that is called nas, a configuration."""
    return Lab(tmp_path / "lab")


@pytest.fixture
def two(tmp_path: Path) -> Lab:
    """The same with two destinations: nas and usb."""
    return Lab(tmp_path / "two", ("nas", "usb"))


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Mounts]:
    with Mounts(tmp_path) as mounts:
        yield mounts
