"""What is a server of buckets that can be killed and started again?"""

from __future__ import annotations

import contextlib
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.stores.s3.proxy import Proxy, proxied
from tests.stores.s3.serving import KEY, SECRET, Server, client_of, identity, seaweed, swept

_READY_S = 90.0


class Weed:
    """SeaweedFS on ports of its own; what it keeps lies in a folder, and outlives it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        self._command, self._port = seaweed(folder, identity("cold", KEY, SECRET))
        endpoint = f"http://127.0.0.1:{self._port}"
        self.server = Server(endpoint, client_of(endpoint))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """None while it is down."""
        return self._process.pid if self._process else None

    def begin(self) -> None:
        """Start it, if it is down; does not wait."""
        if self._process is None:
            with (self._folder / "log").open("ab") as log:
                self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self._folder)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait(self) -> None:
        """Until it answers, and lists what it has."""
        until = time.monotonic() + _READY_S
        while not self.answers():
            if time.monotonic() > until or (self._process and self._process.poll() is not None):
                raise TimeoutError(f"SeaweedFS does not start: see {self._folder / 'log'}")
            time.sleep(0.1)

    def answers(self) -> bool:
        """Whether it is up, in all its parts."""
        try:
            with urllib.request.urlopen(f"{self.server.endpoint}/healthz", timeout=2) as answer:
                if answer.status != 200:
                    return False
            for bucket in self.server.client.list_buckets()["Buckets"]:
                self.server.client.list_objects_v2(Bucket=bucket["Name"], MaxKeys=1)
        except Exception:  # not yet there, in any of its parts and ways
            return False
        return True

    def close(self) -> None:
        self.kill()
        swept(self._port)


@contextlib.contextmanager
def buckets(folder: Path) -> Iterator[tuple[Weed, Proxy]]:
    """A server, and the bad link to it."""
    weed = Weed(folder)
    weed.begin()
    try:
        weed.wait()
        with proxied(weed.server.endpoint) as proxy:
            yield weed, proxy
    finally:
        weed.close()
