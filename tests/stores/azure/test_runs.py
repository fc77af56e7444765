"""Do whole runs work with containers of Azure's kind?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from coldchain.model import Place
from tests.stores.azure.serving import Server
from tests.stores.objects.running import Runs


class TestRuns(Runs):
    checksums: ClassVar[set[str]] = {"md5"}
    server: Server

    @pytest.fixture
    def place(self, azurite: Server) -> Iterator[Place]:
        self.server = azurite
        container = azurite.bucket()
        yield Place("nas", f"az://{container}/data", tuple(azurite.options().items()))
        azurite.remove(container)

    def theirs(self, place: Place, key: str, content: bytes) -> None:
        self.server.put(place.url.split("/")[2], f"data/{key}", content)

    def keys(self, place: Place) -> list[str]:
        return self.server.keys(place.url.split("/")[2])
