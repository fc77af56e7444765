"""How is a server of Google's kind started for tests?"""

from __future__ import annotations

import contextlib
import urllib.request
import uuid
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.api_core.exceptions import NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage  # type: ignore[import-untyped]

from coldchain.stores.gcs.store import GcsStore
from coldchain.stores.objects.patience import Patience
from tests.ports import free_port
from tests.stores.objects.serving import process

HASTY = Patience(tries=4, first_wait_s=0.02, longest_wait_s=0.1, away_s=0, connect_s=2, read_s=10)


@dataclass(frozen=True)
class Server:
    """A server that speaks Google's protocol, and a client apart from what is tested."""

    endpoint: str
    client: Any = field(repr=False)
    process: Any = field(repr=False, default=None)

    def bucket(self) -> str:
        """A new bucket."""
        name = f"test-{uuid.uuid4().hex[:16]}"
        self.client.create_bucket(name)
        return name

    def remove(self, bucket: str) -> None:
        """Remove a bucket with all that it holds, if it is there."""
        with contextlib.suppress(NotFound):
            for blob in list(self.client.list_blobs(bucket)):
                blob.delete()
            self.client.bucket(bucket).delete()

    def options(self, **more: str) -> dict[str, str]:
        """What a configuration would say."""
        return {"endpoint": self.endpoint, "anonymous": "true", **more}

    def store(self, bucket: str, folder: str = "", **more: str) -> GcsStore:
        """The bucket, or a folder in it, as a store."""
        url = f"gs://{bucket}/{folder}" if folder else f"gs://{bucket}"
        return GcsStore(url, options=self.options(**more), patience=HASTY)

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Somebody else's object."""
        self.client.bucket(bucket).blob(key).upload_from_string(content)

    def keys(self, bucket: str) -> list[str]:
        """All keys."""
        return [blob.name for blob in self.client.list_blobs(bucket)]


def client_of(endpoint: str) -> Any:
    """A client of these tests."""
    nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
    return storage.Client(project="p", credentials=nobody, client_options={"api_endpoint": endpoint})


def served(program: Path, folder: Path) -> Generator[Server, None, None]:
    """Start the program, wait until it answers, and end it."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [
        *(str(program), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)),
        *("-external-url", endpoint, "-public-host", f"127.0.0.1:{port}", "-backend", "memory", "-log-level", "error"),
    ]
    with process(command, folder, lambda: _answers(f"{endpoint}/_internal/healthcheck"), cwd=folder) as running:
        yield Server(endpoint, client_of(endpoint), running)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
