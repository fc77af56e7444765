"""Which requests does Azure's server answer, and with what?"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import weakref
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from coldchain.errors import NameRefused, StoreError
from coldchain.model import OWN_FOLDER
from coldchain.stores.away import Away
from coldchain.stores.azure.access import account_of, container_for
from coldchain.stores.azure.blocks import Blocks, Verbs
from coldchain.stores.azure.names import refusal
from coldchain.stores.azure.trouble import judge, status_of
from coldchain.stores.azure.where import Where
from coldchain.stores.objects.bucket import Abilities, Found
from coldchain.stores.objects.held import Held
from coldchain.stores.objects.keys import note_of
from coldchain.stores.objects.paging import paged
from coldchain.stores.objects.patience import Patience
from coldchain.stores.objects.reading import look_and_get
from coldchain.stores.objects.refusing import refuses

_T = TypeVar("_T")
_PAGE = 5000
_TYPE = "application/octet-stream"
_NEVER = '"0x0"'
"""No blob has this ETag."""
_OWN_TIER = "Hot"


class _Page(NamedTuple):
    items: list[Any]
    following: str


class Md5Sums:
    """The only checksum that Azure shows."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, chunk: bytes | memoryview) -> None:
        """Take the next piece."""
        self._md5.update(chunk)

    def values(self) -> Mapping[str, str]:
        """As the protocol writes it."""
        return {"md5": b64encode(self._md5.digest()).decode()}


class Container:
    """One container from its root folder on; see ``objects.bucket.Bucket``."""

    in_order = False
    """Accounts with true folders list them in an order of their own."""
    key_bytes = 0
    """Azure counts characters."""

    def __init__(self, where: Where, patience: Patience) -> None:
        """Find credentials; the server is asked nothing."""
        self._where, self._patience, self._away = where, patience, Away(patience.away_s)
        self.url = where.url
        account = account_of(where)
        self._server = urlsplit(account.endpoint).netloc
        self._account = account.name
        self._client = container_for(where, account, patience)
        blob = import_module("azure.storage.blob")
        self._settings, self._block, self._tier = blob.ContentSettings, blob.BlobBlock, blob.StandardBlobTier
        self._match = import_module("azure.core").MatchConditions
        self._lock = threading.Lock()
        weakref.finalize(self, self._client.close)
        self._abilities: tuple[Abilities, Abilities] | None = None

    def _ask(self, path: str, deed: Callable[[], _T]) -> _T:
        return self._away.ask(
            lambda: self._patience.keep_trying(deed, lambda error: judge(error, url=self.url, key=path))
        )

    def refusal(self, path: str) -> str:
        """Azure's own rules."""
        return refusal(self._where.prefix + path)

    def _blob(self, path: str) -> Any:
        if reason := self.refusal(path):
            raise NameRefused(reason, url=self.url, key=path)
        return self._client.get_blob_client(self._where.prefix + path)

    # --- reading -----------------------------------------------------------------------------------------------------

    def look(self, path: str, *, sums: bool = False) -> Found:
        """What stands there; the checksum is always shown."""
        blob = self._blob(path)
        return _found(self._ask(path, blob.get_blob_properties))

    def first(self, path: str, length: int) -> tuple[Found, bytes | memoryview]:
        """Look, and ask for the beginning of what was seen."""
        return look_and_get(self, path, length)

    def get(self, path: str, offset: int, length: int, found: Found) -> bytes:
        """A piece of the blob with this ETag."""
        blob, same = self._blob(path), self._condition(found)
        return self._ask(
            path, lambda: bytes(blob.download_blob(offset=offset, length=length, max_concurrency=1, **same).readall())
        )

    def objects(self, folder: str, without: Collection[str] = ()) -> Iterator[tuple[str, Found]]:
        """A page of five thousand after the other; with metadata, which tell true folders from blobs."""
        start = self._start(folder)
        for page in self._pages(
            lambda: self._client.list_blobs(
                name_starts_with=start or None, include=["metadata"], results_per_page=_PAGE
            )
        ):
            for blob in page.items:
                yield blob.name[len(self._where.prefix) :], _found(blob)

    def folders(self, folder: str) -> Iterator[str]:
        """The server itself cuts at the slash."""
        start = self._start(folder)
        for page in self._pages(
            lambda: self._client.walk_blobs(name_starts_with=start or None, delimiter="/", results_per_page=_PAGE)
        ):
            for item in page.items:
                if item.name.endswith("/"):
                    yield item.name[len(start) : -1]

    def _start(self, folder: str) -> str:
        return self._where.prefix + (f"{folder}/" if folder else "")

    def _pages(self, begin: Callable[[], Any]) -> Iterator[_Page]:
        def page(token: str) -> _Page:
            pages = begin().by_page(continuation_token=token or None)
            return _Page(list(next(pages, ())), pages.continuation_token or "")

        return paged(lambda token: self._ask("", lambda: page(token)), self.url)

    # --- writing -----------------------------------------------------------------------------------------------------

    def sums(self) -> Md5Sums:
        """MD5."""
        return Md5Sums()

    def _condition(self, expected: Found | None) -> dict[str, Any]:
        if expected is None:
            return {"match_condition": self._match.IfMissing}
        return {"etag": expected.mark, "match_condition": self._match.IfNotModified}

    def _given(self, path: str) -> dict[str, Any]:
        """coldchain's own files must stay readable, whatever tier the data go to."""
        own = path.startswith(f"{OWN_FOLDER}/")
        tier = (_OWN_TIER if own else self._where.tier) if self._where.tier else ""
        return {"standard_blob_tier": self._tier(tier)} if tier else {}

    def put(
        self, path: str, content: Held, metadata: Mapping[str, str], sums: Mapping[str, str], expected: Found | None
    ) -> str:
        """The MD5 travels with it, and the server compares."""
        body, condition = bytes(content.content()), self._condition(expected)
        self._ask(path, lambda: self._put(path, body, metadata, condition, {"Content-MD5": sums["md5"]}))
        return ""

    def seen(self, paths: Sequence[str]) -> Mapping[str, Found]:
        """Each is looked at by itself."""
        return {}

    def _put(
        self,
        path: str,
        content: bytes,
        metadata: Mapping[str, str],
        condition: Mapping[str, Any],
        headers: Mapping[str, str],
    ) -> None:
        self._blob(path).upload_blob(
            content,
            length=len(content),
            overwrite=True,  # or not, as the condition says
            metadata=dict(metadata),
            content_settings=self._settings(content_type=_TYPE),
            headers=dict(headers),
            **condition,
            **self._given(path),
        )

    def begin(self, path: str, announced_bytes: int, metadata: Mapping[str, str], owner: str) -> Blocks:
        """Nothing is asked before the first block."""
        blob = self._blob(path)

        def stage(name: str, block: bytes) -> None:
            self._ask(path, lambda: blob.stage_block(name, block, length=len(block), validate_content=True))

        def commit(names: list[str], expected: Found | None, md5: bytes) -> None:
            settings = self._settings(content_type=_TYPE, content_md5=bytearray(md5))
            listed = [self._block(block_id=name) for name in names]
            self._ask(
                path,
                lambda: blob.commit_block_list(
                    listed,
                    content_settings=settings,
                    metadata=dict(metadata),
                    validate_content=True,
                    **self._condition(expected),
                    **self._given(path),
                ),
            )

        verbs = Verbs(stage, commit, lambda reason: StoreError(reason, url=self.url, key=path))
        return Blocks(verbs, self._where.part_bytes, announced_bytes)

    def delete(self, path: str, found: Found | None) -> None:
        """Where the account keeps versions or deleted blobs, it keeps this one."""
        blob, condition = self._blob(path), self._condition(found) if found else {}
        self._ask(path, lambda: blob.delete_blob(**condition))

    # --- what was seen of the server ---------------------------------------------------------------------------------

    def abilities(self, owner: str, *, large: bool) -> Abilities:
        """Try once what must be refused; a server that keeps its word is left as it was."""
        with self._lock:
            if self._abilities is None:
                path = note_of(owner)
                wrong = {"Content-MD5": b64encode(hashlib.md5(b"b", usedforsecurity=False).digest()).decode()}
                never = {"etag": _NEVER, "match_condition": self._match.IfNotModified}
                refused = False
                try:
                    heeds = self._refuses(412, lambda: self._put(path, b"", {}, never, {}))
                    whole = self._refuses(400, lambda: self._put(path, b"a", {}, self._condition(None), wrong))
                    blocks = self._refuses(
                        400, lambda: self._blob(path).stage_block("probe", b"a", length=1, headers=wrong)
                    )
                    ends = self._refuses(412, lambda: self._blob(path).commit_block_list([], **never))
                    refused = heeds and whole and ends
                finally:
                    if not refused:
                        with contextlib.suppress(StoreError):
                            self.delete(path, None)
                self._abilities = Abilities(heeds, "md5" if whole else ""), Abilities(ends, "md5" if blocks else "")
            return self._abilities[large]

    def _refuses(self, status: int, deed: Callable[[], Any]) -> bool:
        return self._ask("", refuses(status, deed, status_of))

    def volume(self) -> str:
        """The names of Azure's accounts are unique."""

        def page() -> list[Any]:
            asked = self._client.list_blobs(name_starts_with=self._where.prefix or None, results_per_page=1)
            return list(next(asked.by_page(), ()))

        self._ask("", page)
        return f"container {self._where.container} of {self._account} at {self._server}"


def _found(blob: Any) -> Found:
    """From the properties of a blob, or what a listing says of it."""
    etag = str(blob.etag)
    etag = etag if etag.startswith('"') else f'"{etag}"'
    md5 = blob.content_settings.content_md5
    number = int.from_bytes(hashlib.blake2b(etag.encode(), digest_size=8).digest()) >> 1
    metadata = {str(name).lower(): str(value) for name, value in (blob.metadata or {}).items()}
    return Found(
        int(blob.size),
        int(blob.last_modified.timestamp()) * 1_000_000_000,
        etag,
        number,
        metadata,
        {"md5": b64encode(md5).decode()} if md5 else {},
        is_folder=metadata.get("hdi_isfolder") == "true",
    )
