"""Which names in a folder of a remote stand for no plain file?

rclone leaves links and pipes on a remote of type ``local`` out of every listing, and says so in its log only.  On one
of type ``sftp`` it follows links, also those that lead in a circle, and shows a pipe as an empty file; with
``skip_links`` it leaves them all out.  So there both listings are compared.  (Seen with rclone 1.75.2.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from coldchain.model import Oddity
from coldchain.stores.rclone.calling import Caller, Facts
from coldchain.stores.rclone.ear import LeftOut
from coldchain.stores.rclone.where import Where

_NAMED = re.compile(r"(?P<name>:?[\w.+@]+(?:[ -]+[\w.+@-]+)*)(?P<rest>[,:].*)", re.DOTALL)
"""``remote:path``, ``remote,option=value:path``, ``:type,option=value:path``: rclone.org/docs, Connection strings."""
_WRAPPERS = frozenset({"alias", "crypt", "chunker", "compress", "hasher", "cache"})
"""Types that pass on what one other remote shows, which stands under ``remote`` in their configuration."""
_MANY = frozenset({"union", "combine"})
_DEEPEST = 8
_LINK = "a symbolic link; links are not followed"
_PIPE = "no plain file (a pipe, a socket or a device)"
_EITHER = "a symbolic link, a pipe or another thing that is no plain file"


class View(NamedTuple):
    """How a remote is listed so that nothing is passed over."""

    full: str
    """In rclone's words, so that links are followed (sftp); "" where that makes no difference."""
    plain: str
    """In rclone's words, so that plain files and folders alone are shown."""
    told: bool
    """What is left out is said in the log."""


Look = Callable[[str], Mapping[str, Any]]
"""What rclone's configuration says of a remote."""


def view_of(where: Where, look: Look) -> View:
    """Find out what lies at the bottom of a remote."""
    full, kind = _seen_through(where.fs, look, "false")
    if kind == "sftp":
        return View(full, _seen_through(where.fs, look, "true")[0], told=False)
    return View("", full if kind == "local" else where.fs, told=kind in {"local", *_MANY})


def _seen_through(fs: str, look: Look, skip: str, depth: int = 0) -> tuple[str, str]:
    """The same place with links left out or not, whatever the configuration says, and the type at its bottom."""
    if (found := _NAMED.fullmatch(fs)) is None:
        return fs, "local"
    name, rest = found["name"], found["rest"]
    settings = {} if name.startswith(":") else look(name)
    kind = name[1:] if name.startswith(":") else str(settings.get("type", ""))
    if kind == "sftp":
        return f"{name},skip_links={skip}{rest}", kind
    if kind == "local":
        return f"{name},skip_links=false,copy_links=false{rest}", kind
    if kind not in _WRAPPERS or "remote" not in settings or depth == _DEEPEST:
        return fs, kind
    inner, kind = _seen_through(str(settings["remote"]), look, skip, depth + 1)
    if inner == settings["remote"]:
        return fs, kind
    quoted = inner.replace("'", "''")
    return f"{name},remote='{quoted}'{rest}", kind


def listing(call: Caller, view: View, folder: str) -> tuple[list[Facts], list[Oddity]]:
    """What lies directly in a folder: plain files and folders as rclone shows them, and what is neither."""
    if view.told:
        items, left_out = call.telling(view.plain, folder)
        return items, [_of_log(one) for one in left_out]
    if not view.full:
        return call.items(view.plain, folder), []
    everything, plain = _paths(call.items(view.full, folder)), call.items(view.plain, folder)
    odd = everything - _paths(plain)
    if odd:  # what is gone meanwhile is none
        odd &= _paths(call.items(view.full, folder))
    return plain, [Oddity(path, "special", _EITHER) for path in sorted(odd)]


def _paths(items: list[Facts]) -> set[str]:
    return {str(item["Path"]) for item in items}


def _of_log(one: LeftOut) -> Oddity:
    return Oddity(one.path, "symlink", _LINK) if one.is_link else Oddity(one.path, "special", _PIPE)
