"""How is an SFTP server made that lacks what OpenSSH has, or fails as it is told?  It is asyncssh's own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh

from coldchain.stores.sftp.store import SftpStore
from coldchain.stores.sftp.where import Patience
from tests.stores.sftp.serving import HASTY

PASSWORD = "canary-8d1f0c-password"  # of a server that lives as long as a test


class Orders:
    """What the server shall do; may be changed while it runs."""

    def __init__(self) -> None:
        self.fail_write: BaseException | None = None
        self.after_writes = 0
        self.fail_sync: BaseException | None = None
        self.stall: threading.Event | None = None
        self.writes = self.logins = 0
        self.hang_up = 0
        self.connections: list[asyncssh.SSHServerConnection] = []


class _Doors(asyncssh.SSHServer):
    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._orders.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._orders.logins += 1
        return (username, password) == ("cold", PASSWORD)


def _server(orders: Orders) -> Any:
    class Failing(asyncssh.SFTPServer):
        def __init__(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
            super().__init__(chan)
            if orders.hang_up:
                orders.hang_up -= 1
                orders.connections[-1].abort()

        def write(self, file_obj: object, offset: int, data: bytes) -> int:
            orders.writes += 1
            if orders.fail_write is not None and orders.writes > orders.after_writes:
                raise orders.fail_write
            return super().write(file_obj, offset, data)  # type: ignore[return-value]

        def fsync(self, file_obj: object) -> None:
            if orders.fail_sync is not None:
                raise orders.fail_sync
            super().fsync(file_obj)

        async def lstat(self, path: bytes) -> Any:
            while orders.stall is not None and not orders.stall.is_set():
                await asyncio.sleep(0.02)
            return os.lstat(path)

    return Failing


class Server:
    """One in this process, in an event loop of its own."""

    def __init__(self, folder: Path, *, extensions: bool = True) -> None:
        self.orders = Orders()
        self._folder, self._extensions = folder, extensions
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        self._acceptor = self._do(self._listen())
        self.port = self._acceptor.get_port()
        self.known_hosts = folder / "known_hosts"
        public = self._key.export_public_key().decode().strip()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public}\n")

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[self._key],
            server_factory=lambda: _Doors(self.orders),
            sftp_factory=_server(self.orders),
            allow_scp=False,
        )

    def url(self, root: Path) -> str:
        return f"sftp://cold@127.0.0.1:{self.port}{root}"

    def options(self) -> dict[str, str]:
        return {"known_hosts": str(self.known_hosts), "credentials": "env:COLDTEST"}

    def store(self, root: Path, patience: Patience = HASTY) -> SftpStore:
        return SftpStore(self.url(root), options=self.options(), patience=patience)

    def stop(self) -> None:
        async def close() -> None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
            for connection in self.orders.connections:
                connection.abort()
                await connection.wait_closed()
            await asyncio.sleep(0)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self._do(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def served(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()
