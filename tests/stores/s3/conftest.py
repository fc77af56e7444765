"""Which servers do the tests of buckets talk to?

SeaweedFS checks signatures, checksums and conditions as Amazon does; moto keeps every key, and lists in Amazon's order.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("boto3", reason='buckets need packages: pip install "coldchain[s3]"')

from tests.ports import free_port
from tests.stores.s3.serving import KEY, READER, READER_SECRET, SECRET, Server, identity, seaweed, served, swept


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """SeaweedFS, for as long as the tests last."""
    folder = tmp_path_factory.mktemp("weed")
    command, port = seaweed(
        folder, identity("cold", KEY, SECRET), identity("ro", READER, READER_SECRET, "Read", "List")
    )
    yield from served(command, f"http://127.0.0.1:{port}", "/healthz", folder, cwd=folder)
    swept(port)


@pytest.fixture
def bucket(weed: Server) -> Iterator[str]:
    """The name of an empty bucket of SeaweedFS, which is gone after the test."""
    name = weed.bucket()
    yield name
    weed.remove(name)


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """moto, for as long as the tests last: strict about names and order, lax about rights and checksums."""
    pytest.importorskip("moto")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    folder = tmp_path_factory.mktemp("moto")
    yield from served(command, f"http://127.0.0.1:{port}", "/moto-api/", folder)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials come from the environment, and nothing from the home of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
