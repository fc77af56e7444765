"""Which values do the steps hand to one another?

Everything here is frozen and picklable.  A *path* is a name below a source, a *key* a name below a store: both are
"/"-separated, relative, without "." or ".." components, and hold the bytes of the name faithfully (bytes that are
not UTF-8 are kept as lone surrogates, PEP 383).  Streams of entries ascend by code point of the whole path, which is
the order of a walk in which a folder sorts as if its name ended in "/".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

OWN_FOLDER = ".coldchain"
"""The one prefix, at a destination, under which coldchain keeps its own things; never a place for data."""


class Entry(NamedTuple):
    """One file as seen in one place at one moment.

    A tuple, not a dataclass: a scan makes a million of them and a tuple costs a third.
    ``ctime_ns``, ``inode`` and ``mode`` are 0 where the place keeps none (object stores, FAT).
    """

    path: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int = 0
    inode: int = 0
    mode: int = 0


class Oddity(NamedTuple):
    """Something that a listing met and that is not a readable plain file: a link, a pipe, a folder without rights."""

    path: str
    what: str
    """``symlink``, ``special`` (pipe, socket, device) or ``unreadable``."""
    reason: str
    """One sentence for the person, without the path."""


class Digest(NamedTuple):
    """A cryptographic digest of some content; ``value`` is lower-case hexadecimal."""

    algorithm: str
    value: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"


class ProofKind(IntEnum):
    """How a copy was proved, weakest first (P2)."""

    SIZE = 1
    CHECKSUM = 2
    READBACK = 3

    @property
    def word(self) -> str:
        """The word for people and files: ``size``, ``checksum`` or ``readback``."""
        return self.name.lower()

    @classmethod
    def from_word(cls, word: str) -> ProofKind:
        """Read the word back; raises KeyError for another one."""
        return cls[word.upper()]


DISPROVED = "disproved"
"""What stands in the place of a means of proof while a check found the copy wrong, and nobody mended it since."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was checked of a stored copy, how, and when."""

    kind: ProofKind
    how: str
    """The means: ``direct`` and ``evicted`` (read back past the page cache), ``dontneed`` (the cache was asked to
    forget, nobody can tell whether it did), ``cached`` (this place has no way past the cache), ``stat``,
    or the name of the store's own checksum."""
    at: datetime


class Secret:
    """A password that stood in a URL; no text, copy of fields, JSON or pickle that is made of it shows it (P14)."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The password, for whoever signs in."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, seen: object) -> Secret:
        return self

    def __reduce__(self) -> str:
        raise TypeError('a password from a URL stays in its process; write credentials = "env:NAME" instead')


@dataclass(frozen=True, slots=True)
class Place:
    """A store as the configuration names it: enough to open it anywhere, in a thread or on another machine."""

    name: str
    url: str
    options: tuple[tuple[str, str], ...] = ()
    """What differs from the usual of its kind (``endpoint``, ``storage_class``); never a secret."""
    secret: Secret | None = field(default=None, compare=False)
    """The password that stood in the URL as it was written; ``url`` has none."""


class Part(NamedTuple):
    """A range of a source: every file whose path begins with ``root`` and a slash, and then with ``begins``."""

    root: str = ""
    """A folder below the source, without a trailing slash; "" for the source itself."""
    begins: str = ""
    """Only what lies in that folder under a name that begins so: where one folder holds many datasets."""
    name: str = ""
    """What the instrument calls it ("raw_data"), when a dataset has several; the ``{part}`` of a layout."""
    without: tuple[str, ...] = ()
    """Beginnings of paths that belong to other datasets; a folder ends in a slash."""

    @property
    def start(self) -> str:
        """What the path of each of its files begins with."""
        return f"{self.root}/{self.begins}" if self.root else self.begins


WHOLE_SOURCE = Part()


class Dataset(NamedTuple):
    """One acquisition: the files of its parts, which ascend by ``start``; none of them lies within another."""

    name: str
    parts: tuple[Part, ...] = (WHOLE_SOURCE,)
    fields: tuple[tuple[str, str], ...] = ()
    """What a layout may name besides ``{dataset}`` and ``{part}``: ``("plate", "BR00121482")``."""


REST = "."
"""The dataset of all files that lie outside of the others."""


class Record(NamedTuple):
    """One line of the ledger: the content of ``path`` is at ``key`` of one destination, and was proved.

    ``source_*`` is how the source looked when it was read; ``stored_mtime_ns`` is what the destination then showed.
    """

    path: str
    key: str
    size_bytes: int
    source_mtime_ns: int
    source_ctime_ns: int
    source_inode: int
    mode: int
    stored_mtime_ns: int
    digest: Digest
    proof_kind: ProofKind
    proof_how: str
    proved_at_us: int
    """Microseconds since 1970 in UTC."""
    stored_at_us: int
    superseded: bool = False
    """A newer version of the same source file stands beside it (``on_change = "keep-both"``)."""


# --- differences: what one destination knows of one path --------------------------------------------------------------


class Added(NamedTuple):
    """No record, and nothing stands under the key."""


class Changed(NamedTuple):
    """The source file is another one than the record says; the copy stands as it was stored."""

    record: Record


class Touched(NamedTuple):
    """Size and mtime are as recorded but ctime or inode are not: only reading can tell whether the bytes changed."""

    record: Record


class Unproved(NamedTuple):
    """Something stands under the key that no record vouches for, or not strongly enough."""

    found: Entry | Oddity
    record: Record | None
    why: str


class Missing(NamedTuple):
    """A record says that the copy is there, and it is not."""

    record: Record


class Unchanged(NamedTuple):
    """Source, record and copy agree, and the proof is as strong as the job asks."""


Change = Added | Changed | Touched | Unproved | Missing | Unchanged
ADDED, UNCHANGED = Added(), Unchanged()


class Difference(NamedTuple):
    """One source file against all destinations, in the order of the job's destinations."""

    entry: Entry
    changes: tuple[Change, ...]


# --- actions: what shall be done, and why -----------------------------------------------------------------------------


class State(StrEnum):
    """The states in which a file can end a run (P1)."""

    VERIFIED = "verified"
    HELD = "held"
    REFUSED = "refused"
    FAILED = "failed"


class Manner(StrEnum):
    """What happens to one key of one destination."""

    NEW = "new"
    """Write; whatever already stands there is a conflict."""
    REPLACE = "replace"
    """Write over what coldchain stored, after making sure that it still is that."""
    ADOPT = "adopt"
    """Write nothing: read both sides, and record the copy when the bytes are equal."""


class Target(NamedTuple):
    """Where one file goes at one destination."""

    destination: str
    key: str
    manner: Manner
    reason: str
    old_digest: Digest | None = None
    """What the ledger says of the version that was stored last."""
    old_key: str = ""
    """Where that version stands."""
    unsure: bool = False
    """Only ctime or inode moved: hash the source first, and just record it when the bytes are the old ones."""


class Send(NamedTuple):
    """Read ``entry`` once, for all ``targets``."""

    entry: Entry
    targets: tuple[Target, ...]
    kept: tuple[str, ...] = ()
    """Destinations where this file is verified already."""
    growing: bool = False
    """It is never closed and only appended to: read as long as ``entry`` says, whatever comes after that."""


class Keep(NamedTuple):
    """Nothing to do: verified at ``kept`` (and refused by the others, if there are any)."""

    entry: Entry
    kept: tuple[str, ...]


class Hold(NamedTuple):
    """Leave the file alone for now."""

    entry: Entry
    reason: str
    destinations: tuple[str, ...]
    """Where it would have gone."""
    kept: tuple[str, ...] = ()
    """Where it is verified already."""


class Refuse(NamedTuple):
    """Nothing can be done with this one, as things stand."""

    path: str
    size_bytes: int
    reason: str
    destination: str = ""
    """"" when it concerns every destination."""
    state: State = State.REFUSED
    """FAILED for what could not even be looked at."""


Action = Send | Keep | Hold | Refuse


# --- outcomes: what came of it ----------------------------------------------------------------------------------------


class Verified(NamedTuple):
    """The copy at ``key`` is whole, durable and proved."""

    destination: str
    entry: Entry
    """The source as it was read."""
    key: str
    digest: Digest
    stored_mtime_ns: int
    proof_kind: ProofKind
    proof_how: str
    manner: Manner
    reason: str


class Trouble(NamedTuple):
    """The file is not verified at this destination, and why."""

    destination: str
    path: str
    size_bytes: int
    state: State
    reason: str
    again: bool = False
    """Worth another try within this run: it changed while it was read, or the error was temporary."""
    integrity: bool = False
    """A stored copy was found to be wrong (exit code 4)."""


Outcome = Verified | Trouble


@dataclass(frozen=True, slots=True)
class Tally:
    """Files and bytes."""

    files: int = 0
    size_bytes: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.files + other.files, self.size_bytes + other.size_bytes)


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """How a source looked at the end of the last run (P10)."""

    volume: str
    tally: Tally
    at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a destination is: the content of ``.coldchain/destination.json``."""

    id: str
    created: datetime
    writers: tuple[tuple[str, str], ...]
    """(job, host) pairs that ``coldchain init`` or ``run --init`` admitted."""
    names: Mapping[str, object] = field(default_factory=dict)
    """What its file system does to names, as probed (see ``stores.names``)."""
