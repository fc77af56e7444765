"""How do the bytes of an object get here, over links that break?

The quick way first (``quick``); after it, a stream of botocore that is taken up again where it broke.
"""

from __future__ import annotations

from typing import Any

from coldchain.errors import Occupied, Unreliable
from coldchain.stores.objects.bucket import Found
from coldchain.stores.s3.calling import Caller, Facts
from coldchain.stores.s3.keys import found_in

_TRIES = 6
"""So often a broken stream is taken up again without a byte in between."""
_PIECE_BYTES = 1 << 20


def first_of(call: Caller, path: str, key: str, length: int) -> tuple[Found, bytes | memoryview]:
    """An object and its first bytes in one request, which some servers refuse of an empty object."""
    if call.quick and (got := call.quick.get(key, 0, length)):
        return found_in(got.facts), got.content
    for _ in range(_TRIES):
        facts = call("get_object", path, Key=key, Range=f"bytes=0-{length - 1}")
        content = _until_it_breaks(facts["Body"], length)
        if "ContentRange" in facts:
            facts["ContentLength"] = int(facts["ContentRange"].rpartition("/")[2])
        if len(content) == min(length, facts["ContentLength"]):
            return found_in(facts), memoryview(content)
    raise Unreliable("the connection broke while it was read", url=call.url, key=path)


def piece_of(call: Caller, path: str, key: str, span: tuple[int, int], mark: str) -> bytes | memoryview:
    """The bytes from ``span[0]`` up to ``span[1]`` of the object with this ETag; raises Occupied if it is another."""
    start, end = span
    if call.quick and (got := call.quick.get(key, start, end, mark)):
        return got.content
    taken, tries = bytearray(), 0
    while start + len(taken) < end:
        facts = _asked(call, path, key, f"bytes={start + len(taken)}-{end - 1}", mark)
        came = _until_it_breaks(facts["Body"], end - start - len(taken))
        taken += came
        tries = 0 if came else tries + 1
        if tries == _TRIES:
            raise Unreliable("the connection breaks again and again", url=call.url, key=path)
    return memoryview(taken)


def _asked(call: Caller, path: str, key: str, span: str, mark: str) -> Facts:
    facts = call("get_object", path, Key=key, Range=span, IfMatch=mark)
    if str(facts.get("ETag", "")) != mark or "ContentRange" not in facts:
        facts["Body"].close()
        raise Occupied("another object has its name", url=call.url, key=path)
    return facts


def _until_it_breaks(body: Any, length: int) -> bytearray:
    """So many bytes, fewer where the stream ends before, by whatever error of the libraries below."""
    taken = bytearray()
    try:
        while len(taken) < length and (piece := body.read(min(_PIECE_BYTES, length - len(taken)))):
            taken += piece
    except Exception:
        return taken
    finally:
        body.close()
    return taken
