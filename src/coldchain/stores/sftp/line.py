"""How do threads use one connection, which is made anew when it is lost?"""

from __future__ import annotations

import asyncio
import random
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from itertools import count
from typing import Any, TypeVar

import asyncssh

from coldchain.errors import StoreError, StoreGone, Unreliable
from coldchain.stores.away import Away
from coldchain.stores.sftp.channel import Channel
from coldchain.stores.sftp.connecting import connect
from coldchain.stores.sftp.trouble import LOST, is_final, lost, told, unreachable
from coldchain.stores.sftp.where import Patience, Where

T = TypeVar("T")
Deed = Callable[[Channel], Awaitable[T]]
"""What is done in a session: may be done again from the start when the connection was lost."""
AT_ONCE = 64
_CLOSING_S = 10


class _Over(Exception):
    """The session ended while a deed was under way."""


class _Wire:
    """The part that lives in the event loop."""

    def __init__(self, where: Where, patience: Patience) -> None:
        self._where, self._patience = where, patience
        self._channel: Channel | None = None
        self._watch: asyncio.Task[None] | None = None
        self._making: asyncio.Task[Channel] | None = None
        self._was_there = False
        self._away = Away(patience.gone_s)
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def perform(self, deed: Deed[T], key: str, tries: int) -> T:
        """Do it, again where the connection was lost; raises StoreError."""
        async with self._slots:
            for tried in count(1):
                channel = await self._there()
                try:
                    return await self._within(channel, deed)
                except asyncssh.SFTPError as error:
                    if not isinstance(error, LOST):
                        raise await self._told(channel, error, key) from error
                    cause: BaseException = error
                except (*LOST, _Over) as error:
                    if is_final(error):
                        raise
                    cause = error
                channel.end()
                if tried >= tries:
                    raise _about(lost(cause, self._where), key) from cause
                await asyncio.sleep(self._wait_s(tried))
        raise AssertionError("it was done or not")

    async def _told(self, channel: Channel, error: asyncssh.SFTPError, key: str) -> StoreError:
        try:
            return await told(channel, error, url=self._where.url, key=key)
        except (*LOST, asyncssh.SFTPError) as other:
            return _about(lost(other, self._where), key)

    @staticmethod
    async def _within(channel: Channel, deed: Deed[T]) -> T:
        """A request that is sent into a session that just ended is never answered, so its end is waited for as well."""
        task = asyncio.ensure_future(deed(channel))
        try:
            futures: set[asyncio.Future[Any]] = {task, channel.over}
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise _Over("it no longer answers")
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _there(self) -> Channel:
        if self._channel is not None and not self._channel.over.done():
            return self._channel
        if self._making is None or self._making.done():
            self._making = asyncio.ensure_future(self._make())
        return await asyncio.shield(self._making)

    async def _make(self) -> Channel:
        """Connect; a connection that was there before is tried for longer, for a server may just be restarting."""
        self._away.recall()
        gone = StoreGone("it was never tried", url=self._where.url)
        for tried in range(1, (self._patience.connects if self._was_there else 2) + 1):
            if tried > 1:
                await asyncio.sleep(self._wait_s(tried - 1))
            try:
                channel = await connect(self._where, self._patience)
            except (*LOST, asyncssh.Error) as error:
                if is_final(error):
                    raise
                gone = unreachable(error, self._where)
                continue
            self._channel, self._was_there = channel, True
            self._away.forget()
            self._watch = asyncio.ensure_future(channel.watch(self._patience.stall_s))
            return channel
        self._away.remember(gone)
        raise gone

    def _wait_s(self, tried: int) -> float:
        waits: float = min(self._patience.longest_wait_s, self._patience.first_wait_s * 2 ** (tried - 1))
        return waits * random.uniform(0.5, 1)  # noqa: S311 - keeps many from coming back at once

    async def close(self) -> None:
        """End the session properly."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        if self._watch is not None and self._channel is not None:
            self._channel.end()
            await asyncio.wait({self._watch})
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class Line:
    """A connection to one server, with a thread of its own; shared by all that have the same place open."""

    def __init__(self, where: Where, patience: Patience) -> None:
        self.url = where.url
        self._patience = patience
        self._loop = asyncio.new_event_loop()
        self._wire = _Wire(where, patience)
        self._thread = threading.Thread(target=_live, args=(self._loop,), name="sftp", daemon=True)
        self._thread.start()
        self._close = weakref.finalize(self, _end, self._loop, self._wire, self._thread)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop, for what is handed over while a deed is under way."""
        return self._loop

    def submit(self, deed: Deed[T], key: str = "", *, tries: int = 0) -> Future[T]:
        """Let a deed be done; ``tries`` is 1 for what cannot be done again."""
        work = self._wire.perform(deed, key, tries or self._patience.tries)
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, deed: Deed[T], key: str = "", *, tries: int = 0) -> T:
        """Do a deed; raises StoreError, ConfigurationError."""
        return self.result(self.submit(deed, key, tries=tries), key)

    def result(self, future: Future[T], key: str = "") -> T:
        """Wait for a deed."""
        try:
            return future.result()
        except CancelledError:
            raise Unreliable("the connection was closed", url=self.url, key=key) from None
        except StoreError as error:
            raise _about(error, key, self.url) from error
        except BaseException:
            future.cancel()
            raise


def _about(error: StoreError, key: str, url: str = "") -> StoreError:
    """The same for one key of one place; many may wait for one error."""
    return type(error)(error.reason, url=error.url or url, key=error.key or key)


def _live(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _end(loop: asyncio.AbstractEventLoop, wire: _Wire, thread: threading.Thread) -> None:
    """Close the connection; also called by the collector of garbage, in whatever thread that is."""
    if loop.is_closed():
        return

    async def end() -> None:
        try:
            await asyncio.wait_for(wire.close(), _CLOSING_S)
        finally:
            loop.stop()

    work: Any = asyncio.run_coroutine_threadsafe(end(), loop)
    del work
    if threading.current_thread() is not thread:
        thread.join(_CLOSING_S)


# A run opens a place anew for every batch.  Whoever still has it open lends the others the connection.
_open: weakref.WeakValueDictionary[tuple[Where, Patience], Line] = weakref.WeakValueDictionary()
_opening = threading.Lock()


def line_to(where: Where, patience: Patience) -> Line:
    """The connection that somebody has already, or a new one; nothing is sent yet."""
    with _opening:
        line = _open.get((where, patience))
        if line is None:
            line = _open[where, patience] = Line(where, patience)
        return line
