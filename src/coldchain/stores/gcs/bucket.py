"""Which requests does Google's server answer, and with what?"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from coldchain.errors import NameRefused, NotFound, StoreError
from coldchain.model import OWN_FOLDER
from coldchain.stores.away import Away
from coldchain.stores.gcs.access import GOOGLE, client_for, endpoint_of
from coldchain.stores.gcs.session import Session
from coldchain.stores.gcs.sums import GcsSums, sums_of
from coldchain.stores.gcs.trouble import judge, status_of
from coldchain.stores.gcs.where import Where
from coldchain.stores.objects.bucket import Abilities, Found
from coldchain.stores.objects.held import Held
from coldchain.stores.objects.keys import fault_in, note_of
from coldchain.stores.objects.paging import paged
from coldchain.stores.objects.patience import Patience
from coldchain.stores.objects.reading import look_and_get
from coldchain.stores.objects.refusing import refuses

_T = TypeVar("_T")
_KEY_LIMIT = 1024
"""Bytes of UTF-8 (Cloud Storage, "About objects")."""
_TYPE = "application/octet-stream"
_FIELDS = "items(name,size,generation,timeCreated,crc32c,md5Hash),prefixes,nextPageToken"
_NEVER = 1
"""No object has this generation: they are microseconds since 1970."""


class _Page(NamedTuple):
    blobs: list[Any]
    folders: list[str]
    following: str


class GcsBucket:
    """One bucket from its root folder on; see ``objects.bucket``."""

    def __init__(self, where: Where, patience: Patience) -> None:
        """Find credentials; the server is asked nothing."""
        self._where, self._patience, self._away = where, patience, Away(patience.away_s)
        self.url = where.url
        try:
            self._client = client_for(where)
        except (StoreError, ImportError):
            raise
        except Exception as error:
            raise judge(error, url=self.url, key="").error from error
        self._bucket = self._client.bucket(where.bucket, user_project=where.pays or None)
        self._server = endpoint_of(where)
        self.in_order = self._server == GOOGLE  # "List objects": ordered lexicographically by name
        self.key_bytes = _KEY_LIMIT - len(where.prefix.encode())
        self._always = {"timeout": (patience.connect_s, patience.read_s), "retry": None}
        self._lock = threading.Lock()
        weakref.finalize(self, self._client.close)
        self._abilities: tuple[Abilities, Abilities] | None = None

    def _ask(self, path: str, deed: Callable[[], _T]) -> _T:
        return self._away.ask(
            lambda: self._patience.keep_trying(deed, lambda error: judge(error, url=self.url, key=path))
        )

    # --- names -------------------------------------------------------------------------------------------------------

    def refusal(self, path: str) -> str:
        """Google's own rules ("About objects", naming considerations)."""
        if reason := fault_in(path):
            return reason
        if "\r" in path or "\n" in path:
            return "Google keeps no line break in a name"
        key = self._where.prefix + path
        if key.startswith(".well-known/acme-challenge/"):
            return "Google keeps no such name"
        if len(key) > _KEY_LIMIT // 4 and (size_bytes := len(key.encode())) > _KEY_LIMIT:
            return f"the key would be {size_bytes:,} bytes long, a bucket keeps {_KEY_LIMIT:,}"
        return ""

    def _blob(self, path: str, mark: str = "", *, new: bool = False) -> Any:
        if reason := self.refusal(path):
            raise NameRefused(reason, url=self.url, key=path)
        blob = self._bucket.blob(
            self._where.prefix + path,
            generation=int(mark) if mark else None,
            kms_key_name=(self._where.kms_key or None) if new else None,
        )
        # coldchain's own files must stay cheap to read and replace, whatever class the data go to
        if new and self._where.storage_class and not path.startswith(f"{OWN_FOLDER}/"):
            blob.storage_class = self._where.storage_class
        return blob

    # --- reading -----------------------------------------------------------------------------------------------------

    def look(self, path: str, *, sums: bool = False) -> Found:
        """What stands there; the checksums are always shown."""
        blob = self._blob(path)
        self._ask(path, lambda: blob.reload(**self._always))
        return _found(blob)

    def first(self, path: str, length: int) -> tuple[Found, bytes | memoryview]:
        """Look, and ask for the beginning of what was seen."""
        return look_and_get(self, path, length)

    def get(self, path: str, offset: int, length: int, found: Found) -> bytes:
        """A piece, as it is stored: nothing is unpacked on the way."""
        blob = self._blob(path, found.mark)
        content: bytes = self._ask(
            path,
            lambda: blob.download_as_bytes(
                start=offset, end=offset + length - 1, raw_download=True, checksum=None, **self._always
            ),
        )
        return content

    def objects(self, folder: str, without: Collection[str] = ()) -> Iterator[tuple[str, Found]]:
        """A page of a thousand after the other."""
        for page in self._pages(self._start(folder), None):
            for blob in page.blobs:
                yield blob.name[len(self._where.prefix) :], _found(blob)

    def folders(self, folder: str) -> Iterator[str]:
        """The server itself cuts at the slash."""
        start = self._start(folder)
        for page in self._pages(start, "/"):
            for found in page.folders:
                yield found[len(start) : -1]

    def _start(self, folder: str) -> str:
        return self._where.prefix + (f"{folder}/" if folder else "")

    def _pages(self, start: str, delimiter: str | None) -> Iterator[_Page]:
        return paged(lambda token: self._ask("", lambda: self._page(start, delimiter, token)), self.url)

    def _page(self, start: str, delimiter: str | None, token: str, most: int = 1000) -> _Page:
        asked = self._client.list_blobs(
            self._bucket,
            prefix=start or None,
            delimiter=delimiter,
            page_size=most,
            page_token=token or None,
            fields=_FIELDS,
            **self._always,
        )
        page = next(asked.pages)
        return _Page(list(page), list(page.prefixes), asked.next_page_token or "")

    # --- writing -----------------------------------------------------------------------------------------------------

    def sums(self) -> GcsSums:
        """CRC-32C, and MD5 of what is sent whole."""
        return GcsSums(self._where.whole_bytes)

    def put(
        self, path: str, content: Held, metadata: Mapping[str, str], sums: Mapping[str, str], expected: Found | None
    ) -> str:
        """The checksums travel with it, and the server compares."""
        body, condition = bytes(content.content()), int(expected.mark) if expected else 0
        self._ask(path, lambda: self._put(path, body, metadata, condition, sums))
        return ""

    def seen(self, paths: Sequence[str]) -> Mapping[str, Found]:
        """Each is looked at by itself."""
        return {}

    def _put(
        self, path: str, content: bytes, metadata: Mapping[str, str], condition: int, sums: Mapping[str, str]
    ) -> None:
        blob = self._blob(path, new=True)
        blob.metadata = dict(metadata) or None
        blob.crc32c = sums["crc32c"]
        if "md5" in sums:
            blob.md5_hash = sums["md5"]
        blob.upload_from_string(
            content, content_type=_TYPE, checksum=None, if_generation_match=condition, **self._always
        )

    def begin(self, path: str, announced_bytes: int, metadata: Mapping[str, str], owner: str) -> Session:
        """The condition belongs to the upload from its beginning, so what stands there is looked at now."""
        try:
            replaces = self.look(path).mark
        except NotFound:
            replaces = ""
        blob = self._blob(path, new=True)
        blob.metadata = dict(metadata)
        address = self._ask(
            path,
            lambda: blob.create_resumable_upload_session(
                content_type=_TYPE, checksum=None, if_generation_match=int(replaces or 0), **self._always
            ),
        )
        return Session(
            address,
            replaces,
            self._where.part_bytes,
            self._patience,
            lambda error: judge(error, url=self.url, key=path),
        )

    def delete(self, path: str, found: Found | None) -> None:
        """Where the bucket keeps versions, it keeps this one."""
        blob = self._blob(path)
        condition = {"if_generation_match": int(found.mark)} if found else {}
        self._ask(path, lambda: blob.delete(**condition, **self._always))

    # --- what was seen of the server ---------------------------------------------------------------------------------

    def abilities(self, owner: str, *, large: bool) -> Abilities:
        """Try once what must be refused; a server that keeps its word is left as it was."""
        with self._lock:
            if self._abilities is None:
                path = note_of(owner)
                try:
                    heeds = self._refuses(412, lambda: self._put(path, b"", {}, _NEVER, sums_of(b"")))
                    whole = self._refuses(400, lambda: self._put(path, b"a", {}, 0, {"crc32c": _crc32c(b"b")}))
                    pieces = self._refuses(400, lambda: self._put_in_session(path + "x", owner))
                finally:
                    for made in (path, path + "x"):
                        with contextlib.suppress(StoreError):
                            self.delete(made, None)
                # a session's condition counts when it ends (googleapis/google-cloud-java#201); to see that, an object
                # would have to be left behind where a retention policy lies, and fake-gcs-server looks only when it
                # begins.  So there is a look of our own besides.
                self._abilities = (
                    Abilities(heeds, "crc32c" if whole else ""),
                    Abilities(heeds=False, vouches="crc32c" if pieces else ""),
                )
            return self._abilities[large]

    def _refuses(self, status: int, deed: Callable[[], Any]) -> bool:
        return self._ask("", refuses(status, deed, status_of))

    def _put_in_session(self, path: str, owner: str) -> None:
        session, published = self.begin(path, 1, {}, owner), False
        try:
            session.write(b"a")
            session.publish(None, {"crc32c": _crc32c(b"b")})
            published = True
        finally:
            session.close(published=published)

    def volume(self) -> str:
        """The names of Google's buckets are unique."""
        self._ask("", lambda: self._page(self._where.prefix, None, "", 1))
        server = "Google Cloud Storage" if self._server == GOOGLE else urlsplit(self._server).netloc
        return f"bucket {self._where.bucket} of {server}"


def _crc32c(content: bytes) -> str:
    return sums_of(content)["crc32c"]


def _found(blob: Any) -> Found:
    sums = {"crc32c": blob.crc32c, "md5": blob.md5_hash}
    return Found(
        int(blob.size),
        # a thousandth of a second is what the protocol says
        int(blob.time_created.timestamp() * 1000) * 1_000_000,
        str(blob.generation),
        int(blob.generation),
        blob.metadata or {},
        {name: value for name, value in sums.items() if value},
    )
