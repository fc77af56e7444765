"""How does a message look: as plain text, and as HTML for a phone?"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from coldchain.model import Tally
from coldchain.notify.base import Tone, plain, short

if TYPE_CHECKING:
    from jinja2 import Template

SUBJECT_LENGTH = 120
LINE_LENGTH = 300
"""Names are longer than that only where somebody means harm, or a program went wild."""


_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def files(number: int) -> str:
    """A number of files."""
    return f"{number:,} file{'' if number == 1 else 's'}"


def size(size_bytes: float) -> str:
    """Bytes for people, in powers of 1024."""
    unit = 0
    while size_bytes >= 1024 and unit < len(_UNITS) - 1:
        size_bytes /= 1024
        unit += 1
    return f"{size_bytes:,.{1 if unit else 0}f} {_UNITS[unit]}"


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


@dataclass(frozen=True, slots=True)
class Listing:
    """Some lines under a title, and how many more there are."""

    title: str
    lines: tuple[str, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a title; the first column names them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """Everything that a message says; its texts may hold anything at all."""

    subject: str
    headline: str
    tone: Tone
    facts: tuple[tuple[str, str], ...] = ()
    listings: tuple[Listing, ...] = ()
    tables: tuple[Table, ...] = ()
    command: str = ""
    """What to type to see more."""


def subject_of(letter: Letter) -> str:
    """The subject, on one line and not too long for a header."""
    return short(letter.subject, SUBJECT_LENGTH)


def text_of(letter: Letter) -> str:
    """As plain text; every line of it is at most some hundred characters long."""
    return "\n".join(_lines(_clean(letter))) + "\n"


def html_of(letter: Letter) -> str:
    """As HTML that fetches nothing from anywhere; jinja2 escapes whatever is put into it."""
    return _template().render(letter=_clean(letter))


def _lines(letter: Letter) -> Iterator[str]:
    yield letter.headline
    yield ""
    width = max((len(label) for label, _ in letter.facts), default=0) + 2
    for label, value in letter.facts:
        yield from textwrap.wrap(
            value, 100, initial_indent=f"{label + ':':<{width}}", subsequent_indent=" " * width, break_long_words=False
        ) or [f"{label}:"]
    for listing in letter.listings:
        yield from ("", listing.title)
        yield from (f"  {line}" for line in listing.lines)
        if listing.more:
            yield f"  … and {listing.more:,} more"
    for table in letter.tables:
        yield from ("", table.title)
        for first, *rest in table.rows:
            yield f"  {first}"
            yield from (f"    {name}: {value}" for name, value in zip(table.columns[1:], rest, strict=True) if value)
        if table.more:
            yield f"  … and {table.more:,} more"
    if letter.command:
        yield from ("", "To look further:", f"  {letter.command}")


def _clean(letter: Letter) -> Letter:
    return Letter(
        subject_of(letter),
        _cut(letter.headline),
        letter.tone,
        tuple((_cut(label), short(value, 3 * LINE_LENGTH)) for label, value in letter.facts),
        tuple(Listing(_cut(one.title), tuple(map(_cut, one.lines)), one.more) for one in letter.listings),
        tuple(
            Table(
                _cut(one.title),
                tuple(map(_cut, one.columns)),
                tuple(tuple(map(_cut, row)) for row in one.rows),
                one.more,
            )
            for one in letter.tables
        ),
        plain(letter.command),
    )


def _cut(text: str) -> str:
    return short(text, LINE_LENGTH)


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    text = Path(__file__).with_name("letter.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text)
