"""Which server do the tests of Azure's containers talk to?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("azure.storage.blob", reason='az:// needs packages: pip install "coldchain[azure]"')

from tests.stores.azure.serving import KEY, Server, served


def program() -> Path:
    """Azurite, where ``scripts/install_test_servers.sh`` puts it, or in the PATH."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    installed = cache / "coldchain" / "azurite" / "node_modules" / ".bin"
    found = shutil.which("azurite-blob", path=os.pathsep.join([str(installed), os.environ["PATH"]]))
    if found is None:
        pytest.skip("no Azurite: scripts/install_test_servers.sh installs it by npm")
    return Path(found)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Azurite, for as long as the tests last: it checks keys, conditions and the MD5 of blobs and blocks."""
    yield from served(program(), tmp_path_factory.mktemp("azurite"))


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials come from the environment, and nothing from whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_STORAGE_KEY", KEY)
