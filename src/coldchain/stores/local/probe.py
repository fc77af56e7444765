"""What does the file system of a folder do to names?

Small files are made under telling names in ``.coldchain/probe-<random>/``, which is listed once and removed.  A name
is kept only when the listing shows it as it was given: many file systems take a name and store another one.  How a
file system refuses a name is one of a few errors; any other one is trouble with the place, and is raised.
"""

from __future__ import annotations

import contextlib
import errno
import os
import unicodedata
from typing import TYPE_CHECKING

from coldchain.model import OWN_FOLDER
from coldchain.stores.names import NameRules
from coldchain.stores.probing import abandoned, is_probing_folder, probing_folder

if TYPE_CHECKING:
    from coldchain.stores.local.base import LocalRoot

_PLAIN = "fold"
_UMLAUT, _COMPOSED = "\u00e4", "\u00e9"
_DECOMPOSED = unicodedata.normalize("NFD", _COMPOSED)
_SPECIAL = {character: f"{number}{character}x" for number, character in enumerate('<>:"|?*\\')}
_CONTROL = "c\x01\n\x1fx"
_RESERVED = ("CON", "nul.txt")
_DOT, _SPACE = "dot.", "space "
_INVALID = os.fsdecode(b"i\xe9\xff") if os.name == "posix" else "i\udce9\udcff"
_LIMIT = 255
_LONG, _LONG_UTF_16 = "n" * _LIMIT, "\u4e2d" * _LIMIT  # the second: 765 bytes of UTF-8, 255 units of UTF-16
_NAMES = (
    *(_PLAIN, _UMLAUT, _COMPOSED, *_SPECIAL.values(), _CONTROL),
    *(*_RESERVED, _DOT, _SPACE, _INVALID, _LONG, _LONG_UTF_16),
)

# EINVAL: exFAT, NTFS; EILSEQ: no such text on this volume; EEXIST: stored as another name that was tried before;
# ENOENT, EACCES, EPERM, EOPNOTSUPP: SMB and FUSE servers, and an answer only because the folder keeps a plain name.
_REFUSALS = frozenset(
    {errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG, errno.EEXIST}
    | {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EOPNOTSUPP}
)


def probe_names(root: LocalRoot) -> NameRules:
    """Find out; raises OSError when the place cannot be written or is in trouble, and leaves nothing behind."""
    made = root.make_folders(OWN_FOLDER)
    folder = probing_folder()
    try:
        root.make_folders(folder)
        try:
            _sweep(root, folder)
            return _probe(root, folder)
        finally:
            _clear(root, folder)
    finally:
        if made:
            with contextlib.suppress(OSError):  # another process put something there meanwhile
                root.rmdir(OWN_FOLDER)


def _probe(root: LocalRoot, folder: str) -> NameRules:
    os.close(root.create(f"{folder}/{_PLAIN}"))
    for name in _NAMES[1:]:
        _try(root, f"{folder}/{name}")
    kept = set(root.names(folder))
    if _PLAIN not in kept:
        raise OSError(errno.EIO, "a file that was just made does not show up in its folder")
    return NameRules(
        folds_case=_stands(root, f"{folder}/{_PLAIN.upper()}") or _stands(root, f"{folder}/{_UMLAUT.upper()}"),
        folds_unicode=_COMPOSED not in kept or _stands(root, f"{folder}/{_DECOMPOSED}"),
        forbidden="".join(character for character, name in _SPECIAL.items() if name not in kept),
        control_characters=_CONTROL in kept,
        trailing_dot=_DOT in kept,
        trailing_space=_SPACE in kept,
        reserved_words=kept.issuperset(_RESERVED),
        invalid_utf8=_INVALID in kept,
        name_limit=_LIMIT if _LONG in kept else _longest(root, folder),
        limit_unit="utf-16" if _LONG_UTF_16 in kept else "bytes",
    )


def _try(root: LocalRoot, key: str) -> bool:
    try:
        os.close(root.create(key))
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        return False
    return True


def _stands(root: LocalRoot, key: str) -> bool:
    try:
        root.stat(key)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        return False
    return True


def _longest(root: LocalRoot, folder: str) -> int:
    """Halve the interval; eCryptfs, for one, keeps 143 bytes."""
    good, bad = len(_PLAIN), _LIMIT
    while bad - good > 1:
        middle = (good + bad) // 2
        name = "n" * middle
        if _try(root, f"{folder}/{name}") and name in root.names(folder):
            good = middle
        else:
            bad = middle
    return good


def _sweep(root: LocalRoot, mine: str) -> None:
    """Remove what probes left that were ended."""
    folders = [f"{OWN_FOLDER}/{name[:-1]}" for name in root.names(OWN_FOLDER) if name.endswith("/")]
    written_s = {folder: root.stat(folder).st_mtime for folder in folders if is_probing_folder(folder)}
    for folder in abandoned(written_s, mine):
        _clear(root, folder)


def _clear(root: LocalRoot, folder: str) -> None:
    """Remove the files under the names that they were given, and under those that they now have, then the folder.

    Samba shows ``CON`` under a short name of its own making, and says that it removed what is removed so, and did not.
    """
    for name in _NAMES:
        try:
            root.unlink(f"{folder}/{name}")
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
    for name in root.names(folder):
        with contextlib.suppress(FileNotFoundError):
            root.unlink(f"{folder}/{name}")
    root.rmdir(folder)
