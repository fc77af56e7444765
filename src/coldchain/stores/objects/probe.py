"""What does a server do to names?

Small objects are made under telling names in coldchain's own folder, which is listed once and emptied.
"""

from __future__ import annotations

import contextlib
import hashlib
import unicodedata
from base64 import b64encode
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor

from coldchain.errors import NameRefused, NotFound, Occupied, StoreError, Unreliable
from coldchain.model import OWN_FOLDER
from coldchain.stores.names import NameRules
from coldchain.stores.objects.bucket import Bucket
from coldchain.stores.objects.held import Held
from coldchain.stores.probing import abandoned, is_probing_folder, probing_folder

_PLAIN = "fold"
_COMPOSED = "\u00e9"
_DECOMPOSED = unicodedata.normalize("NFD", _COMPOSED)
_SPECIAL = {character: f"{number}{character}x" for number, character in enumerate('<>:"|?*\\')}
_CONTROL = "c\x01\n\x1fx"
_RESERVED = ("CON", "nul.txt")
_DOT, _SPACE = "dot.", "space "
_SHA256 = b64encode(hashlib.sha256().digest()).decode()
_KEY_LIMIT, _FILE_LIMIT = 1024, 255


def probe_names(bucket: Bucket, workers: int) -> NameRules:
    """Find out; raises StoreError when nothing can be written, and leaves nothing behind."""
    folder = probing_folder()
    longest = _longest(bucket, folder)
    names = {_PLAIN, _COMPOSED, *_SPECIAL.values(), _CONTROL, *_RESERVED, _DOT, _SPACE, "n" * _FILE_LIMIT, longest}
    with ThreadPoolExecutor(workers) as pool:
        try:
            list(pool.map(lambda name: _try(bucket, f"{folder}/{name}"), names))
            kept = {path.removeprefix(f"{folder}/") for path, _ in bucket.objects(folder)}
            if _PLAIN not in kept:
                raise Unreliable("an object that was just made does not show up in a listing", url=bucket.url)
            return NameRules(
                folds_case=_stands(bucket, f"{folder}/{_PLAIN.upper()}"),
                folds_unicode=_COMPOSED not in kept or _stands(bucket, f"{folder}/{_DECOMPOSED}"),
                forbidden="".join(character for character, name in _SPECIAL.items() if name not in kept),
                control_characters=_CONTROL in kept,
                trailing_dot=_DOT in kept,
                trailing_space=_SPACE in kept,
                reserved_words=kept.issuperset(_RESERVED),
                invalid_utf8=False,
                name_limit=_KEY_LIMIT if longest in kept else _FILE_LIMIT,
                key_bytes=bucket.key_bytes,
            )
        finally:
            _sweep(bucket, folder, pool)
            _clear(bucket, folder, names, pool)


def _longest(bucket: Bucket, folder: str) -> str:
    """As long as the whole key may be."""
    room = next((n for n in range(_KEY_LIMIT, _FILE_LIMIT, -1) if not bucket.refusal(f"{folder}/{'n' * n}")), 0)
    return "n" * (room or _FILE_LIMIT)


def _try(bucket: Bucket, path: str) -> None:
    """A name that is refused is not listed; trouble with the place is no answer."""
    if bucket.refusal(path):
        return
    try:
        bucket.put(path, Held(), {}, {**bucket.sums().values(), "sha256": _SHA256}, None)
    except (NameRefused, Occupied):  # it stands there: the reply of an earlier try was lost
        return
    except StoreError as error:
        # any other "no" to a strange name is an answer as well, and so is a server that fails of a long one
        trouble = (error.ends_store or error.temporary) and len(path) < _FILE_LIMIT
        if path.endswith(f"/{_PLAIN}") or trouble:
            raise


def _stands(bucket: Bucket, path: str) -> bool:
    try:
        bucket.look(path)
    except NotFound:
        return False
    return True


def _sweep(bucket: Bucket, mine: str, pool: Executor) -> None:
    """Remove what probes left that were ended."""
    with contextlib.suppress(StoreError):
        folders = [f"{OWN_FOLDER}/{name}" for name in bucket.folders(OWN_FOLDER)]
        inside = {folder: list(bucket.objects(folder)) for folder in folders if is_probing_folder(folder)}
        written_s = {folder: max(found.mtime_ns for _, found in held) / 1e9 for folder, held in inside.items() if held}
        for folder in abandoned(written_s, mine):
            _clear(bucket, folder, (), pool)


def _clear(bucket: Bucket, folder: str, names: Iterable[str], pool: Executor) -> None:
    """Remove the objects under the names that they were given, and those that they have now."""

    def remove(path: str) -> None:
        with contextlib.suppress(StoreError):
            bucket.delete(path, None)

    with contextlib.suppress(StoreError):
        there = {path for path, _ in bucket.objects(folder)}
        given = {path for name in names if not bucket.refusal(path := f"{folder}/{name}")}
        list(pool.map(remove, there | given if len(there) < len(given) else there))
