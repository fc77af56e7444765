"""How are counts, sizes and hostile names shown to a person?"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress

from coldchain.errors import ColdchainError, StoreError
from coldchain.model import Tally

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def plain(text: str) -> str:
    """Text that cannot steer a terminal: control characters, bytes and direction marks are spelt out."""
    return "".join(c if c == "\n" or c.isprintable() else ascii(c)[1:-1] for c in text)


def name(text: str) -> str:
    """A name on one line."""
    return plain(text).replace("\n", "\\n")


def size(size_bytes: float) -> str:
    """Bytes for people, in powers of 1024."""
    unit = 0
    while size_bytes >= 1024 and unit < len(_UNITS) - 1:
        size_bytes /= 1024
        unit += 1
    return f"{size_bytes:,.0f} {_UNITS[unit]}" if unit == 0 else f"{size_bytes:,.1f} {_UNITS[unit]}"


def files(number: int) -> str:
    """A number of files."""
    return f"{number:,} file{'' if number == 1 else 's'}"


def tally(value: Tally) -> str:
    """Files and bytes."""
    return f"{files(value.files)}, {size(value.size_bytes)}"


def duration(seconds: float) -> str:
    """A time span for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def show_json(values: Mapping[str, object]) -> None:
    """One JSON object on one line."""
    print(json.dumps(values))


def sentence(error: ColdchainError, job: str = "") -> str:
    """What an error says, with the place if it is one of a store."""
    if not isinstance(error, StoreError) or not error.url:
        return str(error)
    place = f"{error.url}: {name(error.key)}" if error.key else error.url
    return f"{f'{job}: ' if job else ''}{place}: {name(error.reason)}"


def complain(text: str) -> None:
    """A sentence on standard error, if there is anybody to read it; a line break in it forges no line of its own."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(f"coldchain: {plain(text)}".replace("\n", "\n  ") + "\n")
