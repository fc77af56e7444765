"""How fast may a place be used, and at which hours?

Written by a person as ``"50 MB/s"``, or as a table ``{ "08:00-18:00" = "50 MB/s" }``; carried in ``Place.options`` as
one text, ``50 MB/s`` or ``08:00-18:00 50 MB/s; 22:00-06:00 200 MB/s``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

RATE_HINT = 'write a number with its unit, such as "50 MB/s" or "800 KiB/s"'
HOURS_HINT = 'write hours of this machine\'s clock, such as "08:00-18:00" or "22:00-06:00"'
DAY_MINUTES = 24 * 60

# Not read with ``parse_size``, to which capitals do not matter: "Mb" is a megabit to everyone who sells lines.
_BYTES_BY_UNIT = {"B": 1, "KB": 1000, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1 << 10, "MiB": 1 << 20}
_RATE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([A-Za-z]{1,3})\s*/\s*s")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\s*-\s*(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))")


@dataclass(frozen=True, slots=True)
class Window:
    """A limit, and the minutes of the day (local time) at which it holds."""

    bytes_per_s: int
    begins_minute: int = 0
    ends_minute: int = DAY_MINUTES
    """The first minute after it; at or before ``begins_minute`` when midnight lies between them."""

    def holds_at(self, minute: int) -> bool:
        """Whether the limit holds at this minute of the day."""
        if self.begins_minute < self.ends_minute:
            return self.begins_minute <= minute < self.ends_minute
        return minute >= self.begins_minute or minute < self.ends_minute


def parse_bandwidth(text: str) -> tuple[Window, ...]:
    """Read the text of ``Place.options``; outside of all windows nothing is limited.

    Raises:
        ValueError: with the reason, which does not quote ``text``.
    """
    if _HOURS.match(text) is None:
        return (Window(_rate(text)),)
    windows = []
    for part in text.split(";"):
        hours, _, rate = re.sub(r"\s*-\s*", "-", part.strip()).partition(" ")
        windows.append(_window(hours, rate))
    _refuse_overlaps(windows)
    return tuple(windows)


def as_text(value: object) -> str:
    """Bring what stands in a configuration into one text; raises ValueError."""
    if isinstance(value, str):
        _rate(value)
        return value.strip()
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f'{RATE_HINT}, or a table of hours, such as {{ "08:00-18:00" = "50 MB/s" }}')
    parts = []
    for hours, rate in value.items():
        if not isinstance(rate, str):
            raise ValueError(f"holds a limit that is no text: {RATE_HINT}")
        _window(str(hours), rate)
        parts.append(f"{''.join(str(hours).split())} {rate.strip()}")
    text = "; ".join(sorted(parts))
    parse_bandwidth(text)
    return text


def _rate(text: str) -> int:
    found = _RATE.fullmatch(text.strip())
    factor = _BYTES_BY_UNIT.get(found[2]) if found else None
    if found is None or factor is None:
        raise ValueError(f"is no bandwidth: {RATE_HINT} (bytes, not bits)")
    bytes_per_s = round(float(found[1]) * factor)
    if bytes_per_s < 1:
        raise ValueError("is a bandwidth at which nothing ever arrives; take it out for no limit")
    return bytes_per_s


def _window(hours: str, rate: str) -> Window:
    found = _HOURS.fullmatch(hours.strip())
    if found is None:
        raise ValueError(f"holds hours that are none: {HOURS_HINT}")
    begins = int(found[1]) * 60 + int(found[2])
    ends = int(found[3] or found[5]) * 60 + int(found[4] or found[6])
    if begins == ends:
        raise ValueError(f"holds hours that end when they begin: {HOURS_HINT}")
    return Window(_rate(rate), begins, ends)


def _refuse_overlaps(windows: list[Window]) -> None:
    for minute in sorted({window.begins_minute for window in windows}):
        if sum(window.holds_at(minute) for window in windows) > 1:
            raise ValueError("holds hours that overlap, so that nobody knows which limit is meant")
