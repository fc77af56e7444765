"""What does the file system behind a server do to names?

Small files are made under telling names in ``.coldchain/probe-<random>/``, which is listed once and removed.  A name is
kept only when the listing shows it as it was given.
"""

from __future__ import annotations

import asyncio
import contextlib
import unicodedata

import asyncssh

from coldchain.errors import Unreliable
from coldchain.model import OWN_FOLDER
from coldchain.stores.names import NameRules
from coldchain.stores.probing import abandoned, probing_folder
from coldchain.stores.sftp.channel import Channel
from coldchain.stores.sftp.keys import decoded, encoded, is_folder
from coldchain.stores.sftp.looking import NOTHING, look
from coldchain.stores.sftp.trouble import LOST

_PLAIN = "fold"
_UMLAUT, _COMPOSED = "\u00e4", "\u00e9"
_DECOMPOSED = unicodedata.normalize("NFD", _COMPOSED)
_SPECIAL = {character: f"{number}{character}x" for number, character in enumerate('<>:"|?*\\')}
_CONTROL = "c\x01\n\x1fx"
_RESERVED = ("CON", "nul.txt")
_DOT, _SPACE = "dot.", "space "
_INVALID = "i\udce9\udcff"
_LIMIT = 255
_LONG, _LONG_UTF_16 = "n" * _LIMIT, "\u4e2d" * _LIMIT
_NAMES = (
    *(_UMLAUT, _COMPOSED, *_SPECIAL.values(), _CONTROL),
    *(*_RESERVED, _DOT, _SPACE, _INVALID, _LONG, _LONG_UTF_16),
)
_NEW = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL


class Probe:
    """One question to a place; asked again where the connection was lost, and then nothing of the first try stays."""

    def __init__(self) -> None:
        self._made = False
        self._tried: list[str] = []

    async def names(self, channel: Channel) -> NameRules:
        """Find out; raises an error when the place cannot be written, and leaves nothing behind."""
        own, mine = channel.path(OWN_FOLDER), probing_folder()
        if await look(channel, own) is None:
            self._made = True
            await channel.ask(channel.client.mkdir(own))
        try:
            self._tried.append(mine)
            await channel.ask(channel.client.mkdir(channel.path(mine)))
            try:
                return await _probe(channel, channel.path(mine))
            finally:
                await self._sweep(channel, mine)
        finally:
            if self._made:
                with contextlib.suppress(asyncssh.SFTPError):  # another process put something there meanwhile
                    await channel.ask(channel.client.rmdir(own))

    async def _sweep(self, channel: Channel, mine: str) -> None:
        """Remove what it made, in this try and others, and what probes left that were ended."""
        names = [name for name in await channel.names(channel.path(OWN_FOLDER)) if is_folder(name.attrs)]
        here = {f"{OWN_FOLDER}/{decoded(_bytes_of(name))}": float(name.attrs.mtime or 0) for name in names}
        for folder in {*self._tried, *abandoned(here, mine)} & here.keys():
            await _clear(channel, channel.path(folder))


async def _probe(channel: Channel, folder: bytes) -> NameRules:
    await _make(channel, folder, _PLAIN)
    await asyncio.gather(*(_try(channel, folder, name) for name in _NAMES))
    kept = await _kept(channel, folder)
    if _PLAIN not in kept:
        raise Unreliable("a file that was just made does not show up in its folder")
    looks = (_stands(channel, folder, name) for name in (_PLAIN.upper(), _UMLAUT.upper(), _DECOMPOSED))
    plain, umlaut, decomposed = await asyncio.gather(*looks)
    return NameRules(
        folds_case=plain or umlaut,
        folds_unicode=_COMPOSED not in kept or decomposed,
        forbidden="".join(character for character, name in _SPECIAL.items() if name not in kept),
        control_characters=_CONTROL in kept,
        trailing_dot=_DOT in kept,
        trailing_space=_SPACE in kept,
        reserved_words=kept.issuperset(_RESERVED),
        invalid_utf8=_INVALID in kept,
        name_limit=_LIMIT if _LONG in kept else await _longest(channel, folder),
        limit_unit="utf-16" if _LONG_UTF_16 in kept else "bytes",
    )


async def _make(channel: Channel, folder: bytes, name: str) -> None:
    file = await channel.handle(folder + b"/" + encoded(name), _NEW)
    await channel.ask(file.close())


async def _try(channel: Channel, folder: bytes, name: str) -> None:
    """A name that is refused is not listed; that the place itself can be written is known by then."""
    try:
        await _make(channel, folder, name)
    except LOST:
        raise
    except asyncssh.SFTPError:
        return


async def _kept(channel: Channel, folder: bytes) -> set[str]:
    return {decoded(_bytes_of(name)) for name in await channel.names(folder)}


def _bytes_of(name: asyncssh.SFTPName) -> bytes:
    return bytes(name.filename)  # type: ignore[arg-type]


async def _stands(channel: Channel, folder: bytes, name: str) -> bool:
    try:
        return await look(channel, folder + b"/" + encoded(name)) is not None
    except LOST:
        raise
    except asyncssh.SFTPError:
        return False


async def _longest(channel: Channel, folder: bytes) -> int:
    """Halve the interval; eCryptfs, for one, keeps 143 bytes."""
    good, bad = len(_PLAIN), _LIMIT
    while bad - good > 1:
        middle = (good + bad) // 2
        name = "n" * middle
        await _try(channel, folder, name)
        if name in await _kept(channel, folder):
            good = middle
        else:
            bad = middle
    return good


async def _clear(channel: Channel, folder: bytes) -> None:
    """Remove the files under the names that they now have, then the folder."""
    for name in await channel.names(folder):
        with contextlib.suppress(*NOTHING):
            await channel.ask(channel.client.remove(folder + b"/" + _bytes_of(name)))
    await channel.ask(channel.client.rmdir(folder))
