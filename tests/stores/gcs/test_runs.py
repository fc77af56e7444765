"""Do whole runs work with buckets of Google's kind?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from coldchain.model import Place
from tests.stores.gcs.serving import Server
from tests.stores.objects.running import Runs


class TestRuns(Runs):
    checksums: ClassVar[set[str]] = set()
    server: Server

    @pytest.fixture
    def place(self, gcs: Server) -> Iterator[Place]:
        self.server = gcs
        bucket = gcs.bucket()
        yield Place("nas", f"gs://{bucket}/data", tuple(gcs.options().items()))
        gcs.remove(bucket)

    def theirs(self, place: Place, key: str, content: bytes) -> None:
        self.server.put(place.url.split("/")[2], f"data/{key}", content)

    def keys(self, place: Place) -> list[str]:
        return self.server.keys(place.url.split("/")[2])
