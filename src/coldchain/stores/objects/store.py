"""How is a bucket, or a folder in it, a store?"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Any, Generic, TypeVar

from coldchain.errors import NotAFile, NotFound
from coldchain.model import Entry, Oddity
from coldchain.stores.base import Traits
from coldchain.stores.names import NameRules
from coldchain.stores.objects import probe
from coldchain.stores.objects.bucket import Bucket, Found
from coldchain.stores.objects.keys import fault_in, is_note
from coldchain.stores.objects.listing import folders_in, listed
from coldchain.stores.objects.reading import ObjectReader
from coldchain.stores.objects.staging import REQUESTS_AT_ONCE, ObjectStaging

B = TypeVar("B", bound=Bucket)


class _Shared(Generic[B]):
    """A connection and what is known of its server.

    Only stores that have it open hold this.  Errors with their tracebacks hold the bucket itself for long after that,
    and a server that was replaced meanwhile may keep other promises.
    """

    __slots__ = ("__weakref__", "bucket")

    def __init__(self, bucket: B) -> None:
        self.bucket = bucket


# A run opens a place anew for every batch.  Whoever still has it open lends it to the others.
_open: weakref.WeakValueDictionary[Hashable, _Shared[Any]] = weakref.WeakValueDictionary()
_opening = threading.Lock()


def traits(mtime_step_ns: int, vouches: tuple[str, ...]) -> Traits:
    """What is the same of all kinds: a time is when the object was written, its inode what names this very object."""
    return Traits(
        mtime_step_ns=mtime_step_ns,
        stable_inodes=True,
        vouches=vouches,
        keeps_mtime=False,
        has_folders=False,
        proves_published=True,
    )


class ObjectStore(Generic[B]):
    """The base of the kinds that keep objects."""

    def __init__(self, url: str, traits: Traits, whole_bytes: int, same: Hashable, connect: Callable[[], B]) -> None:
        """Name the place; nothing is asked and no package imported until it is used.

        Args:
            url: Without secrets.
            traits: What the kind differs in.
            whole_bytes: Files up to this size are sent in one request.
            same: Two stores of one kind for which this is equal may share a connection.
            connect: Opens the bucket; asks the server nothing.
        """
        self.url = url
        self._traits, self._whole_bytes, self._same, self._connect = traits, whole_bytes, same, connect
        self._connected: _Shared[B] | None = None

    @property
    def traits(self) -> Traits:
        """See ``traits``."""
        return self._traits

    @property
    def _bucket(self) -> B:
        shared = self._connected
        if shared is None:
            with _opening:
                shared = _open.get((type(self), self._same))
                if shared is None:
                    shared = _open[type(self), self._same] = _Shared(self._connect())
            self._connected = shared
        return shared.bucket

    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        """Yield what lies below ``prefix``; keys that can be no path are Oddities."""
        yield from listed(self._bucket, prefix, without)

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Yield what a listing would show as folders."""
        yield from folders_in(self._bucket, prefix)

    def _look(self, key: str) -> Found:
        if reason := fault_in(key):
            raise NotFound(reason, url=self.url, key=key)
        found = self._bucket.look(key)
        if found.is_folder:
            raise NotAFile("a folder stands here", url=self.url, key=key)
        return found

    def stat(self, key: str) -> Entry:
        """Say what stands under ``key``."""
        return self._look(key).entry(key)

    def read(self, key: str, *, past_cache: bool = False) -> ObjectReader:
        """Open an object; no cache lies between."""
        if reason := fault_in(key):
            raise NotFound(reason, url=self.url, key=key)
        return ObjectReader(self._bucket, key, "get" if past_cache else "cached")

    def busy(self, key: str) -> str:
        """Objects appear when they are whole, so nobody is seen writing one."""
        return ""

    def stage(self, owner: str = "") -> ObjectStaging:
        """Begin to write; ``owner`` marks the notes that lie in the bucket meanwhile."""
        return ObjectStaging(self._bucket, self._whole_bytes, owner)

    def delete(self, key: str) -> None:
        """Remove one object."""
        self._look(key)
        self._bucket.delete(key, None)

    def is_leftover(self, key: str, owner: str) -> bool:
        """Say whether ``key`` is a note of a killed run of ``owner``; what it had sent besides is no object."""
        return is_note(key, owner or "_")

    def volume(self) -> str:
        """Name server and bucket; raises NotFound when there is no such bucket."""
        return self._bucket.volume()

    def free_bytes(self) -> int | None:
        """Nobody can tell."""
        return None

    def probe_names(self) -> NameRules:
        """Find out what the server does to names by writing, listing and removing objects in coldchain's own folder."""
        return probe.probe_names(self._bucket, REQUESTS_AT_ONCE)

    def make(self) -> None:
        """Nothing, for folders need not be made; raises NotFound when there is no bucket to hold it."""
        self.volume()

    def close(self) -> None:
        """Let go of the connection, unless somebody else has the same place open."""
        self._connected = None
