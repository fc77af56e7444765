"""What does a place in memory hold?

Volumes live in a registry of this module, so that one URL opened twice in a process shows the same content, as two
openings of one disk do.  That is module state, which only a fake may have.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from coldchain.errors import ConfigurationError, NameRefused, NotAFile, NotFound, Occupied, StoreFull, StoreGone
from coldchain.model import OWN_FOLDER, Entry, Oddity
from coldchain.stores.base import Traits
from coldchain.stores.names import NameRules

STAGING_FOLDER = f"{OWN_FOLDER}/staging"

_volumes: dict[str, Volume] = {}
_registry_lock = threading.Lock()
_serials = itertools.count(1)


@dataclass(slots=True)
class HeldFile:
    """One file, whatever its name: what an inode is on a disk."""

    spelling: str
    """The key as the place keeps it, which is the key as it was written wherever nothing is folded."""
    mtime_ns: int = 0
    mode: int = 0
    content: bytearray = field(default_factory=bytearray)
    ctime_ns: int = 0
    inode: int = field(default_factory=lambda: next(_serials))

    def touch(self) -> None:
        """Let the status change time go on."""
        self.ctime_ns = next(_serials)


class Volume:
    """The files of one place, by the form in which the place compares keys.  Hold ``lock`` for more than one call."""

    def __init__(self, url: str) -> None:
        """Make an empty place."""
        self.url = url
        self.id = f"{url}#{next(_serials)}"
        self.lock = threading.RLock()
        self.rules = NameRules()
        self.traits = Traits(stable_inodes=True)
        self.respell: Callable[[str], str] = str
        self.room_bytes: int | None = None
        self.plugged = True
        self.files: dict[str, HeldFile] = {}
        self.oddities: dict[str, Oddity] = {}
        self.busy: dict[str, str] = {}
        self.used_bytes = 0
        self._folders: dict[str, tuple[str, int]] = {}

    def fold(self, key: str) -> str:
        """The form in which keys are compared."""
        return self.rules.fold(key)

    def check(self, key: str) -> None:
        """Raise NameRefused for a key that is none, or that this place cannot keep."""
        if not key or "\0" in key or any(name in {"", ".", ".."} for name in key.split("/")):
            raise NameRefused("this is no name below a store", url=self.url, key=key)
        if not key.startswith(STAGING_FOLDER) and (reason := self.rules.refusal(key)):
            raise NameRefused(reason, url=self.url, key=key)

    def require(self, key: str = "") -> None:
        """Raise StoreGone while the place is unplugged."""
        if not self.plugged:
            raise StoreGone("the place is not there", url=self.url, key=key)

    def find(self, key: str) -> HeldFile:
        """The file under ``key``; raises NotFound, NotAFile, NameRefused, StoreGone."""
        with self.lock:
            self.require(key)
            self.check(key)
            folded = self.fold(key)
            if folded in self._folders:
                raise NotAFile("it is a folder", url=self.url, key=key)
            if folded in self.oddities:
                raise NotAFile(self.oddities[folded].reason, url=self.url, key=key)
            if folded not in self.files:
                raise NotFound("nothing stands here", url=self.url, key=key)
            return self.files[folded]

    def entry(self, key: str, held: HeldFile) -> Entry:
        """How a file looks under the name by which it was asked for."""
        if self.traits.stable_inodes:
            return Entry(key, len(held.content), held.mtime_ns, held.ctime_ns, held.inode, held.mode)
        return Entry(key, len(held.content), held.mtime_ns, mode=held.mode)

    def rounded(self, mtime_ns: int) -> int:
        """The time that this place keeps for a file of that time."""
        return mtime_ns - mtime_ns % self.traits.mtime_step_ns

    def add(self, key: str, held: HeldFile) -> None:
        """Give a file its name; raises Occupied when the name is taken, also by a folder or as a folder."""
        with self.lock:
            self.refuse_taken(key)
            held.spelling = self._spell(self.respell(key))
            held.touch()
            self.files[self.fold(key)] = held
            self.used_bytes += len(held.content)
            for folder in _ancestors(held.spelling):
                spelling, count = self._folders.get(self.fold(folder), (folder, 0))
                self._folders[self.fold(folder)] = (spelling, count + 1)

    def refuse_taken(self, key: str) -> None:
        """Raise Occupied when a file, a folder or something odd stands under ``key`` or where a folder must be."""
        folded = self.fold(key)
        if folded in self._folders:
            raise Occupied("a folder stands here", url=self.url, key=key)
        if folded in self.files or folded in self.oddities:
            raise Occupied("something stands here already", url=self.url, key=key)
        for folder in _ancestors(folded):
            if folder in self.files or folder in self.oddities:
                raise Occupied(f"{folder} is a file, not a folder", url=self.url, key=key)

    def remove(self, key: str) -> HeldFile:
        """Take a file away from its name; raises as ``find`` does."""
        with self.lock:
            held = self.find(key)
            del self.files[self.fold(key)]
            self.used_bytes -= len(held.content)
            held.touch()
            for folder in _ancestors(held.spelling):
                spelling, count = self._folders.pop(self.fold(folder))
                if count > 1:
                    self._folders[self.fold(folder)] = (spelling, count - 1)
            return held

    def grow(self, key: str, chunk: bytes | memoryview) -> None:
        """Append to the file under ``key``; raises StoreFull when there is no room, and takes nothing then."""
        with self.lock:
            held = self.find(key)
            if self.room_bytes is not None and self.used_bytes + len(chunk) > self.room_bytes:
                raise StoreFull("no room left", url=self.url, key=key)
            held.content += chunk
            self.used_bytes += len(chunk)

    def listing(self, prefix: str, without: Collection[str]) -> Iterator[Entry | Oddity]:
        """Everything below a folder and not below ``without`` as of now, ascending by code point of the keys."""
        with self.lock:
            if not self.plugged:
                raise NotFound("the place is not there", url=self.url, key=prefix)
            found: list[Entry | Oddity] = [self.entry(held.spelling, held) for held in self.files.values()]
            found += self.oddities.values()
        below = [item for item in (self._below(item, prefix) for item in found) if item]
        left_out = {self.fold(folder) for folder in without}
        kept = (item for item in below if left_out.isdisjoint(_ancestors(self.fold(item.path))))
        return iter(sorted(kept, key=lambda item: item.path))

    def _below(self, item: Entry | Oddity, prefix: str) -> Entry | Oddity | None:
        """The item under the name by which its folder was asked for, None when it is not below that folder."""
        if not prefix:
            return item
        names = item.path.split("/")
        depth = prefix.count("/") + 1
        if len(names) <= depth or self.fold("/".join(names[:depth])) != self.fold(prefix):
            return None
        return item._replace(path="/".join([prefix, *names[depth:]]))

    def _spell(self, key: str) -> str:
        """Use the spelling of the folders that are there already."""
        for folder in _ancestors(key):
            spelling, _ = self._folders.get(self.fold(folder), (folder, 0))
            key = "/".join([spelling, *key.split("/")[spelling.count("/") + 1 :]])
        return key


def _ancestors(key: str) -> Iterator[str]:
    """The folders above ``key``, outermost first."""
    return (key[:at] for at, char in enumerate(key) if char == "/")


def volume_at(url: str) -> Volume:
    """The volume of a ``memory://name`` URL, made when nobody asked for it before."""
    scheme, _, name = url.partition("://")
    if scheme != "memory" or not name:
        raise ConfigurationError(f"{url!r} names no place in memory; write memory://NAME")
    with _registry_lock:
        return _volumes.setdefault(url, Volume(url))


def forget(url: str) -> None:
    """Take the volume away; who opens the URL again finds another, empty one."""
    with _registry_lock:
        _volumes.pop(url, None)
