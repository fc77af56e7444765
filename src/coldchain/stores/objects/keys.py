"""Which path can be an object, and which object can be a file?"""

from __future__ import annotations

import secrets

from coldchain.model import OWN_FOLDER

_FOLDER = f"{OWN_FOLDER}/uploads"


def fault_in(path: str) -> str:
    """Say why ``path`` can be no file anywhere else, as a phrase, or ""."""
    if not path.isascii() and any("\ud800" <= character <= "\udfff" for character in path):
        return "the name holds bytes that are not UTF-8, which a bucket cannot keep"
    if "\0" in path:
        return "a name cannot hold the character 0"
    if "" in (names := path.split("/")):
        return "a folder without a name is in this key, which no file system can keep"
    if "." in names or ".." in names:
        return "'.' or '..' is in this key, which would lead to another folder"
    return ""


def note_of(owner: str) -> str:
    """A new name for a small object that lies there for a while, and says whose it is."""
    return f"{_FOLDER}/{owner or '_'}/{secrets.token_hex(8)}"


def is_note(path: str, owner: str = "") -> bool:
    """Whether ``path`` is such a name; with ``owner``, of that owner only."""
    return path.startswith(f"{_FOLDER}/{owner}/" if owner else f"{_FOLDER}/")
