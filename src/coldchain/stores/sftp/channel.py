"""How is one SFTP session asked, so that a server that owes every answer is noticed?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

import asyncssh

from coldchain.stores.sftp.keys import encoded
from coldchain.stores.sftp.where import Where

T = TypeVar("T")


class Channel:
    """One session; used in the event loop only.  Errors are those of asyncssh."""

    def __init__(self, where: Where, ssh: asyncssh.SSHClientConnection, client: asyncssh.SFTPClient) -> None:
        self.client = client
        self.root = where.root
        self.unsupported: set[str] = set()
        """What this server was found not to offer."""
        self.flushes_folders: bool | None = None
        """None as long as that was not tried."""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when nothing more can be expected of this session."""
        self._url, self._ssh = where.url, ssh
        self._owed, self._since = 0, 0.0
        self._aside: set[asyncio.Task[None]] = set()

    def path(self, key: str) -> bytes:
        """Where a key, or "" for the root, lies on the server; raises NameRefused."""
        return self.root + b"/" + encoded(key, self._url) if key else self.root or b"/"

    async def ask(self, request: Awaitable[T]) -> T:
        """Wait for one answer."""
        now = asyncio.get_running_loop().time
        if not self._owed:
            self._since = now()
        self._owed += 1
        try:
            return await request
        finally:
            self._owed -= 1
            self._since = now()

    async def names(self, path: bytes) -> list[asyncssh.SFTPName]:
        """All that lies in a folder, without itself and the one above."""
        now = asyncio.get_running_loop().time
        found = []

        async def each() -> None:
            async for name in self.client.scandir(path):
                self._since = now()
                if name.filename not in {b".", b".."}:
                    found.append(name)

        await self.ask(each())
        return found

    async def handle(self, path: bytes, flags: int, mode: int | None = None) -> asyncssh.SFTPClientFile:
        """Open a file; whoever does closes it."""
        attributes = asyncssh.SFTPAttrs() if mode is None else asyncssh.SFTPAttrs(permissions=mode)
        # with blocks of asyncssh's own, a write would be sent after the close that follows it
        return await self.ask(self.client.open(path, flags, attributes, encoding=None, block_size=0))

    def aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for."""
        task = asyncio.ensure_future(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    @property
    def fingerprint(self) -> str:
        """That of the server's key, which was found in known_hosts."""
        key = self._ssh.get_server_host_key()
        return key.get_fingerprint() if key else ""

    async def watch(self, stall_s: float) -> None:
        """End the session when nothing was answered for so long, or when the connection is closed."""
        closed = asyncio.ensure_future(self._ssh.wait_closed())
        try:
            while not (await asyncio.wait({closed}, timeout=stall_s / 4))[0]:
                if self._owed and asyncio.get_running_loop().time() - self._since > stall_s:
                    break
        finally:
            closed.cancel()
            self.end()

    def end(self) -> None:
        """Let go of the connection at once."""
        if not self.over.done():
            self.over.set_result(None)
        self._ssh.abort()
