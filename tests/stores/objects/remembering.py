"""What is the simplest server of objects?  One that keeps them in memory, and does what a test wants of it."""

from __future__ import annotations

import hashlib
import random
import threading
import zlib
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from coldchain.errors import NameRefused, NotFound, Occupied
from coldchain.stores.objects.bucket import Abilities, Found
from coldchain.stores.objects.held import Held
from coldchain.stores.objects.keys import fault_in, note_of
from coldchain.stores.objects.reading import look_and_get
from coldchain.stores.objects.store import ObjectStore, traits

WHOLE_BYTES = 1 << 20
GOOD = Abilities(heeds=True, vouches="adler")


@dataclass
class Server:
    """All objects of one bucket, and how it answers."""

    objects: dict[str, tuple[Found, bytes]] = field(default_factory=dict)
    is_there: bool = True
    in_order: bool = True
    whole: Abilities = GOOD
    large: Abilities = GOOD
    shows: frozenset[str] = frozenset({"adler"})
    """The checksums that it shows."""
    tells: bool = True
    """Who writes an object whole is told its mark."""
    folders: dict[str, Found] = field(default_factory=dict)
    uploads: int = 0
    """Those that were begun, and are neither published nor given up."""
    asked: list[str] = field(default_factory=list)
    """Every request: what was done, and to which path."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    last: int = 0

    def make(self, path: str, content: bytes, metadata: Mapping[str, str]) -> Found:
        with self.lock:
            self.last += 1
            sums = {"adler": f"{zlib.adler32(content):08x}", "crc": f"{zlib.crc32(content):08x}"}
            sums["sha256"] = b64encode(hashlib.sha256(content).digest()).decode()
            shown = {name: value for name, value in sums.items() if name in self.shows}
            number = self.last
            found = Found(len(content), number * 1_000_000_000, f"mark {number}", number, dict(metadata), shown)
            self.objects[path] = found, content
            return found


class _Sums:
    def __init__(self) -> None:
        self._adler, self._crc = 1, 0

    def update(self, chunk: bytes | memoryview) -> None:
        self._adler, self._crc = zlib.adler32(chunk, self._adler), zlib.crc32(chunk, self._crc)

    def values(self) -> Mapping[str, str]:
        return {"adler": f"{self._adler:08x}", "crc": f"{self._crc:08x}"}


class RememberingBucket:
    """Implements ``coldchain.stores.objects.bucket.Bucket``; a test overrides what it wants to go wrong."""

    def __init__(self, server: Server) -> None:
        self.server, self.url, self.key_bytes = server, "remembering://bucket", 1000
        self.in_order = server.in_order

    def _asked(self, what: str, path: str = "") -> None:
        self.server.asked.append(f"{what} {path}")
        if not self.server.is_there:
            raise NotFound("no such bucket", url=self.url)

    def _found(self, path: str) -> tuple[Found, bytes]:
        if path in self.server.folders:
            return self.server.folders[path], b""
        if path not in self.server.objects:
            raise NotFound("no such object", url=self.url, key=path)
        return self.server.objects[path]

    def refusal(self, path: str) -> str:
        if reason := fault_in(path):
            return reason
        return "too long" if len(path.encode()) > self.key_bytes else ""

    def look(self, path: str, *, sums: bool = False) -> Found:
        self._asked("look", path)
        found = self._found(path)[0]
        return found if sums else replace(found, sums={})

    def first(self, path: str, length: int) -> tuple[Found, bytes | memoryview]:
        return look_and_get(self, path, length)

    def get(self, path: str, offset: int, length: int, found: Found) -> bytes | memoryview:
        self._asked("get", path)
        assert 0 <= offset < offset + length, "no server has a range of nothing"
        there, content = self._found(path)
        if there.mark != found.mark:
            raise Occupied("another object stands there", url=self.url, key=path)
        return content[offset : offset + length]

    def objects(self, folder: str, without: Collection[str] = ()) -> Iterator[tuple[str, Found]]:
        self._asked("list", folder)
        start = f"{folder}/" if folder else ""
        found = {path: one for path, (one, _) in self.server.objects.items()} | self.server.folders
        paths = sorted(path for path in found if path.startswith(start))
        if not self.server.in_order:
            random.Random(1).shuffle(paths)
        for path in paths:
            yield path, found[path]

    def folders(self, folder: str) -> Iterator[str]:
        start = f"{folder}/" if folder else ""
        rest = [path.removeprefix(start) for path, _ in self.objects(folder)]
        yield from (path.partition("/")[0] for path in reversed(rest) if "/" in path)

    def sums(self) -> _Sums:
        return _Sums()

    def put(
        self, path: str, content: Held, metadata: Mapping[str, str], sums: Mapping[str, str], expected: Found | None
    ) -> str:
        self._asked("put", path)
        with self.server.lock:
            self._check(path, expected, heeds=self.server.whole.heeds)
            found = self.server.make(path, bytes(content.content()), metadata)
        return found.mark if self.server.tells else ""

    def seen(self, paths: Sequence[str]) -> Mapping[str, Found]:
        self._asked("seen", " ".join(paths))
        with self.server.lock:
            there = {path: self.server.objects[path][0] for path in paths if path in self.server.objects}
        return {path: replace(found, metadata={}, sums={}) for path, found in there.items()}

    def _check(self, path: str, expected: Found | None, *, heeds: bool) -> None:
        if reason := self.refusal(path):
            raise NameRefused(reason, url=self.url, key=path)
        there = self.server.objects.get(path)
        if heeds and (there[0].mark if there else "") != (expected.mark if expected else ""):
            raise Occupied("the condition is not met", url=self.url, key=path)

    def begin(self, path: str, announced_bytes: int, metadata: Mapping[str, str], owner: str) -> Upload:
        self._asked("begin", path)
        return Upload(self, path, metadata, note_of(owner))

    def delete(self, path: str, found: Found | None) -> None:
        self._asked("delete", path)
        with self.server.lock:
            there, _ = self._found(path)
            if found is not None and there.mark != found.mark:
                raise Occupied("another object stands there", url=self.url, key=path)
            del self.server.objects[path]

    def abilities(self, owner: str, *, large: bool) -> Abilities:
        return self.server.large if large else self.server.whole

    def volume(self) -> str:
        self._asked("volume")
        return f"bucket {id(self.server)}"


class Upload:
    """A large file on its way; a note lies in the bucket meanwhile."""

    def __init__(self, bucket: RememberingBucket, path: str, metadata: Mapping[str, str], note: str) -> None:
        self._bucket, self._path, self._metadata, self._note = bucket, path, metadata, note
        self._content = bytearray()
        bucket.server.uploads += 1
        bucket.server.make(note, b"", {})

    def write(self, chunk: bytes | memoryview) -> None:
        self._content += chunk

    def finish(self) -> None:
        self._bucket._asked("finish", self._path)

    def publish(self, expected: Found | None, sums: Mapping[str, str]) -> None:
        self._bucket._asked("publish", self._path)
        with self._bucket.server.lock:
            self._bucket._check(self._path, expected, heeds=self._bucket.server.large.heeds)
            self._bucket.server.make(self._path, bytes(self._content), self._metadata)

    def close(self, *, published: bool) -> None:
        self._bucket._asked("published" if published else "forgotten", self._path)
        self._bucket.server.uploads -= 1
        self._bucket.server.objects.pop(self._note, None)


def store_of(
    server: Server, bucket: type[RememberingBucket] = RememberingBucket, whole_bytes: int = WHOLE_BYTES
) -> ObjectStore[RememberingBucket]:
    """A store in which that server's objects are files."""
    known = traits(1, ("adler",))
    return ObjectStore("remembering://bucket", known, whole_bytes, (id(server), bucket), lambda: bucket(server))
