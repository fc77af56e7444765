"""How is a folder made that nobody else enters?"""

from __future__ import annotations

from pathlib import Path


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone; raises OSError.

    ``Path.mkdir`` gives its mode to the last folder only, and leaves those above to the umask.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
