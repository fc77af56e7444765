"""What does a remote do to names?

rclone replaces characters that a remote cannot keep by others, and gives them back: what counts is whether a name that
was written is listed unchanged.  Small files are made under telling names in coldchain's own folder, which is listed
and removed.
"""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor

from coldchain.errors import Denied, StoreError, Unreliable
from coldchain.model import OWN_FOLDER, Entry
from coldchain.stores.names import NameRules
from coldchain.stores.probing import abandoned, is_probing_folder, probing_folder
from coldchain.stores.rclone.calling import Facts
from coldchain.stores.rclone.remote import SECOND_NS, Remote, nanoseconds
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
    folder = probing_folder()
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
            _sweep(remote, folder, pool)
            _clear(remote, folder, names, pool)
            _give(remote, "rmdir", OWN_FOLDER)  # it holds a mark as a rule, and stays then


def _put(remote: Remote, waiting: Waiting, path: str) -> None:
    order: Facts = {"srcFs": waiting.folder, "srcRemote": waiting.name, "dstFs": remote.where.fs, "dstRemote": path}
    # as in ``sending``: the hash of sftp is a command that a shell runs over there, for each of these very names
    manner = {"Inplace": True, "IgnoreTimes": True, "IgnoreChecksum": remote.can("SlowHash")}
    for again in (True, False):
        try:
            remote.call.once("operations/copyfile", path, _config=manner, **order)
        except StoreError as error:
            if not (again and error.temporary):
                raise
        else:
            return


def _put_all(remote: Remote, waiting: Waiting, folder: str, names: Iterable[str], pool: Executor) -> None:
    """A name that is refused is not listed; trouble with the place is no answer."""

    def put(name: str) -> None:
        try:
            _put(remote, waiting, f"{folder}/{name}")
        except StoreError as error:
            if error.ends_store:
                raise
            if error.temporary and not _stands(remote, f"{folder}/{_PLAIN}"):
                raise  # the place is not there; else it is this name that it cannot bear

    list(pool.map(put, names))


def _names_in(remote: Remote, folder: str) -> set[str]:
    found = _listed(remote, folder, {"noMimeType": True, "noModTime": True})
    return {str(item["Path"]).removeprefix(f"{folder}/") for item in found}


def _stands(remote: Remote, path: str) -> bool:
    try:
        return remote.item(path) is not None
    except Denied:
        return False


def _longest(remote: Remote, waiting: Waiting, folder: str, pool: Executor) -> int:
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


def _sweep(remote: Remote, mine: str, pool: Executor) -> None:
    """Remove what probes left that were ended."""
    with contextlib.suppress(StoreError):
        asked: Facts = {"dirsOnly": True, "noMimeType": True, "noModTime": True}
        folders = [str(item["Path"]) for item in _listed(remote, OWN_FOLDER, asked)]
        written_s: dict[str, float] = {}
        for folder in filter(is_probing_folder, folders):
            times = [nanoseconds(str(item["ModTime"])) for item in _listed(remote, folder, {"filesOnly": True})]
            written_s[folder] = max(times, default=0) / SECOND_NS
        for folder in abandoned(written_s, mine):
            _clear(remote, folder, (), pool)


def _clear(remote: Remote, folder: str, names: Iterable[str], pool: Executor) -> None:
    """Remove the files under the names that they were given, and those that they have now, then the folders."""
    with contextlib.suppress(StoreError):
        found = _listed(remote, folder, {"noMimeType": True, "noModTime": True, "recurse": True})
        there = {str(item["Path"]) for item in found if not item.get("IsDir")}
        given = {f"{folder}/{name}" for name in names}
        list(pool.map(lambda path: _give(remote, "deletefile", path), there | given))
        for path in sorted((str(item["Path"]) for item in found if item.get("IsDir")), reverse=True):
            _give(remote, "rmdir", path)
    _give(remote, "rmdir", folder)


def _give(remote: Remote, order: str, path: str) -> None:
    with contextlib.suppress(StoreError):  # asked again, it is gone already
        remote.call(f"operations/{order}", path, remote=path)


def _listed(remote: Remote, folder: str, asked: Facts) -> list[Facts]:
    return remote.call("operations/list", folder, remote=folder, opt=asked).get("list") or []
