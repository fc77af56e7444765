"""How is the digest of some content computed?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Protocol, cast

from coldchain.errors import ConfigurationError
from coldchain.model import Digest


class Hasher(Protocol):
    """What hashlib's objects can do."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Take the next piece."""

    def hexdigest(self) -> str:
        """The digest of all pieces."""


def hasher_of(algorithm: str) -> Callable[[], Hasher]:
    """A function that makes new hashers; raises ConfigurationError when the algorithm needs a package that is missing.

    md5 serves comparison with systems that know nothing else; it protects against accidents, not against people.
    """
    if algorithm == "sha256":
        return hashlib.sha256
    if algorithm == "md5":
        return lambda: hashlib.md5(usedforsecurity=False)
    if algorithm == "blake3":
        try:
            return cast("Callable[[], Hasher]", import_module("blake3").blake3)
        except ImportError:
            raise ConfigurationError('digest = "blake3" needs a package: pip install "coldchain[blake3]"') from None
    raise ConfigurationError(f"no digest is called {algorithm!r}; known are sha256, blake3 and md5")


def digest_of(algorithm: str, chunks: Iterable[bytes | memoryview]) -> tuple[Digest, int]:
    """The digest of all chunks in order, and their length in bytes."""
    hasher = hasher_of(algorithm)()
    size_bytes = 0
    for chunk in chunks:
        hasher.update(chunk)
        size_bytes += len(chunk)
    return Digest(algorithm, hasher.hexdigest()), size_bytes
