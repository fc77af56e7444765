"""How is a place in memory a store?

``memory://name`` opened twice in one process is one place.  Its name rules, traits and room can be set, so that places
which fold case, normalise names, round times or fill up can be played; and a test can do behind the store's back what
an instrument or another person does (``put``, ``put_oddity``, ``hold_open``, ``unplug``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from coldchain.model import Entry, Oddity
from coldchain.stores.base import Traits
from coldchain.stores.names import NameRules
from coldchain.testing.memory_staging import MemoryReader, MemoryStaging, is_leftover
from coldchain.testing.volume import HeldFile, Volume, forget, volume_at

_FIRST_MTIME_NS = 1_600_000_000_123_456_789


class MemoryStore:
    """A true store that lasts as long as the process."""

    def __init__(
        self,
        url: str,
        *,
        rules: NameRules | None = None,
        traits: Traits | None = None,
        room_bytes: int | None = None,
        respell: Callable[[str], str] | None = None,
    ) -> None:
        """Open a place; what is given changes the place itself, for everyone who has it open.

        Args:
            url: ``memory://NAME``.
            rules: What the place does to names; ``probe_names`` returns them, and writing obeys them.
            traits: What else places differ in; with ``stable_inodes`` false, entries show neither ctime nor inode.
            room_bytes: How much fits, stagings included.
            respell: How the place alters a key that it keeps, such as ``partial(unicodedata.normalize, "NFD")``.
        """
        self.url = url
        self._volume: Volume = volume_at(url)
        self._volume.rules = rules or self._volume.rules
        self._volume.traits = self.traits = traits or self._volume.traits
        self._volume.respell = respell or self._volume.respell
        if room_bytes is not None:
            self._volume.room_bytes = room_bytes

    # --- the contract ---------------------------------------------------------------------------------------------

    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        """Yield everything below ``prefix`` and not below ``without``, as it was at the first step."""
        yield from self._volume.listing(prefix, without)

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Yield the folders directly below ``prefix``; a folder is there as long as something is in it."""
        start = len(prefix) + 1 if prefix else 0
        names = {item.path[start:].partition("/")[0] for item in self.list(prefix) if "/" in item.path[start:]}
        yield from sorted(names)

    def stat(self, key: str) -> Entry:
        """Say what stands under ``key``."""
        with self._volume.lock:
            return self._volume.entry(key, self._volume.find(key))

    def read(self, key: str, *, past_cache: bool = False) -> MemoryReader:
        """Open a file; memory has no cache to go past."""
        return MemoryReader(self._volume, key, self._volume.find(key))

    def busy(self, key: str) -> str:
        """Say what ``hold_open`` said."""
        return self._volume.busy.get(self._volume.fold(key), "")

    def stage(self, owner: str = "") -> MemoryStaging:
        """Begin to write."""
        self._volume.require()
        return MemoryStaging(self._volume, owner)

    def delete(self, key: str) -> None:
        """Remove one file."""
        self._volume.remove(key)

    def is_leftover(self, key: str, owner: str) -> bool:
        """Say whether ``key`` is a temporary name of ``owner``."""
        return is_leftover(key, owner)

    def make(self) -> None:
        """Nothing: it is there as soon as it is named, or unplugged."""
        self._volume.require()

    def volume(self) -> str:
        """Name the volume; after ``forget`` the same URL is another one."""
        self._volume.require()
        return self._volume.id

    def free_bytes(self) -> int | None:
        """Say how much of ``room_bytes`` is left."""
        room = self._volume.room_bytes
        return None if room is None else max(0, room - self._volume.used_bytes)

    def probe_names(self) -> NameRules:
        """Say the rules that this place was given; nothing need be tried."""
        return self._volume.rules

    def close(self) -> None:
        """There is nothing to let go of."""

    # --- what others do behind the store's back -------------------------------------------------------------------

    def put(self, key: str, content: bytes, *, mtime_ns: int | None = None, mode: int = 0o644) -> Entry:
        """Write a file in place, as an instrument does: a reader that has it open sees the change.

        Without ``mtime_ns`` each call gives a later time.
        """
        volume = self._volume
        volume.check(key)
        with volume.lock:
            try:
                held = volume.find(key)
            except FileNotFoundError:
                held = HeldFile(key)
                volume.add(key, held)
            held.touch()
            later = _FIRST_MTIME_NS + held.ctime_ns * 1_000_000_000
            held.mtime_ns, held.mode = volume.rounded(later if mtime_ns is None else mtime_ns), mode
            volume.used_bytes += len(content) - len(held.content)
            held.content[:] = content
            return volume.entry(key, held)

    def get(self, key: str) -> bytes:
        """The whole content of a file."""
        with self._volume.lock:
            return bytes(self._volume.find(key).content)

    def put_oddity(self, oddity: Oddity) -> None:
        """Let something stand there that is no readable plain file."""
        with self._volume.lock:
            self._volume.refuse_taken(oddity.path)
            self._volume.oddities[self._volume.fold(oddity.path)] = oddity

    def hold_open(self, key: str, phrase: str = "open in python3") -> None:
        """Let ``busy`` say this of the file; "" lets go of it."""
        self._volume.busy[self._volume.fold(key)] = phrase

    def unplug(self) -> None:
        """Let the root of the place be gone until ``plug_in``."""
        self._volume.plugged = False

    def plug_in(self) -> None:
        """Let the root be there again, as it was."""
        self._volume.plugged = True

    def forget(self) -> None:
        """Let the URL name another, empty volume for everyone who opens it from now on."""
        forget(self.url)
