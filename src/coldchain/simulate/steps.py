"""What can an instrument do to a disk?

A played acquisition is a stream of these steps, in the order in which the real instrument takes them.  Paths are as
everywhere: "/"-separated and relative, here to the folder that is played into.  Content comes as a function without
arguments, so that a stream can be walked through (to count, to let something go wrong) without making a byte of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from typing import NamedTuple

Content = Callable[[], bytes]
"""Makes a piece of content; the same bytes however often it is called."""


class Opening(Enum):
    """How a program opens a file for writing; the value is Python's mode.

    A stream opens a path as NEW before it opens it in another way, so that a play never touches what it did not make.
    """

    NEW = "xb"
    """Nothing may stand there yet."""
    APPEND = "ab"
    """Go on behind what is there, or begin it (IFCB's acquisition writes .adc and .roi so, source: ifcb-acq)."""
    REWRITE = "wb"
    """Begin anew, in place: for a moment the file is empty (tables of behaviour rigs; experiment.json)."""


class MakeFolder(NamedTuple):
    """Make a folder and those above it; it may be there already."""

    path: str


class Open(NamedTuple):
    """Open a file; it stays open, as the instrument keeps it, until its ``Close``."""

    path: str
    data: bool = False
    """Holds what was measured (images, ROIs, pushes) and cannot be made again: the files that faults strike."""
    how: Opening = Opening.NEW


class Append(NamedTuple):
    """Let an open file grow by one piece: a frame, a push, a trial."""

    path: str
    content: Content


class Close(NamedTuple):
    """Close an open file."""

    path: str


class Mark(NamedTuple):
    """Put down a marker: a small file whose being there says something."""

    path: str
    content: bytes = b""


class Rename(NamedTuple):
    """Give a file its other name, within the folder or across."""

    path: str
    to: str


class Remove(NamedTuple):
    """Take a file away (a lock file, a flag that is done with)."""

    path: str


class Pause(NamedTuple):
    """Do nothing for a while; it is kept even when the play has no pace."""

    seconds: float


Step = MakeFolder | Open | Append | Close | Mark | Rename | Remove | Pause


def write_file(path: str, *pieces: bytes | Content, data: bool = False, how: Opening = Opening.NEW) -> Iterator[Step]:
    """Open a file, append the pieces, close it."""
    yield Open(path, data, how)
    for piece in pieces:
        yield Append(path, partial(bytes, piece) if isinstance(piece, bytes) else piece)
    yield Close(path)
