"""Which place does a text in the configuration name?

A relative path is meant from the folder of the configuration, never from wherever the program was started.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coldchain.config.urls import PASSWORD, check_url

_WINDOWS_PATH = re.compile(r"[A-Za-z]:[\\/]|\\\\[^\\]")
_DRIVE_RELATIVE = re.compile(r"[A-Za-z]:(?![\\/])")
_SCHEME_WITHOUT_SLASHES = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_REFERENCES = re.compile(r"(\$\{[^}]*\})+")
_POSTGRESQL = ("postgresql://", "postgresql+psycopg://")


@dataclass(frozen=True, slots=True)
class Origin:
    """From where relative paths and "~" are read."""

    folder: Path
    """The folder of the configuration, absolute."""
    environ: Mapping[str, str]


def is_windows_path(text: str) -> bool:
    """Whether a text is an absolute Windows path, with a drive or a server, on whatever system this is."""
    return _WINDOWS_PATH.match(text) is not None


def has_written_password(text: str) -> bool:
    """Whether a URL, as written, holds a password that is not just ``${NAME}``."""
    found = PASSWORD.search(text)
    return found is not None and _REFERENCES.fullmatch(found["password"]) is None


def is_folder(path: Path) -> bool:
    """Whether a folder is there; a path at which nothing can be is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def place_url(text: str, origin: Origin) -> str:
    """The URL, or the absolute path, of a source or a destination.

    Windows paths and URLs stay as they are; of a password, ``urls.without_password`` has seen before.

    Raises:
        ValueError: with the reason, which does not quote ``text``.
    """
    if "://" in text:
        check_url(text)
        return text
    if is_windows_path(text):
        return text
    return str(_absolute(text, origin))


def local_path(text: str, origin: Origin) -> Path:
    """The absolute path of something of our own, which must be on this machine; raises ValueError."""
    if "://" in text:
        raise ValueError("must be a path on this machine, not a URL")
    if is_windows_path(text) and os.name != "nt":
        raise ValueError("is a Windows path, and this is not Windows")
    return Path(text) if is_windows_path(text) else _absolute(text, origin)


def ledger_file(text: str, origin: Origin) -> Path | None:
    """The file of an SQLite ledger, None when a database server keeps it; raises ValueError."""
    if text.startswith(_POSTGRESQL):
        return None
    path = text.removeprefix("sqlite:///")
    if "://" in path:
        raise ValueError("is no ledger: write a file, sqlite:///… or postgresql://…")
    if path in ("", ":memory:"):
        raise ValueError("is a ledger that would forget everything; name a file")
    if "?" in path:
        raise ValueError('must not hold "?", which begins the parameters of a URL')
    file = local_path(path, origin)
    if is_folder(file):
        raise ValueError("is a folder; name a file in it, such as ledger.sqlite")
    return file


def ledger_url(text: str, file: Path | None) -> str:
    """The URL under which the ledger is opened; PostgreSQL is spoken to by psycopg."""
    if file is not None:
        return f"sqlite:///{file}"
    return "postgresql+psycopg://" + text.partition("://")[2]


def _absolute(text: str, origin: Origin) -> Path:
    if _DRIVE_RELATIVE.match(text):
        raise ValueError(r"names a drive without a folder: write 'Z:\' for the whole drive, or ./ in front of a name")
    if _SCHEME_WITHOUT_SLASHES.match(text):
        raise ValueError("looks like a URL without its slashes: write ://, or ./ in front when it is a folder's name")
    return origin.folder / _at_home(text, origin.environ)


def _at_home(text: str, environ: Mapping[str, str]) -> str | Path:
    if not text.startswith("~"):
        return text
    home = environ.get("USERPROFILE" if os.name == "nt" else "HOME")
    rest = text[1:]
    if home and (not rest or rest[0] in ("/", os.sep)):
        return Path(home) / rest.lstrip("/" + os.sep)
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError('begins with "~", and that home folder is not known; ./ in front makes it a name') from None
