"""How is a folder made that nobody else enters?"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from coldchain.content.durable import flush_folder


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone; raises OSError.

    It is durable where the system lets us flush the folder above: one that may not be read can still be written to.

    ``Path.mkdir`` gives its mode to the last folder only, and leaves those above to the umask.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
        with suppress(OSError):
            flush_folder(one.parent)
