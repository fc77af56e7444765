"""How does a small object travel at a fraction of the cost?

obstore takes a fifth of the CPU time of botocore (docs/performance.md), but tells errors apart only by text, heeds no
Retry-After, and does not show checksums.  So it gets one try, and answers only what went well; whatever it cannot do,
or did not do, is None, and the caller asks again the patient way (``calling``), which finds out what is wrong.  A reply
that was lost is recognised there, as after any other try.

After a process has forked, obstore's threads are missing in the child, which would wait for ever
(developmentseed/obstore #441): there it is not used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, NamedTuple

from coldchain.stores.objects.patience import Patience
from coldchain.stores.s3.calling import Facts
from coldchain.stores.s3.where import Where

LIMIT_BYTES = 4 << 20
"""A body is held in memory as a whole, and many are under way at once."""
_SLOWEST_BYTES_S = LIMIT_BYTES // 120
"""The patience with a request is for all of it, so it must reach for the body over the slowest link of use: 35 kB/s."""
_MOST_FAILURES = 20
"""So many without a success between them, and it is left alone: the server or the link is not made for it."""
_ASK_AGAIN = timedelta(minutes=5)
"""Credentials that expire are asked for again; botocore renews them fifteen minutes before their end."""
_ANSWERS = frozenset({"AlreadyExistsError", "PreconditionError", "FileNotFoundError"})
"""The server said no, in good health (exceptions of obstore, by name)."""


class Got(NamedTuple):
    """A piece of an object, and what is said of the whole."""

    facts: Facts
    content: memoryview


class Quick:
    """Requests for objects of one bucket; thread-safe, and every answer may be None."""

    def __init__(self, library: Any, store: Any, limit_bytes: int = LIMIT_BYTES) -> None:
        self._library, self._store = library, store
        self.limit_bytes = limit_bytes
        """Larger bodies and pieces go the patient way."""
        self._process = os.getpid()
        self._failures = 0

    def put(self, key: str, body: bytes | bytearray, metadata: Mapping[str, str], condition: Facts) -> Facts | None:
        """Send an object whole, with its SHA-256, under ``IfNoneMatch: *``, ``IfMatch`` or no condition."""
        if len(body) > self.limit_bytes:
            return None
        mode: Any = "create" if "IfNoneMatch" in condition else "overwrite"
        if "IfMatch" in condition:
            mode = {"e_tag": condition["IfMatch"]}
        sent = self._try("put", key, body, attributes=dict(metadata), mode=mode, use_multipart=False)
        if sent is None or not sent["e_tag"]:
            return None
        return {"ETag": sent["e_tag"], "VersionId": sent["version"] or ""}

    def look(self, key: str) -> Facts | None:
        """Ask for size, time and ETag."""
        meta = self._try("head", key)
        return None if meta is None else _facts(meta)

    def get(self, key: str, start: int, end: int, etag: str = "") -> Got | None:
        """Read from ``start`` up to ``end``, or the end of the object; of this ETag only, if one is given."""
        if end - start > self.limit_bytes:
            return None
        options: dict[str, object] = {"range": (start, end)}
        if etag:
            options["if_match"] = etag
        found = self._try("get", key, options=options)
        if found is None:
            return None
        try:
            content = memoryview(found.bytes())
        except Exception:
            self._failures += 1
            return None  # a broken stream, by whatever error
        facts = _facts(found.meta)
        whole = len(content) == min(end, facts["ContentLength"]) - start
        return Got(facts, content) if whole and (not etag or facts["ETag"] == etag) else None

    def _try(self, verb: str, key: str, *arguments: Any, **named: Any) -> Any:
        if self._failures >= _MOST_FAILURES or os.getpid() != self._process:
            return None
        try:
            found = getattr(self._library, verb)(self._store, key, *arguments, **named)
        except Exception as error:
            if not _is_answer(error):
                self._failures += 1
            return None  # why is found out the patient way
        self._failures = 0
        return found


def _is_answer(error: Exception) -> bool:
    """Whether nothing is wrong with the way: the server said no, or obstore has no way to say this key."""
    empty = "416 " in str(error) or "did not return Partial Content" in str(error)  # an empty object has no first byte
    return type(error).__name__ in _ANSWERS or isinstance(error, ValueError) or empty


def quick_way(where: Where, patience: Patience, client: Any, credentials: Any) -> Quick | None:
    """Requests by obstore with the server and the rights that botocore found, None where that cannot be done.

    Storage class, tags and encryption of new objects, and who pays, are said by botocore only.
    """
    manner = where.manner
    if manner.on_write or manner.requester_pays or (credentials is None and not manner.anonymous):
        return None
    try:
        library = import_module("obstore")
        s3 = import_module("obstore.store").S3Store
    except ImportError:
        return None
    endpoint, virtual = client.meta.endpoint_url, manner.addressing == "virtual" or not manner.endpoint
    if virtual and "." in where.bucket:
        return None  # no certificate fits it as the name of a host
    if virtual:
        endpoint = endpoint.replace("://", f"://{where.bucket}.", 1)
    config = {
        "endpoint": endpoint,
        "virtual_hosted_style_request": virtual,
        "region": client.meta.region_name,
        "checksum_algorithm": "SHA256",
        "skip_signature": manner.anonymous,
    }
    limits = {"timeout": _said(patience.read_s), "connect_timeout": _said(patience.connect_s), "allow_http": True}
    rights = {} if manner.anonymous else {"credential_provider": _provider(credentials)}
    once = {"max_retries": 0, "retry_timeout": timedelta(seconds=patience.read_s)}
    try:
        store = s3(where.bucket, config=config, client_options=limits, retry_config=once, **rights)
    except Exception:
        return None  # an endpoint or region that obstore does not understand
    return Quick(library, store, min(LIMIT_BYTES, int(patience.read_s * _SLOWEST_BYTES_S)))


def _said(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _provider(credentials: Any) -> Any:
    """Where obstore asks for the rights that botocore keeps fresh."""
    renewed = hasattr(credentials, "refresh_needed")

    def provide() -> dict[str, object]:
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _ASK_AGAIN if renewed else None,
        }

    return provide


def _facts(meta: Any) -> Facts:
    """In the words of the protocol, as botocore says them."""
    return {"ETag": meta["e_tag"] or "", "ContentLength": meta["size"], "LastModified": meta["last_modified"]}
