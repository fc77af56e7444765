"""How is a bucket, or a folder in it, a store?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from coldchain.errors import ConfigurationError
from coldchain.model import Entry, Oddity, Secret
from coldchain.stores.base import Traits
from coldchain.stores.names import NameRules
from coldchain.stores.s3 import probe
from coldchain.stores.s3.calling import PATIENT, Caller, Patience
from coldchain.stores.s3.checksums import NAMES
from coldchain.stores.s3.connection import REQUESTS_AT_ONCE, Connection, connect
from coldchain.stores.s3.keys import SECOND_NS, entry_of, is_note, object_key
from coldchain.stores.s3.listing import folders_in, listed
from coldchain.stores.s3.parts import abort_noted
from coldchain.stores.s3.reading import S3Reader, look
from coldchain.stores.s3.remarks import remarks_on, remarks_on_bucket
from coldchain.stores.s3.staging import S3Staging
from coldchain.stores.s3.where import where

_TRAITS = Traits(
    mtime_step_ns=SECOND_NS,
    stable_inodes=True,
    vouches=NAMES,
    keeps_mtime=False,
    has_folders=False,
    proves_published=True,
)


class S3Store:
    """A bucket of Amazon S3, or of another server that speaks its protocol."""

    def __init__(
        self,
        url: str,
        *,
        options: Mapping[str, str] | None = None,
        patience: Patience = PATIENT,
        secret: Secret | None = None,
    ) -> None:
        """Name the place; nothing is asked and no package imported until it is used.

        Args:
            url: ``s3://bucket`` or ``s3://bucket/folder``.
            options: See docs/stores/s3.md; raises ConfigurationError for others.
            patience: How often a request is tried.
            secret: ``KEY:SECRET``, as it stood in the URL.
        """
        self._where = replace(where(url, options or {}), secret=secret)
        if secret is not None and (self._where.manner.profile or self._where.manner.anonymous):
            raise ConfigurationError(
                f"{self._where.url}: a key stands in the URL, and `profile` or `anonymous` beside it; take one out"
            )
        self.url = self._where.url
        self._patience = patience
        self._connected: Connection | None = None

    @property
    def traits(self) -> Traits:
        """An object's time is when it was written, in seconds; its inode stands for its ETag."""
        return _TRAITS

    @property
    def _connection(self) -> Connection:
        connection = self._connected
        if connection is None:
            connection = self._connected = connect(self._where, self._patience)
        return connection

    @property
    def _call(self) -> Caller:
        return self._connection.call

    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        """Yield what lies below ``prefix``; keys that can be no path are Oddities."""
        yield from listed(self._call, self._where, prefix, without, ordered=self._connection.in_order)

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Yield what a listing would show as folders."""
        yield from folders_in(self._call, self._where, prefix)

    def stat(self, key: str) -> Entry:
        """Say what stands under ``key``."""
        return entry_of(key, look(self._call, self._where, key))

    def read(self, key: str, *, past_cache: bool = False) -> S3Reader:
        """Open an object; no cache lies between."""
        return S3Reader(self._call, self._where, key, "get" if past_cache else "cached")

    def busy(self, key: str) -> str:
        """Objects appear when they are whole, so nobody is seen writing one."""
        return ""

    def stage(self, owner: str = "") -> S3Staging:
        """Begin to write."""
        return S3Staging(self._connection, self._where, owner)

    def delete(self, key: str) -> None:
        """Remove one object; with what tells of an upload goes the upload."""
        name = object_key(self._where, key)
        look(self._call, self._where, key)
        if is_note(key):
            abort_noted(self._call, self._where, name)
        self._call("delete_object", key, Key=name)

    def is_leftover(self, key: str, owner: str) -> bool:
        """Say whether ``key`` tells of an upload in parts that a killed run of ``owner`` began."""
        return is_note(key, owner or "_")

    def volume(self) -> str:
        """Name server and bucket; raises NotFound when there is no such bucket."""
        # a listing, because its refusals say in words what a HEAD says by a bare status
        self._call("list_objects_v2", Prefix=self._where.prefix, MaxKeys=1)
        return f"bucket {self._where.bucket} of {self._connection.server}"

    def free_bytes(self) -> int | None:
        """Nobody can tell."""
        return None

    def probe_names(self) -> NameRules:
        """Find out what the server does to names by writing, listing and removing objects in coldchain's own folder."""
        return probe.probe_names(self._call, self._where, REQUESTS_AT_ONCE)

    def remarks(self) -> Iterator[str]:
        """Say what a user should know of server and bucket; see ``Remarking``."""
        yield from remarks_on(self._connection.abilities(""), self._connection.in_parts(""))
        yield from remarks_on_bucket(self._call)

    def make(self) -> None:
        """Nothing, for folders need not be made; raises NotFound when there is no bucket to hold it."""
        self.volume()

    def close(self) -> None:
        """Let go of the connection, unless somebody else has the same place open."""
        self._connected = None
