"""What is copied?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_CHUNK_BYTES = 16 << 20


class Tree(NamedTuple):
    """Files of one size, evenly over folders."""

    folders: int
    files: int
    size_bytes: int

    @property
    def total(self) -> int:
        return self.files * self.size_bytes

    @property
    def name(self) -> str:
        return f"{self.folders}x{self.files // self.folders}x{self.size_bytes}"


def make(where: Path, tree: Tree) -> Path:
    """Make the files, of random bytes that nothing can compress, unless an earlier run did."""
    root = where / tree.name
    if root.exists():
        return root
    begun = where / f"{tree.name}.begun"
    for folder in range(tree.folders):
        (begun / f"folder{folder:04}").mkdir(parents=True, exist_ok=True)
        for file in range(tree.files // tree.folders):
            _fill(begun / f"folder{folder:04}" / f"file{file:06}.bin", tree.size_bytes)
    os.sync()
    begun.rename(root)
    return root


def _fill(file: Path, size_bytes: int) -> None:
    with file.open("wb") as out:
        for done in range(0, size_bytes, _CHUNK_BYTES):
            out.write(os.urandom(min(_CHUNK_BYTES, size_bytes - done)))


def warm(root: Path) -> None:
    """Read every file, so that each program finds them all in the page cache."""
    buffer = bytearray(_CHUNK_BYTES)
    for folder in sorted(root.iterdir()):
        for file in sorted(folder.iterdir()):
            with file.open("rb", buffering=0) as content:
                while content.readinto(buffer):
                    pass


def count(root: Path) -> tuple[int, int]:
    """Files and bytes below a folder, without what programs keep there for themselves."""
    files = size_bytes = 0
    for folder, names, found in os.walk(root):
        names[:] = [name for name in names if name != ".coldchain"]
        files += len(found)
        size_bytes += sum(os.lstat(os.path.join(folder, name)).st_size for name in found)
    return files, size_bytes
