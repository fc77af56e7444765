"""What does a share do to names?

Small files are made under telling names in ``.coldchain/probe-<random>/``, which is listed once and removed.  A name is
kept only when the listing shows it as it was given: Samba, for one, shows names that Windows could not use as others.
"""

from __future__ import annotations

import contextlib
import unicodedata

from coldchain.errors import NameRefused, StoreError, Unreliable
from coldchain.model import OWN_FOLDER, Oddity
from coldchain.stores.names import NameRules
from coldchain.stores.probing import abandoned, probing_folder
from coldchain.stores.smb import messages as m
from coldchain.stores.smb.listing import listed, top
from coldchain.stores.smb.sending import make_folders, remover
from coldchain.stores.smb.share import WRITING, Share

_PLAIN = "fold"
_UMLAUT, _COMPOSED = "\u00e4", "\u00e9"
_DECOMPOSED = unicodedata.normalize("NFD", _COMPOSED)
_NEVER = ":\\"
"""Never sent, see ``paths``."""
_SPECIAL = {character: f"{number}{character}x" for number, character in enumerate('<>"|?*')}
_CONTROL = "c\x01\n\x1fx"
_RESERVED = ("CON", "nul.txt")
_DOT, _SPACE = "dot.", "space "
_INVALID = "i\udce9\udcff"
_LIMIT = 255
_LONG, _LONG_UTF_16 = "n" * _LIMIT, "\u4e2d" * _LIMIT  # the second: 765 bytes of UTF-8, 255 units of UTF-16
_NAMES = (
    *(_UMLAUT, _COMPOSED, *_SPECIAL.values(), _CONTROL),
    *(*_RESERVED, _DOT, _SPACE, _INVALID, _LONG, _LONG_UTF_16),
)
_MAKE = m.FILE | m.NOT_FOLLOWED
_ACCESS = m.WRITE_DATA | m.READ_ATTRIBUTES
_TICKS_PER_S = 10_000_000


def probe_names(share: Share) -> NameRules:
    """Find out; raises StoreError when nothing can be written, and leaves nothing behind."""
    there = _stands(share, OWN_FOLDER, m.FOLDER)
    folder = probing_folder()
    try:
        make_folders(share, f"{folder}/x", set())
        try:
            return _probe(share, folder)
        finally:
            _sweep(share, folder)
    finally:
        if not there:  # it stays when another process put something there meanwhile
            _remove_folder(share, OWN_FOLDER)


def _probe(share: Share, folder: str) -> NameRules:
    plain = m.create(share.name(f"{folder}/{_PLAIN}", looking=False), _ACCESS, m.OPEN_OR_NEW, _MAKE)
    share.ask(f"{folder}/{_PLAIN}", plain, m.close(), use=WRITING)
    for name in _NAMES:
        _try(share, f"{folder}/{name}")
    kept = _names(share, folder)
    if _PLAIN not in kept:
        raise Unreliable("a file that was just made does not show up in its folder", url=share.url)
    return NameRules(
        folds_case=_stands(share, f"{folder}/{_PLAIN.upper()}") or _stands(share, f"{folder}/{_UMLAUT.upper()}"),
        folds_unicode=_COMPOSED not in kept or _stands(share, f"{folder}/{_DECOMPOSED}"),
        forbidden=_NEVER + "".join(character for character, name in _SPECIAL.items() if name not in kept),
        control_characters=_CONTROL in kept,
        trailing_dot=_DOT in kept,
        trailing_space=_SPACE in kept,
        reserved_words=kept.issuperset(_RESERVED),
        invalid_utf8=_INVALID in kept,
        name_limit=_LIMIT if _LONG in kept else _longest(share, folder),
        limit_unit="utf-16" if _LONG_UTF_16 in kept else "bytes",
    )


def _names(share: Share, folder: str) -> set[str]:
    return {item.path.removeprefix(f"{folder}/") for item in listed(share, folder, ()) if not isinstance(item, Oddity)}


def _try(share: Share, key: str) -> bool:
    """How a server refuses a name differs; with a plain name beside it any refusal is an answer."""
    try:
        name = share.name(key, looking=False)
    except NameRefused:
        return False
    return not share.attempt(key, m.create(name, _ACCESS, m.OPEN_OR_NEW, _MAKE), m.close(), use=WRITING)[0].status


def _stands(share: Share, key: str, kind: int = m.FILE) -> bool:
    opening = m.create(share.name(key), m.READ_ATTRIBUTES, m.OPEN, kind | m.NOT_FOLLOWED)
    return not share.attempt(key, opening, m.close(), use=WRITING)[0].status


def _longest(share: Share, folder: str) -> int:
    """Halve the interval."""
    good, bad = len(_PLAIN), _LIMIT
    while bad - good > 1:
        middle = (good + bad) // 2
        name = "n" * middle
        if _try(share, f"{folder}/{name}") and name in _names(share, folder):
            good = middle
        else:
            bad = middle
    return good


def _sweep(share: Share, mine: str) -> None:
    """Remove what it made, and what probes left that were ended."""
    written_s: dict[str, float] = {}
    with contextlib.suppress(StoreError):
        here = top(share, OWN_FOLDER)
        written_s = {f"{OWN_FOLDER}/{name.text.rstrip('/')}": name.facts.mtime / _TICKS_PER_S for name in here}
    for folder in (mine, *abandoned(written_s, mine)):
        _clear(share, folder)


def _clear(share: Share, folder: str) -> None:
    """Remove the files under the names that they now have, and those that they were given; then the folder."""
    with contextlib.suppress(StoreError):
        for name in {*_names(share, folder), *_NAMES, _PLAIN}:
            with contextlib.suppress(NameRefused):
                share.attempt(folder, *remover(share.name(f"{folder}/{name}")), use=WRITING)
        _remove_folder(share, folder)


def _remove_folder(share: Share, folder: str) -> None:
    opening = m.create(share.name(folder), m.DELETE | m.READ_ATTRIBUTES, m.OPEN, m.FOLDER | m.NOT_FOLLOWED)
    with contextlib.suppress(StoreError):
        share.attempt(folder, opening, m.remove(), m.close(), use=WRITING)
