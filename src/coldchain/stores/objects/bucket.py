"""What must a provider be able to do so that its objects can be files?

A *path* is a name below the root of the store; a bucket makes the object's key of it.  Every method raises StoreErrors
that name store and path, tries again what met temporary trouble, and may be called by many threads at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from coldchain.model import Entry


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
    sums: Mapping[str, str] = field(default_factory=dict)
    """The checksums that the server shows, by algorithm, all in the same spelling as those of ``Sums``."""
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
    """What a server was seen to do."""

    heeds: bool
    """A condition that is not met keeps it from writing an object that is sent in one request."""
    heeds_large: bool
    """The same for objects that are sent piece by piece, in the moment in which they appear."""
    whole: str
    """The checksum without which it takes no object that is sent in one request; "" for none."""
    large: str
    """The same for objects that are sent piece by piece."""


class Upload(Protocol):
    """A large file on its way; used by one thread at a time."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece."""

    def finish(self) -> None:
        """All was written: send what can be sent before the name may appear."""

    def publish(self, expected: Found | None, sums: Mapping[str, str]) -> None:
        """Let the object appear, in the place of none or of ``expected``; raises Occupied otherwise."""

    def abort(self) -> None:
        """Leave nothing behind, as far as the server lets us; raises nothing."""


class Bucket(Protocol):
    """One bucket or container, from its root folder on."""

    url: str
    in_order: bool
    """Listings are known to ascend by code point."""

    def refusal(self, path: str) -> str:
        """Say why the provider keeps no such name, as a phrase, or ""."""

    def look(self, path: str) -> Found:
        """What stands there; raises NotFound."""

    def get(self, path: str, offset: int, length: int, found: Found) -> bytes:
        """So much of the content of ``found`` and of no other; raises NotFound or Occupied when that is gone."""

    def objects(self, folder: str) -> Iterator[tuple[str, Found]]:
        """All paths below a folder, in the order of the server; the empty objects for folders come with a slash."""

    def folders(self, folder: str) -> Iterator[str]:
        """The names of the folders directly below, in the order of the server."""

    def sums(self) -> Sums:
        """Begin to compute the checksums that the server shows."""

    def put(self, path: str, content: bytes, metadata: Mapping[str, str], expected: Found | None) -> None:
        """Write an object in one request, in the place of none or of ``expected``; raises Occupied otherwise."""

    def begin(self, path: str, announced_bytes: int, metadata: Mapping[str, str]) -> Upload:
        """Begin a large object."""

    def delete(self, path: str, found: Found | None) -> None:
        """Remove what stands there, or only ``found``; raises NotFound."""

    def abilities(self) -> Abilities:
        """Find out, once, what the server does with conditions and checksums; leaves nothing behind."""

    def volume(self) -> str:
        """Name server and bucket; raises NotFound when there is no such bucket."""

    def close(self) -> None:
        """Let go of connections."""
