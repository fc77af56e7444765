"""What does a place behind fsspec do to names?"""

from __future__ import annotations

import contextlib
import secrets
import unicodedata
from typing import Any

from coldchain.errors import NotAFile, NotFound, StoreError, Unreliable
from coldchain.model import OWN_FOLDER
from coldchain.stores.fsspec.facts import name_of
from coldchain.stores.fsspec.line import Line
from coldchain.stores.fsspec.reading import look
from coldchain.stores.names import NameRules

_PLAIN = "fold"
_COMPOSED = "\u00e9"
_DECOMPOSED = unicodedata.normalize("NFD", _COMPOSED)
_SPECIAL = {character: f"{number}{character}x" for number, character in enumerate("<>:\"|?*\\#%[]{}~;&+=@!$'^,`")}
_CONTROL = "c\x01\n\x1fx"
_RESERVED = ("CON", "nul.txt")
_DOT, _SPACE = "dot.", "space "
_LENGTHS = (255, 143, 100)


def probe_names(line: Line) -> NameRules:
    """Find out by making small files in a folder of coldchain's own; leaves nothing behind."""
    made = not _stands(line, OWN_FOLDER)
    folder = f"{OWN_FOLDER}/probe-{secrets.token_hex(8)}"
    line.make_folder(folder)
    try:
        line.do(f"{folder}/{_PLAIN}", _write)
        for name in (_COMPOSED, *_SPECIAL.values(), _CONTROL, *_RESERVED, _DOT, _SPACE):
            _try(line, f"{folder}/{name}")
        for length in _LENGTHS:
            _try(line, f"{folder}/{'n' * length}")
        kept = {name_of(facts) for facts in line.ls(folder)}
        if _PLAIN not in kept:
            raise Unreliable("a file that was just made does not show up in its folder", url=line.place.url)
        return NameRules(
            folds_case=_stands(line, f"{folder}/{_PLAIN.upper()}"),
            folds_unicode=_COMPOSED not in kept or _stands(line, f"{folder}/{_DECOMPOSED}"),
            forbidden="".join(character for character, name in _SPECIAL.items() if name not in kept),
            control_characters=_CONTROL in kept,
            trailing_dot=_DOT in kept,
            trailing_space=_SPACE in kept,
            reserved_words=kept.issuperset(_RESERVED),
            invalid_utf8=False,
            name_limit=next((length for length in _LENGTHS if "n" * length in kept), 64),
        )
    finally:
        _clear(line, folder, above=made)


def _write(fs: Any, path: str) -> None:
    fs.pipe_file(path, b"x")


def _try(line: Line, key: str) -> None:
    with contextlib.suppress(StoreError):
        line.do(key, _write)


def _stands(line: Line, key: str) -> bool:
    try:
        look(line, key)
    except NotFound:
        return False
    except NotAFile:
        return True
    return True


def _clear(line: Line, folder: str, *, above: bool) -> None:
    with contextlib.suppress(StoreError):
        for facts in line.ls(folder):
            with contextlib.suppress(StoreError):
                line.remove(f"{folder}/{name_of(facts)}")
        line.do(folder, lambda fs, path: fs.rmdir(path))
    if above:
        with contextlib.suppress(StoreError):  # another process put something there meanwhile
            if not line.ls(OWN_FOLDER):
                line.do(OWN_FOLDER, lambda fs, path: fs.rmdir(path))
