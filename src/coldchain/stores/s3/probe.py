"""What does a server do to names?

Amazon keeps every key of up to 1,024 bytes of UTF-8; servers that keep objects as files have limits of their own.
Small objects are made under telling names in coldchain's own folder, which is listed once and emptied.
"""

from __future__ import annotations

import contextlib
import secrets
import unicodedata
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from coldchain.errors import NotFound, StoreError, StoreFull, StoreGone, Unreliable
from coldchain.model import OWN_FOLDER
from coldchain.stores.names import NameRules
from coldchain.stores.s3.calling import Caller
from coldchain.stores.s3.listing import listed
from coldchain.stores.s3.where import Where

_PLAIN = "fold"
_COMPOSED = "\u00e9"
_DECOMPOSED = unicodedata.normalize("NFD", _COMPOSED)
_SPECIAL = {character: f"{number}{character}x" for number, character in enumerate('<>:"|?*\\')}
_CONTROL = "c\x01\n\x1fx"
_RESERVED = ("CON", "nul.txt")
_DOT, _SPACE = "dot.", "space "
_KEY_LIMIT, _FILE_LIMIT = 1024, 255


def probe_names(call: Caller, where: Where, workers: int) -> NameRules:
    """Find out; raises StoreError when nothing can be written, and leaves nothing behind."""
    folder = f"{OWN_FOLDER}/probe-{secrets.token_hex(8)}"
    room = _KEY_LIMIT - len(f"{where.prefix}{folder}/".encode())
    longest = "n" * room
    names = (
        *(_PLAIN, _COMPOSED, *_SPECIAL.values(), _CONTROL),
        *(*_RESERVED, _DOT, _SPACE, "n" * _FILE_LIMIT, longest),
    )
    inside = f"{where.prefix}{folder}/"
    with ThreadPoolExecutor(workers) as pool:
        try:
            list(pool.map(lambda name: _try(call, inside + name), names))
            kept = {item.path.removeprefix(f"{folder}/") for item in listed(call, where, folder, (), ordered=False)}
            if _PLAIN not in kept:
                raise Unreliable("an object that was just made does not show up in a listing", url=where.url)
            return NameRules(
                folds_case=_stands(call, inside + _PLAIN.upper()),
                folds_unicode=_COMPOSED not in kept or _stands(call, inside + _DECOMPOSED),
                forbidden="".join(character for character, name in _SPECIAL.items() if name not in kept),
                control_characters=_CONTROL in kept,
                trailing_dot=_DOT in kept,
                trailing_space=_SPACE in kept,
                reserved_words=kept.issuperset(_RESERVED),
                invalid_utf8=False,
                name_limit=_KEY_LIMIT if longest in kept else _FILE_LIMIT,
                key_bytes=_KEY_LIMIT - len(where.prefix.encode()),
            )
        finally:
            _clear(call, where, folder, names, pool)


def _try(call: Caller, key: str) -> None:
    """A name that is refused is not listed; trouble with the place is no answer."""
    try:
        call("put_object", Key=key, Body=b"")
    except (StoreFull, StoreGone, Unreliable):
        if key.endswith(_PLAIN) or len(key) < _FILE_LIMIT:
            raise
    except StoreError:
        if key.endswith(_PLAIN):
            raise


def _stands(call: Caller, key: str) -> bool:
    try:
        call("head_object", Key=key)
    except NotFound:
        return False
    return True


def _clear(call: Caller, where: Where, folder: str, names: Iterable[str], pool: ThreadPoolExecutor) -> None:
    """Remove the objects under the names that they were given, and those that they have now."""

    def remove(path: str) -> None:
        with contextlib.suppress(StoreError):
            call("delete_object", Key=f"{where.prefix}{path}")

    with contextlib.suppress(StoreError):
        there = {item.path for item in listed(call, where, folder, (), ordered=False)}
        list(pool.map(remove, there | {f"{folder}/{name}" for name in names if len(name) <= _FILE_LIMIT}))
