"""What had a killed run published that the ledger never heard of?

Between the moment in which a name appears and the one in which the ledger knows of it, a run can be killed.  If the
source changes before the next run, what stands there looks like a stranger's, which is never replaced (P5), and the
file would wait for a person.  So a batch writes down what it is about to publish, in a file of its own in the state
folder, and the file goes once the ledger knows.  What it says is believed of no copy whose bytes are not those.

It is durable before the first name appears, so that a power cut does not part them; but it remains a hint: where it
cannot be written or read, nothing is worse than without it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from coldchain.content.durable import flush_folder
from coldchain.content.private import make_private
from coldchain.model import Digest, Entry, ProofKind, Record

Known = dict[str, dict[str, Record]]
"""By destination, what was begun there, by the path of the source."""


def note(file: str, destination: str, files: Iterable[tuple[Entry, str, Digest]]) -> None:
    """Write down that these are about to be published under these keys."""
    lines = "".join(json.dumps([destination, *one]) + "\n" for one in files)
    with suppress(OSError):
        make_private(Path(file).parent)
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(opened, "wb") as writing:
            writing.write(lines.encode("ascii"))
            writing.flush()
            os.fsync(opened)
        flush_folder(Path(file).parent)


def forget(files: Iterable[Path]) -> None:
    """The ledger knows of all that these files name."""
    for file in files:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def notes_in(folder: Path) -> list[Path]:
    """The files that killed runs left, oldest first."""
    try:
        return sorted(folder.iterdir(), key=lambda file: (file.stat().st_mtime_ns, file.name))
    except OSError:
        return []


def recall(files: Iterable[Path]) -> Known:
    """What they say; of a path that comes several times the last.  A line that was cut short says nothing."""
    known: Known = {}
    for file in files:
        with suppress(OSError):
            for line in file.read_bytes().splitlines():
                for destination, record in _read(line):
                    known.setdefault(destination, {})[record.path] = record
    return known


def _read(line: bytes) -> Iterator[tuple[str, Record]]:
    with suppress(ValueError, TypeError, RecursionError):
        destination, (path, size, mtime, ctime, inode, mode), key, (algorithm, value) = json.loads(line)
        numbers = (size, mtime, ctime, inode, mode)
        texts = (destination, path, key, algorithm, value)
        if all(type(number) is int for number in numbers) and all(type(text) is str for text in texts):
            digest = Digest(algorithm, value)
            # proved by nothing: the copy is read before anything is made of this
            yield (
                destination,
                Record(path, key, size, mtime, ctime, inode, mode, 0, digest, ProofKind.SIZE, "stat", 0, 0),
            )
