"""What does a place behind fsspec do to names?"""

from __future__ import annotations

import contextlib
import unicodedata
from typing import Any

from coldchain.errors import NotAFile, NotFound, StoreError, Unreliable
from coldchain.model import OWN_FOLDER
from coldchain.stores.fsspec.facts import mtime_ns, name_of
from coldchain.stores.fsspec.line import Line
from coldchain.stores.fsspec.reading import look
from coldchain.stores.names import NameRules
from coldchain.stores.probing import abandoned, probing_folder

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
    folder = probing_folder()
    line.make_folder(folder)
    try:
        line.ask(f"{folder}/{_PLAIN}", _write)
        lengths = ("n" * length for length in _LENGTHS)
        for name in (_COMPOSED, *_SPECIAL.values(), _CONTROL, *_RESERVED, _DOT, _SPACE, *lengths):
            _try(line, folder, name)
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
        _sweep(line, folder, above=made)


def _write(fs: Any, path: str) -> None:
    fs.pipe_file(path, b"x")


def _try(line: Line, folder: str, name: str) -> None:
    """A name that is refused is not listed; trouble with the place is no answer."""
    for _ in range(2):
        try:
            line.do(f"{folder}/{name}", _write)
        except StoreError as error:
            if error.ends_store:
                raise
            if error.temporary:
                line.hang_up()
                continue
        return
    look(line, f"{folder}/{_PLAIN}")  # the place is there, so it is this name that it cannot bear


def _stands(line: Line, key: str) -> bool:
    try:
        look(line, key)
    except NotFound:
        return False
    except NotAFile:
        return True
    return True


def _sweep(line: Line, mine: str, *, above: bool) -> None:
    """Remove what it made, and what probes left that were ended."""
    written_s: dict[str, float] = {}
    with contextlib.suppress(StoreError):
        written_s = {f"{OWN_FOLDER}/{name_of(facts)}": mtime_ns(facts) / 1e9 for facts in line.ls(OWN_FOLDER)}
    for folder in (mine, *abandoned(written_s, mine)):
        _clear(line, folder)
    if above:
        with contextlib.suppress(StoreError):  # another process put something there meanwhile
            if not line.ls(OWN_FOLDER):
                line.do(OWN_FOLDER, lambda fs, path: fs.rmdir(path))


def _clear(line: Line, folder: str) -> None:
    with contextlib.suppress(StoreError):
        for facts in line.ls(folder):
            with contextlib.suppress(StoreError):  # asked again, it is gone already
                line.ask(f"{folder}/{name_of(facts)}", lambda fs, path: fs.rm_file(path))
        line.ask(folder, lambda fs, path: fs.rmdir(path))
