"""How is a server of Azure's kind started for tests?"""

from __future__ import annotations

import contextlib
import socket
import uuid
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from coldchain.stores.azure.store import AzureStore
from coldchain.stores.objects.patience import Patience
from tests.ports import free_port
from tests.stores.objects.serving import process

ACCOUNT = "coldacct"
KEY = "Y2FuYXJ5LWNvbGRjaGFpbi10ZXN0cy1zZWNyZXQta2V5ISE="  # not secret: of a server that lives as long as the tests
HASTY = Patience(tries=4, first_wait_s=0.02, longest_wait_s=0.1, away_s=0, connect_s=2, read_s=10)


@dataclass(frozen=True)
class Server:
    """A server that speaks Azure's protocol, and a client apart from what is tested."""

    endpoint: str
    client: Any = field(repr=False)
    process: Any = field(repr=False, default=None)

    def bucket(self) -> str:
        """A new container, which others call a bucket."""
        name = f"test-{uuid.uuid4().hex[:16]}"
        self.client.create_container(name)
        return name

    def remove(self, container: str) -> None:
        """Remove a container with all that it holds, if it is there."""
        with contextlib.suppress(ResourceNotFoundError):
            self.client.delete_container(container)

    def options(self, **more: str) -> dict[str, str]:
        """What a configuration would say."""
        return {"endpoint": self.endpoint, "account": ACCOUNT, **more}

    def store(self, container: str, folder: str = "", **more: str) -> AzureStore:
        """The container, or a folder in it, as a store."""
        url = f"az://{container}/{folder}" if folder else f"az://{container}"
        return AzureStore(url, options=self.options(**more), patience=HASTY)

    def put(self, container: str, key: str, content: bytes, **more: Any) -> None:
        """Somebody else's blob."""
        self.client.get_blob_client(container, key).upload_blob(content, overwrite=True, **more)

    def keys(self, container: str, **more: Any) -> list[str]:
        """All names."""
        return [blob.name for blob in self.client.get_container_client(container).list_blobs(**more)]


def client_of(endpoint: str) -> Any:
    """A client of these tests."""
    return BlobServiceClient(endpoint, credential={"account_name": ACCOUNT, "account_key": KEY})


def served(program: Path, folder: Path) -> Generator[Server, None, None]:
    """Start the program, wait until it answers, and end it."""
    port = free_port()
    command = [
        *(str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port)),
        *("--silent", "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence"),
    ]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    with process(command, folder, lambda: _listens(port), cwd=folder, env=environment) as running:
        endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        yield Server(endpoint, client_of(endpoint), running)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
