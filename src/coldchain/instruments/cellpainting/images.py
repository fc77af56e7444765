"""Which images of a plate are whole?"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from coldchain.errors import StoreError
from coldchain.instruments.base import Look
from coldchain.instruments.tiff import Flaw, flaw_of
from coldchain.model import Entry

MOST_ERRORS = 20
"""When so many images in a plate cannot be read, the rest is not tried: the place itself is in trouble."""
ROW = re.compile(r"r\d+(?=c\d)|_[A-Z]{1,2}(?=\d\d)")


@dataclass(slots=True)
class Checked:
    """What came of it, by path."""

    cut: dict[str, str] = field(default_factory=dict)
    """Not all of it is there."""
    strange: dict[str, str] = field(default_factory=dict)
    """It is there, and no TIFF."""
    unread: dict[str, str] = field(default_factory=dict)


def check_images(look: Look, images: Iterable[Entry]) -> Checked:
    """Look into every image that was not found out about in an earlier run; never raises StoreError.

    A row of wells is what is remembered: while the microscope fills one, the others need not be read again.
    """
    checked = Checked()
    rows: dict[str, list[Entry]] = {}
    for entry in images:
        rows.setdefault(_row(entry.path), []).append(entry)
    for unit, entries in rows.items():
        stamp = _stamp(entries)
        flaws = _flaws(look.recall(unit, stamp))
        if flaws is None:
            errors = len(checked.unread)
            flaws = _look_into(look, entries, checked)
            if len(checked.unread) == errors:
                look.remember(unit, stamp, {path: [flaw.reason, flaw.cut] for path, flaw in flaws.items()})
        for path, flaw in flaws.items():
            (checked.cut if flaw.cut else checked.strange)[path] = flaw.reason
    return checked


def _look_into(look: Look, entries: Iterable[Entry], checked: Checked) -> dict[str, Flaw]:
    flaws = {}
    for entry in entries:
        if len(checked.unread) >= MOST_ERRORS:
            checked.unread[entry.path] = "not tried, because others could not be read"
            continue
        try:
            if flaw := flaw_of(partial(look.piece, entry.path), entry.size_bytes):
                flaws[entry.path] = flaw
        except StoreError as error:
            checked.unread[entry.path] = error.reason
    return flaws


def _row(path: str) -> str:
    folder, _, name = path.rpartition("/")
    found = ROW.search(name)
    return f"{folder}/{found[0] if found else ''}"


def _stamp(entries: Iterable[Entry]) -> str:
    said = hashlib.blake2b(digest_size=16)
    for path, size_bytes, mtime_ns, ctime_ns, inode, _ in entries:
        said.update(f"{path}\0{size_bytes} {mtime_ns} {ctime_ns} {inode}\n".encode(errors="surrogatepass"))
    return said.hexdigest()


def _flaws(kept: object) -> dict[str, Flaw] | None:
    """Read back what was remembered; None when it is not that."""
    if not isinstance(kept, dict):
        return None
    try:
        return {str(path): Flaw(str(reason), bool(cut)) for path, (reason, cut) in kept.items()}
    except (TypeError, ValueError):
        return None
