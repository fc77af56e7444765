"""Which servers do the tests of shares talk to?"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

pytest.importorskip("smbprotocol", reason='shares need a package: pip install "coldchain[smb]"')
os.environ["PATH"] += ":/usr/sbin"

from tests.stores.smb.serving import PASSWORD, PREFIX, USER, Server, served


@pytest.fixture(scope="session")
def samba() -> Iterator[Server]:
    """One for all tests that leave it alone."""
    yield from served()


@pytest.fixture
def own_samba() -> Iterator[Server]:
    """One that a test may stop, kill and start."""
    yield from served()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}_USER", USER)
    monkeypatch.setenv(f"{PREFIX}_PASSWORD", PASSWORD)
