"""How are files written to a place in memory, and read from it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from types import TracebackType
from typing import Self
from urllib.parse import quote

from coldchain.errors import NotFound, Occupied, StoreError
from coldchain.model import Entry
from coldchain.stores.base import CHUNK_BYTES
from coldchain.testing.volume import STAGING_FOLDER, HeldFile, Volume

_serials = count(1)


def is_leftover(key: str, owner: str) -> bool:
    """Whether ``key`` is a temporary name of ``owner``."""
    serial, found, name = key.removeprefix(f"{STAGING_FOLDER}/").partition("-of-")
    return key.startswith(f"{STAGING_FOLDER}/") and serial.isdigit() and bool(found) and name == quote(owner, safe="")


class MemoryReader:
    """One opened file; shows what the file holds at the moment of each piece, as an open file on a disk does."""

    how = "memory"

    def __init__(self, volume: Volume, key: str, held: HeldFile) -> None:
        """Open ``held``, which was found under ``key``."""
        self._volume, self._key, self._held = volume, key, held
        self.entry = self.look_again()

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in order."""
        offset = 0
        while chunk := self._chunk(offset):
            yield chunk
            offset += len(chunk)

    def _chunk(self, offset: int) -> bytes:
        return self.piece(offset, CHUNK_BYTES)

    def piece(self, offset: int, length: int) -> bytes:
        """Cut a piece out of the content."""
        with self._volume.lock:
            self._volume.require(self._key)
            return bytes(self._held.content[offset : offset + length])

    def look_again(self) -> Entry:
        """Say how the file looks now, also when another one has its name by now."""
        with self._volume.lock:
            return self._volume.entry(self._key, self._held)

    def being_written(self) -> bool:
        """Say whether ``hold_open`` said so."""
        return bool(self._volume.busy.get(self._volume.fold(self._key)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to let go of."""


class MemorySink:
    """One file on its way; lies under a temporary name that a listing shows."""

    def __init__(self, staging: MemoryStaging, key: str, temporary: str, entry: Entry) -> None:
        """Begin an empty file."""
        self._staging, self._key, self._temporary, self._entry = staging, key, temporary, entry

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece, whole; raises StoreFull."""
        self._staging.volume.grow(self._temporary, chunk)

    def close(self) -> None:
        """Say that this was all."""
        volume = self._staging.volume
        with volume.lock:
            held = volume.find(self._temporary)
            held.mtime_ns, held.mode = volume.rounded(self._entry.mtime_ns), self._entry.mode
            self._staging.keep(self._key, self._temporary)

    def abort(self) -> None:
        """Forget this file."""
        self._staging.drop(self._temporary)


class MemoryStaging:
    """Files that a listing shows under temporary names only."""

    def __init__(self, volume: Volume, owner: str) -> None:
        """Begin with nothing."""
        self.volume = volume
        self._owner = owner
        self._temporaries: set[str] = set()
        self._closed: dict[str, str] = {}

    def open(self, key: str, entry: Entry) -> MemorySink:
        """Begin a file; raises NameRefused at once when the place cannot keep the name."""
        self.volume.check(key)
        self.volume.require(key)
        temporary = f"{STAGING_FOLDER}/{next(_serials)}-of-{quote(self._owner, safe='')}"
        self.volume.add(temporary, HeldFile(temporary))
        self._temporaries.add(temporary)
        return MemorySink(self, key, temporary, entry)

    def keep(self, key: str, temporary: str) -> None:
        """Remember a closed file; an earlier one for the same key gives way."""
        if earlier := self._closed.pop(key, ""):
            self.drop(earlier)
        self._closed[key] = temporary

    def drop(self, temporary: str) -> None:
        """Remove a temporary file, if it is still there."""
        if temporary not in self._temporaries:
            return
        self._temporaries.discard(temporary)
        self._closed = {key: name for key, name in self._closed.items() if name != temporary}
        if self.volume.fold(temporary) in self.volume.files:
            self.volume.remove(temporary)

    def flush(self) -> None:
        """Do nothing: what memory holds is as durable as it will ever be (see ``ForgetfulStore``)."""
        self.volume.require()

    def settle(self, key: str) -> None:
        """Do nothing about a file that is there; raises NotFound when it is not."""
        self.volume.find(key)

    def read_back(self, key: str) -> MemoryReader:
        """Open what was staged; raises NotFound when no closed file is staged for ``key``."""
        return MemoryReader(self.volume, key, self.volume.find(self._staged(key)))

    def vouched(self, key: str) -> str:
        """Nothing vouches."""
        return ""

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Rename each file, if the name is free or holds what was expected."""
        results: dict[str, Entry | StoreError] = {}
        for key, expected in keys.items():
            try:
                results[key] = self._publish(key, expected)
            except StoreError as error:
                results[key] = error
        return results

    def _publish(self, key: str, expected: Entry | None) -> Entry:
        volume = self.volume
        with volume.lock:
            staged = volume.find(self._staged(key))
            if expected is None:
                volume.refuse_taken(key)
            else:
                if volume.entry(key, volume.find(key)) != expected._replace(path=key):
                    raise Occupied("what stands here is not what was expected", url=volume.url, key=key)
                volume.remove(key)
            temporary = self._closed.pop(key)
            self._temporaries.discard(temporary)
            volume.remove(temporary)
            volume.add(key, staged)
            return volume.entry(key, staged)

    def _staged(self, key: str) -> str:
        if key not in self._closed:
            raise NotFound("no closed file is staged for this name", url=self.volume.url, key=key)
        return self._closed[key]

    def discard(self, key: str) -> None:
        """Forget one closed file."""
        if key in self._closed:
            self.drop(self._closed[key])

    def close(self) -> None:
        """Forget everything that was not published."""
        for temporary in sorted(self._temporaries):
            self.drop(temporary)
