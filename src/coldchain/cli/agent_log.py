"""Where does a watcher in the background say what a person should know, for months?"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock, local
from typing import TYPE_CHECKING, cast

from coldchain.content.private import make_private

if TYPE_CHECKING:
    from typing import TextIO

    from coldchain.config.values import Logs


@contextmanager
def said_into(file: Path, manner: Logs) -> Iterator[None]:
    """Let everything that this process says go into a file, which gives way to a new one when it is long.

    Each line is in the file as soon as it is said, in one piece.  Nothing that becomes of the file ends the process.
    """
    before, descriptors = (sys.stdout, sys.stderr), [os.dup(1), os.dup(2)]
    try:
        sys.stdout = sys.stderr = cast("TextIO", _AgentLog(file, manner))
        yield
    finally:
        sys.stdout, sys.stderr = before
        for standard, kept in enumerate(descriptors, 1):
            os.dup2(kept, standard)
            os.close(kept)


def make_way(file: Path, manner: Logs) -> None:
    """If the file is long, let it be the newest of the older ones, which lie beside it under ``.1`` and so on."""
    with suppress(OSError):
        if file.stat().st_size >= manner.size_bytes:
            _move_on(file, manner.keep)


def _move_on(file: Path, keep: int) -> None:
    names = [file, *(file.with_name(f"{file.name}.{number}") for number in range(1, keep + 1))]
    for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
        if newer.exists():
            newer.replace(older)
    if not keep:
        file.unlink(missing_ok=True)


class _AgentLog(io.TextIOBase):
    """Standard output and standard error of a watcher, down to the descriptors, for what it starts says things, too."""

    def __init__(self, file: Path, manner: Logs) -> None:
        self._file, self._manner = file, manner
        self._lock, self._begun = RLock(), local()  # a signal may be told of in the middle of a line
        make_private(file.parent)
        self._attach(file)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def fileno(self) -> int:
        return 1

    def write(self, text: str) -> int:
        """Keep what is no whole line yet, for each thread apart; raises nothing."""
        said = getattr(self._begun, "text", "") + text
        lines, end, self._begun.text = said.rpartition("\n")
        if end:
            self._say((lines + end).encode("utf-8", "backslashreplace"))
        return len(text)

    def _say(self, lines: bytes) -> None:
        with self._lock, suppress(OSError):
            size_bytes = os.fstat(1).st_size
            if size_bytes and size_bytes + len(lines) > self._manner.size_bytes:
                self._rotate()
            while lines:
                lines = lines[os.write(1, lines) :]

    def _rotate(self) -> None:
        """Whoever is killed here has said everything, in the file or in the one before it."""
        if sys.platform == "win32":  # it renames nothing that is open
            self._attach(Path(os.devnull))
        try:
            _move_on(self._file, self._manner.keep)
        finally:
            self._attach(self._file)

    def _attach(self, file: Path) -> None:
        opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        for standard in (1, 2):
            os.dup2(opened, standard)
        os.close(opened)
