"""What stands under a name, and does the way there lead through plain folders only?

The server follows links in every folder of a path.  So each folder above a name is looked at once, and a link among
them is refused.  Between the look and the use somebody with the right to do so can still swap a folder for a link.
"""

from __future__ import annotations

import asyncio

import asyncssh

from coldchain.errors import NotAFile, NotFound
from coldchain.model import Entry, Oddity
from coldchain.stores.sftp.channel import Channel
from coldchain.stores.sftp.keys import above, is_folder, is_link, seen

NOTHING = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory)
"""Nothing stands there; asyncssh has further names for it, which only newer protocols know."""
_REMEMBERED = 10_000


class Ways:
    """Which folders were seen to be folders; used in the event loop, but for ``forget``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._real: set[str] = set()

    def forget(self) -> None:
        """Look again from now on."""
        self._real = set()

    async def check(self, channel: Channel, key: str) -> None:
        """Raise NotFound or NotAFile when ``key`` does not lie in plain folders."""
        channel.path(key)
        real = self._real
        unseen = [folder for folder in above(key) if folder not in real]
        if not unseen:
            return
        looks = (look(channel, channel.path(folder)) for folder in unseen)
        for folder, found in zip(unseen, await asyncio.gather(*looks), strict=True):
            if found is not None and is_link(found):
                raise NotAFile("a symbolic link stands there; links are not followed", url=self._url, key=key)
            if found is None or not is_folder(found):
                raise NotFound("not there", url=self._url, key=key)
            if len(real) > _REMEMBERED:
                real.clear()
            real.add(folder)

    async def see(self, channel: Channel, key: str) -> Entry | Oddity:
        """What stands under ``key``; raises NotFound."""
        await self.check(channel, key)
        found = await look(channel, channel.path(key))
        if found is None:
            raise NotFound("not there", url=self._url, key=key)
        return seen(key, found)

    async def entry(self, channel: Channel, key: str) -> Entry:
        """The file under ``key``; raises NotFound, NotAFile."""
        found = await self.see(channel, key)
        if isinstance(found, Oddity):
            raise NotAFile(found.reason, url=self._url, key=key)
        return found


async def look(channel: Channel, path: bytes) -> asyncssh.SFTPAttrs | None:
    """What the server says of a name, links not followed; None when nothing stands there."""
    try:
        return await channel.ask(channel.client.lstat(path))
    except NOTHING:
        return None
