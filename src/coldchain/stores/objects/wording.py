"""What do the words of a place's options mean?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from coldchain.errors import ConfigurationError

PART_BYTES = 8 << 20
_MOST_WHOLE_BYTES = 8 << 20
_SIZE = re.compile(r"(\d+)\s*(B|KB|KiB|MB|MiB|GB|GiB)?")
_UNITS = {"B": 1, "KB": 1000, "KiB": 1 << 10, "MB": 1000**2, "MiB": 1 << 20, "GB": 1000**3, "GiB": 1 << 30}
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def split(url: str, scheme: str) -> tuple[str, str]:
    """Bucket and folder of ``scheme://bucket/folder``; raises ConfigurationError, which never repeats a secret."""
    bucket, _, folder = url.removeprefix(f"{scheme}://").partition("/")
    if "@" in bucket or "?" in url:
        raise ConfigurationError(
            f"{scheme}://…: no user, no key and no signature belong into a URL; see docs/stores for where they belong"
        )
    folder = folder.rstrip("/")
    if folder and any(name in {"", ".", ".."} for name in folder.split("/")):
        raise ConfigurationError(f"{url}: {folder!r} is no folder")
    return bucket, folder


def only(url: str, options: Mapping[str, str], names: tuple[str, ...]) -> None:
    """Refuse options that do not exist."""
    if unknown := sorted(set(options) - set(names)):
        raise ConfigurationError(f"{url}: no option is called {unknown[0]!r}; there are {', '.join(names)}")


def truth(url: str, options: Mapping[str, str], name: str) -> bool:
    """True or false; false when it is not said."""
    said = options.get(name, "false").lower()
    if said not in _WORDS:
        raise ConfigurationError(f"{url}: {name} is true or false, not {said!r}")
    return _WORDS[said]


def whole_bytes(url: str, options: Mapping[str, str], most_bytes: int = _MOST_WHOLE_BYTES) -> int:
    """Up to which size a file is sent in one request."""
    return _size_bytes(url, options, "whole_size", (0, most_bytes))


def part_bytes(url: str, options: Mapping[str, str], least_bytes: int, most_bytes: int) -> int:
    """How much of a large file is sent at a time."""
    return _size_bytes(url, options, "part_size", (least_bytes, most_bytes))


def endpoint(url: str, said: str) -> str:
    """A server's address, without a slash at its end."""
    try:
        found = urlsplit(said)
        good = not said or (found.scheme in {"http", "https"} and bool(found.hostname))
        if found.username or found.password or found.query:
            raise ConfigurationError(f"{url}: no user, no password and no signature belong into `endpoint`")
    except ValueError:
        good = False
    if not good:
        raise ConfigurationError(f"{url}: endpoint is none; it looks like https://host or http://host:9000")
    return said.rstrip("/")


def _size_bytes(url: str, options: Mapping[str, str], name: str, bounds: tuple[int, int]) -> int:
    least_bytes, most_bytes = bounds
    said = options.get(name, "")
    if not said:
        return PART_BYTES
    found = _SIZE.fullmatch(said.strip())
    size_bytes = int(found[1]) * _UNITS[found[2] or "B"] if found else -1
    if not least_bytes <= size_bytes <= most_bytes:
        most = f"{most_bytes >> 20} MiB"
        raise ConfigurationError(f"{url}: {name} is between {least_bytes >> 10} KiB and {most}, not {said!r}")
    return size_bytes
