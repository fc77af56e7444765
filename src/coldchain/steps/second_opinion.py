"""What do other programs say of two sides: would they carry anything, and how much lies there?

rsync and robocopy are asked without letting them write; rclone counts.  Where one of them fails there is no answer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from coldchain.model import OWN_FOLDER, Place, Tally
from coldchain.steps.recount import local_folder
from coldchain.stores.base import scheme_of

_PATIENCE_S = 60
_ESCAPED = re.compile(rb"\\#([0-3][0-7]{2})")
_ROBOCOPY_FAILED = 8
"""Exit codes of robocopy are bits; from this one on files could not be looked at."""


class Opinion(NamedTuple):
    """How many files another program would carry."""

    program: str
    files: int


def would_carry(source: Place, destination: Place, selected: Callable[[str], bool]) -> Opinion | None:
    """Ask the program of this system; both sides must be local folders with the same paths in them."""
    here, there = local_folder(source), local_folder(destination)
    if here is None or there is None or not (os.path.isabs(here) and os.path.isabs(there)):  # noqa: PTH117
        return None  # rsync takes "a:b" for a host, but never what begins with a slash
    ask, program = (_robocopy, "robocopy /L") if sys.platform == "win32" else (_rsync, "rsync --dry-run")
    names = ask(here, there)
    return None if names is None else Opinion(program, sum(selected(name) for name in names))


def rclone_size(place: Place) -> Tally | None:
    """Ask ``rclone size`` what lies in a local folder or at a remote of the user's; without coldchain's own folder."""
    folder = local_folder(place)
    if folder is None and scheme_of(place.url) == "rclone":
        url = urlsplit(place.url)
        folder = f"{unquote(url.netloc)}:{unquote(url.path).lstrip('/')}"
    elif folder is None or not folder.startswith("/"):
        return None
    said = _said("rclone", ["size", "--json", f"--exclude=/{OWN_FOLDER}/**", "--", folder], _environment("RCLONE_"))
    try:
        found = json.loads(said or b"null")
        return Tally(int(found["count"]), int(found["bytes"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _rsync(source: str, destination: str) -> Iterator[str] | None:
    words = ["-rn", "--size-only", "--no-links", "--info=nonreg0", "--out-format=%n", f"--exclude=/{OWN_FOLDER}", "--"]
    said = _said("rsync", [*words, source.rstrip("/") + "/", destination.rstrip("/") + "/"], {"LC_ALL": "C"})
    if said is None:
        return None
    return (os.fsdecode(_unescaped(line)) for line in said.split(b"\n") if line and not line.endswith(b"/"))


def _robocopy(source: str, destination: str) -> Iterator[str] | None:
    """``/L`` lists only; the other words leave nothing but one full path a line (Microsoft's page of robocopy).

    ``/XX`` leaves out what only the destination has; ``/FFT`` and ``/XO`` are not given: a difference is a difference.
    """
    words = [
        source,
        destination,
        "/L",
        "/E",
        "/XJ",
        "/XX",
        "/NJH",
        "/NJS",
        "/NP",
        "/NDL",
        "/NS",
        "/NC",
        "/FP",
        "/UNICODE",
    ]
    said = _said("robocopy", [*words, "/XD", OWN_FOLDER], {}, fine=range(_ROBOCOPY_FAILED))
    if said is None:
        return None
    lines = (line.strip() for line in said.decode("utf-16-le", "replace").splitlines())
    return robocopy_paths(lines, source)


def robocopy_paths(lines: Iterator[str], source: str) -> Iterator[str]:
    """The paths below the source in what robocopy lists, with "/" between folders."""
    begin = source.rstrip("\\") + "\\"
    return (line[len(begin) :].replace("\\", "/") for line in lines if line.casefold().startswith(begin.casefold()))


def _said(
    program: str, words: Sequence[str], environment: Mapping[str, str], *, fine: range = range(1)
) -> bytes | None:
    path = shutil.which(program)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, *words],
            env={"PATH": os.environ.get("PATH", os.defpath), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode in fine else None


def _environment(prefix: str) -> dict[str, str]:
    """What a program of the user's needs in order to find the user's own configuration."""
    wanted = ("HOME", "XDG_CONFIG_HOME", "APPDATA", "USERPROFILE", "SYSTEMROOT")
    return {key: value for key, value in os.environ.items() if key in wanted or key.startswith(prefix)}


def _unescaped(line: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), line)
