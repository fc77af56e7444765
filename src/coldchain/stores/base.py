"""What must a place be able to do to be a source or a destination?

A store keeps whole files under keys.  Reading is one verb; writing happens in *stagings*, because durability is
bought by the batch: stage many files, flush once, read them back, and only then let them appear.

    staging = store.stage()
    for each file:   sink = staging.open(key, entry); sink.write(...); sink.close()
    staging.flush()                      # the bytes would survive a power cut
    for each file:   staging.read_back(key)              # past the page cache, where there is a way
    staging.publish({key: replace, ...})                 # the names appear, durably, each whole or not at all
    staging.close()                      # what was not published is gone
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable
from urllib.parse import urlsplit

from coldchain.errors import ConfigurationError, StoreError
from coldchain.model import Entry, Oddity, Place
from coldchain.stores.names import NameRules

CHUNK_BYTES = 1 << 20
"""Content travels in pieces of at most this size."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What places differ in."""

    mtime_step_ns: int = 1
    """Two mtimes closer than this are the same (2 s on FAT)."""
    stable_inodes: bool = False
    """ctime and inode mean something here: a change of either is a hint that the file changed."""
    largest_bytes: int = 0
    """The largest file that this place can keep; 0: none is known (4 GiB less one byte on FAT)."""
    vouches: tuple[str, ...] = ()
    """Digest algorithms that the store may compute and check by itself, see ``Staging.vouched``."""
    keeps_mtime: bool = True
    """A stored file shows the time of its source; else the time when it was written."""
    has_folders: bool = True
    """A file and a folder cannot share a name."""
    opens_anywhere: bool = False
    """To open it anew, in another process too, costs next to nothing, needs no secret and changes no limit."""
    proves_published: bool = False
    """There is no rename, so what is staged can be read back only when it has its name (and is taken back by
    ``Staging.discard`` when it turns out wrong)."""


class Reader(Protocol):
    """One opened file; a context manager."""

    entry: Entry
    """The file as it was when it was opened (by the open file, not by name)."""
    how: str
    """The means of reading, see ``Proof.how``; "cached" unless it was opened past the cache."""

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Yield the content in order, in pieces of at most ``CHUNK_BYTES``; each is valid until the next is asked for.

        A file of up to ``CHUNK_BYTES`` comes in one piece; an empty one in none.
        """

    def piece(self, offset: int, length: int) -> bytes:
        """Read ``length`` bytes from ``offset`` on, fewer only where the file ends; ``chunks`` does not notice.

        Only of a reader that was not opened past the cache.
        """

    def look_again(self) -> Entry:
        """Say how the opened file looks now."""

    def being_written(self) -> bool:
        """Say whether some program has the file open for writing, as far as this place can tell."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Sink(Protocol):
    """One file on its way into a staging; a file that is not closed is never published."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece, whole."""

    def close(self) -> None:
        """Say that this was all; keeps mtime and mode of the entry where the place can."""

    def abort(self) -> None:
        """Forget this file; leaves nothing behind."""


class Staging(Protocol):
    """Files that are written but not yet visible under their names.  Used by one thread at a time."""

    def open(self, key: str, entry: Entry) -> Sink:
        """Begin the file that shall stand under ``key``; its mtime and mode shall be those of ``entry``."""

    def flush(self) -> None:
        """Make durable all that was closed, and all that ``settle`` named; raises FlushFailed, once for all of it."""

    def settle(self, key: str) -> None:
        """Let the next flush also make durable what already stands under ``key``; for files that are adopted."""

    def read_back(self, key: str) -> Reader:
        """Open what was staged for ``key`` once more, past every cache that there is a way past.

        Where ``Traits.proves_published``, only after it was published; a StoreError before that.
        """

    def vouched(self, key: str) -> str:
        """Name the digest by which the store itself compared what it keeps for ``key`` with what it was sent.

        One of ``Traits.vouches``, and only if the store was seen to refuse what does not fit it; "" when nothing
        vouches.  To be asked after publishing.
        """

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Let the closed files among ``keys`` appear under their names, and make the names durable.

        The value is None when nothing may stand there yet (else the result is Occupied), or the entry that may be
        replaced, which must still look exactly so.  The result has for each key the entry that now stands there, or
        why it does not.
        """

    def discard(self, key: str) -> None:
        """Forget one closed file; leaves nothing behind.

        Where ``Traits.proves_published``, also take back what was published, if nobody replaced it since.
        """

    def close(self) -> None:
        """Forget everything that was not published."""


class Store(Protocol):
    """A place that keeps whole files.  Thread-safe; errors are ``StoreError``."""

    url: str
    """Names the store; never holds a secret."""

    @property
    def traits(self) -> Traits:
        """What this place differs in."""

    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        """Yield everything below the folder ``prefix``, ascending by code point of the whole key.

        ``prefix`` is "" or a folder without a trailing slash; the folders ``without`` (whole keys) are not entered.
        Nothing is skipped in silence: what is no plain file, or cannot be read, comes as an Oddity.  The store's own
        temporary files come too (see ``is_leftover``).
        Raises NotFound when the root of the store is not there; a prefix that is not there is just empty.
        """

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Yield the names (not paths) of the folders directly below ``prefix``, ascending; links are no folders."""

    def stat(self, key: str) -> Entry:
        """Say what stands under ``key``; raises NotFound, NotAFile."""

    def read(self, key: str, *, past_cache: bool = False) -> Reader:
        """Open a file for reading, without ever blocking and without leaving the store; raises NotFound, NotAFile."""

    def busy(self, key: str) -> str:
        """Say who has the file open for writing, as a phrase ("open in python3"), or "" when nobody seems to."""

    def stage(self, owner: str = "") -> Staging:
        """Begin to write; ``owner`` marks the temporary names, so that only their owner ever removes them.

        It is made of the letters a to z and digits, at most 16 of them.
        """

    def delete(self, key: str) -> None:
        """Remove one file, durably; raises NotFound."""

    def is_leftover(self, key: str, owner: str) -> bool:
        """Say whether ``key`` is a temporary name that a killed run of ``owner`` left behind."""

    def volume(self) -> str:
        """Name the volume that the root lies on, so that another disk under the same path is noticed."""

    def free_bytes(self) -> int | None:
        """Say how much room is left, None where nobody can tell."""

    def probe_names(self) -> NameRules:
        """Find out what this place does to names by writing, listing and removing test files in its own folder."""

    def make(self) -> None:
        """Make the place itself when it is not there, but not what would have to hold it; for init and restore."""

    def close(self) -> None:
        """Let go of what is open; the store can be used again afterwards."""


@runtime_checkable
class Remarking(Protocol):
    """A store that may have something to say about the server behind it."""

    def remarks(self) -> Iterator[str]:
        """Say what a person should know or set right, a sentence each, with the next step; for doctor.

        It may write below coldchain's own folder to find out, and removes what it wrote.  Raises StoreError.
        """


KINDS = {
    "az": "coldchain.stores.azure.store:AzureStore",
    "file": "coldchain.stores.local.store:LocalStore",
    "gs": "coldchain.stores.gcs.store:GcsStore",
    "memory": "coldchain.testing.memory:MemoryStore",
    "rclone": "coldchain.stores.rclone.store:RcloneStore",
    "s3": "coldchain.stores.s3.store:S3Store",
    "sftp": "coldchain.stores.sftp.store:SftpStore",
    "smb": "coldchain.stores.smb.store:SmbStore",
}
"""Where each kind lies; it is imported when it is opened.  A kind is made of a URL and, if it has any, its options."""

FALLBACK = "coldchain.stores.fsspec.store:FsspecStore"
"""Takes every other scheme that fsspec knows, and any scheme behind ``fsspec+``."""

_SIGN_IN = frozenset({"sftp", "smb", "s3"})
"""Kinds that can be told a password (S3: ``KEY:SECRET``), besides all those that the fallback opens."""

WRAPPERS = {
    "retries": "coldchain.stores.wrapped.retrying:retrying",
    "bandwidth": "coldchain.stores.wrapped.throttled:throttled",
}
"""Options of every remote place, and what is put around its store for them, from the inside to the outside."""


def scheme_of(url: str) -> str:
    """The kind of store that a URL or a plain path names (a Windows drive letter is no scheme)."""
    scheme = urlsplit(url).scheme if "://" in url else ""
    return scheme or "file"


def open_store(place: Place) -> Store:
    """Open the store that ``place`` names, in the wrappers that its options ask for; imports what it needs only now."""
    own = {name: value for name, value in place.options if name not in WRAPPERS}
    options: dict[str, Any] = {"options": own} if own else {}
    if place.secret is not None:
        if scheme_of(place.url) in KINDS.keys() - _SIGN_IN:
            raise ConfigurationError(f"{place.url}: a password in the URL is of no use here; take it out")
        options["secret"] = place.secret
    store: Store = _named(KINDS.get(scheme_of(place.url), FALLBACK))(place.url, **options)
    for name, wrapper in WRAPPERS.items():
        if value := dict(place.options).get(name):
            store = _named(wrapper)(store, value)
    return store


def _named(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)
