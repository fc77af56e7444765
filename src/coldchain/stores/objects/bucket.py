"""What must a provider be able to do so that its objects can be files?

A *path* is a name below the root of the store; a bucket makes the object's key of it.  Every method raises StoreErrors
that name store and path, tries again what met temporary trouble, and may be called by many threads at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from coldchain.model import Entry
from coldchain.stores.objects.held import Held


@dataclass(frozen=True, slots=True)
class Found:
    """One object, as the server shows it."""

    size_bytes: int
    mtime_ns: int
    """When it was written."""
    mark: str
    """What names this very object, and no earlier or later one of the same name: a generation, an ETag."""
    number: int
    """The mark as a number."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """In small letters, with underscores."""
    sums: Mapping[str, str] = field(default_factory=dict)
    """The checksums that the server shows, by algorithm, all in the same spelling as those of ``Sums``."""
    version: str = ""
    """What names it among the versions of its name, where those are told apart otherwise than by the mark."""
    is_folder: bool = False
    """Some accounts have true folders, which are listed among the objects."""

    def entry(self, path: str) -> Entry:
        """The entry that a listing, a look and an opened object show alike."""
        return Entry(path, self.size_bytes, self.mtime_ns, inode=self.number)


class Sums(Protocol):
    """Checksums that are computed while content goes by."""

    def update(self, chunk: bytes | memoryview) -> None:
        """Take the next piece."""

    def values(self) -> Mapping[str, str]:
        """All of them, by algorithm."""


class Abilities(NamedTuple):
    """What a server was seen to do with objects that are sent in one request, or with those sent piece by piece."""

    heeds: bool
    """A condition that is not met keeps it from letting the object appear, in that very moment."""
    vouches: str
    """The checksum without which it takes none; "" for none."""


class Upload(Protocol):
    """A large file on its way; used by one thread at a time."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece."""

    def finish(self) -> None:
        """All was written: send what can be sent before the name may appear."""

    def publish(self, expected: Found | None, sums: Mapping[str, str]) -> None:
        """Let the object appear, in the place of none or of ``expected``; raises Occupied otherwise."""

    def close(self, *, published: bool) -> None:
        """Let go; of what was not published leave nothing behind, as far as the server lets us.  Raises nothing."""


class Bucket(Protocol):
    """One bucket or container, from its root folder on; its connections go with it."""

    url: str
    in_order: bool
    """Listings are known to ascend by code point."""
    key_bytes: int
    """How much room a whole path has, in UTF-8; 0 where that is not what the provider counts."""

    def refusal(self, path: str) -> str:
        """Say why the provider keeps no such name, as a phrase, or ""."""

    def look(self, path: str, *, sums: bool = False) -> Found:
        """What stands there, with its checksums only if they are asked for; raises NotFound."""

    def first(self, path: str, length: int) -> tuple[Found, bytes | memoryview]:
        """What stands there, and the first bytes of that very object: so many, or all where it is smaller."""

    def get(self, path: str, offset: int, length: int, found: Found) -> bytes | memoryview:
        """So much of the content of ``found`` and of no other; raises NotFound or Occupied when that is gone."""

    def objects(self, folder: str, without: Collection[str] = ()) -> Iterator[tuple[str, Found]]:
        """All paths below a folder, in the order of the server; the empty objects for folders come with a slash.

        What lies in the folders ``without`` may be left out, where that saves requests.
        """

    def folders(self, folder: str) -> Iterator[str]:
        """The names of the folders directly below, in the order of the server."""

    def sums(self) -> Sums:
        """Begin to compute the checksums that the server shows, apart from SHA-256."""

    def put(
        self, path: str, content: Held, metadata: Mapping[str, str], sums: Mapping[str, str], expected: Found | None
    ) -> str:
        """Write an object in one request, in the place of none or of ``expected``; raises Occupied otherwise.

        ``sums`` are those of the content; the server is told what it can compare.  Returns the mark that the server
        gave to it, if ``seen`` can find it by that, else "".
        """

    def seen(self, paths: Sequence[str]) -> Mapping[str, Found]:
        """What stands under names that were just written, without metadata and sums, in as few requests as can be.

        Whatever cannot be said so is left out, and must be looked at by itself.  Raises nothing.
        """

    def begin(self, path: str, announced_bytes: int, metadata: Mapping[str, str], owner: str) -> Upload:
        """Begin a large object; what has to lie in the bucket meanwhile is a note of ``owner`` (``keys.note_of``)."""

    def delete(self, path: str, found: Found | None) -> None:
        """Remove what stands there, or only ``found``; raises NotFound."""

    def abilities(self, owner: str, *, large: bool) -> Abilities:
        """Find out, once, what the server does with conditions and checksums; leaves nothing behind.

        It is tried under the name of a note of ``owner``, so that what a killed run leaves is swept by its next one.
        """

    def volume(self) -> str:
        """Name server and bucket; raises NotFound when there is no such bucket."""
