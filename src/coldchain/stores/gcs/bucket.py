"""Which requests does Google's server answer, and with what?"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from coldchain.errors import NameRefused, NotFound, StoreError
from coldchain.model import OWN_FOLDER
from coldchain.stores.gcs.access import GOOGLE, client_for, endpoint_of
from coldchain.stores.gcs.session import Session
from coldchain.stores.gcs.sums import GcsSums, sums_of
from coldchain.stores.gcs.trouble import judge, status_of
from coldchain.stores.gcs.where import Where
from coldchain.stores.objects.bucket import Abilities, Found
from coldchain.stores.objects.keys import fault_in
from coldchain.stores.objects.patience import Patience

_T = TypeVar("_T")
_KEY_LIMIT = 1024
"""Bytes of UTF-8 (Cloud Storage, "About objects")."""
_TYPE = "application/octet-stream"
_FIELDS = "items(name,size,generation,timeCreated,crc32c,md5Hash),prefixes,nextPageToken"
_NEVER = 1
"""No object has this generation: they are microseconds since 1970."""

_WAS_TAKEN = {404, 409, 412}
"""What another try meets when the first one was heard, and only its reply was lost."""


class _Page(NamedTuple):
    blobs: list[Any]
    folders: list[str]
    following: str


class GcsBucket:
    """One bucket from its root folder on; see ``objects.bucket``."""

    def __init__(self, where: Where, patience: Patience) -> None:
        """Find credentials; the server is asked nothing."""
        self._where, self._patience = where, patience
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
        self._always = {"timeout": (patience.connect_s, patience.read_s), "retry": None}
        self._lock = threading.Lock()
        self._abilities: Abilities | None = None

    def _ask(self, path: str, deed: Callable[[], _T]) -> _T:
        return self._patience.keep_trying(deed, lambda error: judge(error, url=self.url, key=path))

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

    def look(self, path: str) -> Found:
        """What stands there."""
        blob = self._blob(path)
        self._ask(path, lambda: blob.reload(**self._always))
        return _found(blob)

    def get(self, path: str, offset: int, length: int, found: Found) -> bytes:
        """A piece, as it is stored: nothing is unpacked on the way."""
        length = min(length, found.size_bytes - offset)
        if length <= 0:
            return b""
        blob = self._blob(path, found.mark)
        content: bytes = self._ask(
            path,
            lambda: blob.download_as_bytes(
                start=offset, end=offset + length - 1, raw_download=True, checksum=None, **self._always
            ),
        )
        return content

    def objects(self, folder: str) -> Iterator[tuple[str, Found]]:
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
        following = ""
        while True:
            page = self._ask("", lambda token=following: self._page(start, delimiter, token))  # type: ignore[misc]
            yield page
            if not page.following:
                return
            following = page.following

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

    def put(self, path: str, content: bytes, metadata: Mapping[str, str], expected: Found | None) -> None:
        """The checksums travel with it, and the server compares."""
        sums = sums_of(content)
        condition = int(expected.mark) if expected else 0
        self._ask(path, lambda: self._put(path, content, metadata, condition, sums))

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

    def begin(self, path: str, announced_bytes: int, metadata: Mapping[str, str]) -> Session:
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

    def abilities(self) -> Abilities:
        """Try once what must be refused; a server that keeps its word is left as it was."""
        with self._lock:
            if self._abilities is None:
                path = f"{OWN_FOLDER}/probe-{secrets.token_hex(8)}"
                try:
                    heeds = self._refuses(412, lambda: self._put(path, b"", {}, _NEVER, sums_of(b"")))
                    verifies = self._refuses(400, lambda: self._put(path, b"a", {}, 0, {"crc32c": _crc32c(b"b")}))
                    large = self._refuses(400, lambda: self._put_in_session(path + "x"))
                finally:
                    for made in (path, path + "x"):
                        with contextlib.suppress(StoreError):
                            self.delete(made, None)
                # a session's condition counts when it ends (googleapis/google-cloud-java#201); to see that, an object
                # would have to be left behind where a retention policy lies, and fake-gcs-server looks only when it
                # begins.  So there is a look of our own besides.
                self._abilities = Abilities(heeds, False, "crc32c" if verifies else "", "crc32c" if large else "")
            return self._abilities

    def _refuses(self, status: int, deed: Callable[[], None]) -> bool:
        def attempt() -> bool:
            try:
                deed()
            except Exception as error:
                said = status_of(error) or status_of(error.__cause__)
                if said == status or said in _WAS_TAKEN:
                    return said == status
                raise
            return False

        return self._ask("", attempt)

    def _put_in_session(self, path: str) -> None:
        session = self.begin(path, 1, {})
        try:
            session.write(b"a")
            session.publish(None, {"crc32c": _crc32c(b"b")})
        finally:
            session.abort()

    def volume(self) -> str:
        """The names of Google's buckets are unique."""
        self._ask("", lambda: self._page(self._where.prefix, None, "", 1))
        server = "Google Cloud Storage" if self._server == GOOGLE else urlsplit(self._server).netloc
        return f"bucket {self._where.bucket} of {server}"

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()


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
