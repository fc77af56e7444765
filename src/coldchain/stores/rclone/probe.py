"""What does a remote do to names?

rclone replaces characters that a remote cannot keep by others, and gives them back: what counts is whether a name that
was written is listed unchanged.  Small files are made under telling names in coldchain's own folder, which is listed
and removed.
"""

from __future__ import annotations

import contextlib
import secrets
import unicodedata
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from coldchain.errors import Denied, StoreError, Unreliable
from coldchain.model import OWN_FOLDER, Entry
from coldchain.stores.names import NameRules
from coldchain.stores.rclone.calling import Facts
from coldchain.stores.rclone.remote import Remote
from coldchain.stores.rclone.spool import Waiting

_PLAIN, _UMLAUT = "fold", "\u00fcb"
_COMPOSED = "\u00e9"
_DECOMPOSED = unicodedata.normalize("NFD", _COMPOSED)
_SPECIAL = {character: f"{number}{character}x" for number, character in enumerate('<>:"|?*\\')}
_CONTROL = "c\x01\t\x1f\x7fx"
_RESERVED = ("CON", "nul.txt")
_DOT, _SPACE = "dot.", "space "
_LIMIT = 255
_LONG, _LONG_UTF_16 = "n" * _LIMIT, "\u6e2c" * _LIMIT
_STEPS = 7
"""So many lengths are tried at once where the longest name is not kept (crypt keeps 143 bytes of 255)."""


def probe_names(remote: Remote) -> NameRules:
    """Find out; raises StoreError when nothing can be written, and leaves nothing behind."""
    folder = f"{OWN_FOLDER}/probe-{secrets.token_hex(8)}"
    names = (
        *(_PLAIN, _UMLAUT, _COMPOSED, *_SPECIAL.values(), _CONTROL),
        *(*_RESERVED, _DOT, _SPACE, _LONG, _LONG_UTF_16),
    )
    waiting = Waiting(remote.call.daemon.spool, remote.where.url, folder, Entry(folder, 1, 0))
    with ThreadPoolExecutor(remote.where.transfers) as pool:
        try:
            waiting.write(b"x")
            waiting.finish()
            _put(remote, waiting, f"{folder}/{_PLAIN}")
            _put_all(remote, waiting, folder, names[1:], pool)
            kept = _names_in(remote, folder)
            if _PLAIN not in kept:
                raise Unreliable("a file that was just made does not show up in a listing", url=remote.where.url)
            return NameRules(
                folds_case=remote.can("CaseInsensitive")
                or _stands(remote, f"{folder}/{_PLAIN.upper()}")
                or _stands(remote, f"{folder}/{_UMLAUT.upper()}"),
                folds_unicode=_COMPOSED not in kept or _stands(remote, f"{folder}/{_DECOMPOSED}"),
                forbidden="\n" + "".join(character for character, name in _SPECIAL.items() if name not in kept),
                control_characters=_CONTROL in kept,
                trailing_dot=_DOT in kept,
                trailing_space=_SPACE in kept,
                reserved_words=kept.issuperset(_RESERVED),
                invalid_utf8=False,
                name_limit=_LIMIT if _LONG in kept else _longest(remote, waiting, folder, pool),
                limit_unit="utf-16" if _LONG_UTF_16 in kept else "bytes",
            )
        finally:
            waiting.forget()
            _clear(remote, folder, names, pool)


def _put(remote: Remote, waiting: Waiting, path: str) -> None:
    order: Facts = {"srcFs": waiting.folder, "srcRemote": waiting.name, "dstFs": remote.where.fs, "dstRemote": path}
    # as in ``sending``: the hash of sftp is a command that a shell runs over there, for each of these very names
    manner = {"Inplace": True, "IgnoreTimes": True, "IgnoreChecksum": remote.can("SlowHash")}
    remote.call.once("operations/copyfile", path, _config=manner, **order)


def _put_all(remote: Remote, waiting: Waiting, folder: str, names: Iterable[str], pool: ThreadPoolExecutor) -> None:
    """A name that is refused is not listed; trouble with the place is no answer."""

    def put(name: str) -> None:
        try:
            _put(remote, waiting, f"{folder}/{name}")
        except StoreError as error:
            if error.ends_store:
                raise

    list(pool.map(put, names))


def _names_in(remote: Remote, folder: str) -> set[str]:
    asked = {"noMimeType": True, "noModTime": True}
    found = remote.call("operations/list", folder, remote=folder, opt=asked).get("list") or []
    return {str(item["Path"]).removeprefix(f"{folder}/") for item in found}


def _stands(remote: Remote, path: str) -> bool:
    try:
        return remote.item(path) is not None
    except Denied:
        return False


def _longest(remote: Remote, waiting: Waiting, folder: str, pool: ThreadPoolExecutor) -> int:
    """Narrow it down, several lengths at a time."""
    good, bad = len(_PLAIN), _LIMIT
    while bad - good > 1:
        step = max(1, (bad - good) // (_STEPS + 1))
        lengths = list(range(good + step, bad, step))[: _STEPS + 1]
        _put_all(remote, waiting, folder, ["n" * length for length in lengths], pool)
        kept = _names_in(remote, folder)
        fits = [length for length in lengths if "n" * length in kept]
        if fits:
            good = max(fits)
        bad = min([bad, *(length for length in lengths if length > good and length not in fits)])
    return good


def _clear(remote: Remote, folder: str, names: Iterable[str], pool: ThreadPoolExecutor) -> None:
    """Remove the files under the names that they were given, and those that they have now, then the folders."""
    fs = remote.where.fs

    def give(order: str, path: str) -> None:
        with contextlib.suppress(StoreError):
            remote.call.once(f"operations/{order}", folder, fs=fs, remote=path)

    with contextlib.suppress(StoreError):
        asked = {"noMimeType": True, "noModTime": True, "recurse": True}
        found = remote.call("operations/list", folder, remote=folder, opt=asked).get("list") or []
        there = {str(item["Path"]) for item in found if not item.get("IsDir")}
        list(pool.map(lambda path: give("deletefile", path), there | {f"{folder}/{name}" for name in names}))
        for path in sorted((str(item["Path"]) for item in found if item.get("IsDir")), reverse=True):
            give("rmdir", path)
    give("rmdir", folder)
    give("rmdir", OWN_FOLDER)  # it holds a mark as a rule, and stays then
