"""What lies below a folder of a share, in order?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from coldchain.errors import NotFound, Occupied, StoreError, Unreliable
from coldchain.model import Entry, Oddity
from coldchain.stores.smb import messages as m
from coldchain.stores.smb.paths import entry_of, is_link, text_of
from coldchain.stores.smb.share import READING, Share
from coldchain.stores.smb.trouble import BUFFER_OVERFLOW, NO_MORE_FILES, NO_SUCH_FILE, SESSION_OVER, Lost

_ANSWER_BYTES = 65536
"""Some 500 names; it takes one credit."""
_LOOK = m.READ_DATA | m.READ_ATTRIBUTES


class _Name(NamedTuple):
    """A name in one folder; that of a folder ends in a slash, by which it sorts."""

    text: str
    facts: m.Facts
    faithful: bool


def listed(share: Share, prefix: str, without: Collection[str]) -> Iterator[Entry | Oddity]:
    """Walk one folder at a time; only the names of the folders on the way are in memory."""
    stack = [(f"{prefix}/" if prefix else "", iter(top(share, prefix)))]
    while stack:
        folder, rest = stack[-1]
        for name in rest:
            key = folder + name.text
            if not name.faithful:
                yield Oddity(key, "unreadable", "its name is no text that can be carried unchanged (UTF-16)")
            elif is_link(name.facts):
                yield Oddity(key.rstrip("/"), "symlink", "a symbolic link; links are not followed")
            elif not key.endswith("/"):
                yield entry_of(key, name.facts)
            elif key[:-1] not in without:
                try:
                    stack.append((key, iter(_names(share, key[:-1]))))
                except NotFound:
                    continue
                except StoreError as error:
                    if error.ends_store:
                        raise
                    yield Oddity(key, "unreadable", error.reason)
                    continue
                break
        else:
            stack.pop()


def folders_in(share: Share, prefix: str) -> Iterator[str]:
    """The names of the folders directly below, without links."""
    yield from (
        name.text[:-1]
        for name in top(share, prefix)
        if name.text.endswith("/") and name.faithful and not is_link(name.facts)
    )


def top(share: Share, prefix: str) -> list[_Name]:
    """The names in the folder where a listing begins: none when it is not there, unless it is the root (P10)."""
    try:
        return _names(share, prefix)
    except (NotFound, Occupied):
        if not prefix:
            raise
        share.ask("", m.create(share.name(""), m.READ_ATTRIBUTES, m.OPEN, m.FOLDER), m.close())
        return []


def _names(share: Share, folder: str) -> list[_Name]:
    """All names in one folder, sorted; begun anew when the connection breaks."""
    for again in (True, False):
        try:
            found = _read_folder(share, folder)
        except Lost as error:
            if not again:
                raise Unreliable(str(error), url=share.url, key=folder) from error
            continue
        found.sort(key=lambda name: name.text)
        return found
    raise AssertionError("the second try ends in names or an error")


def _read_folder(share: Share, folder: str) -> list[_Name]:
    line = share.line(READING)
    opening = m.create(share.name(folder), _LOOK, m.OPEN, m.FOLDER | m.NOT_FOLLOWED)
    opened, answer = line.send(opening, m.names_in(_ANSWER_BYTES)).answers()
    if opened.status in SESSION_OVER:
        line.close()
        raise Lost("the server ended the session")
    if opened.status:
        raise share.error(opened.status, folder)
    handle = m.opened(opened.body)
    found: list[_Name] = []
    try:
        while not answer.status or answer.status == BUFFER_OVERFLOW:
            found.extend(_named(name, facts) for name, facts in m.names_of(answer.body) if name not in _DOTS)
            answer = line.send(m.names_in(_ANSWER_BYTES, handle)).answers()[0]
        if answer.status not in {NO_MORE_FILES, NO_SUCH_FILE}:
            if answer.status in SESSION_OVER:
                line.close()
                raise Lost("the server ended the session")
            raise share.error(answer.status, folder)
    finally:
        if line.alive:
            line.forget(m.close(handle))
    return found


_DOTS = frozenset({".".encode("utf-16-le"), "..".encode("utf-16-le")})


def _named(name: bytes, facts: m.Facts) -> _Name:
    text, faithful = text_of(name)
    is_folder = facts.attributes & m.IS_FOLDER
    return _Name(f"{text}/" if is_folder else text, facts, faithful)
