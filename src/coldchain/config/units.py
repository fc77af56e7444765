"""How does a person write durations, sizes and shares?

A number without its unit is refused everywhere: nobody can tell seconds from minutes, or 5 from 5 %.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from coldchain.errors import ConfigurationError

DURATION_HINT = 'write numbers with units, largest first, such as "10 min", "1 h 30 min" or "30 days"'
SIZE_HINT = 'write a number with its unit, such as "10 MB" (10,000,000 bytes) or "1.5 GiB" (1.5 × 1,073,741,824 bytes)'
SHARE_HINT = 'write a percentage from 0 to 100, such as "5%"'

_SPELLINGS_BY_US = {
    604_800_000_000: "w week weeks",
    86_400_000_000: "d day days",
    3_600_000_000: "h hr hrs hour hours",
    60_000_000: "m min mins minute minutes",
    1_000_000: "s sec secs second seconds",
    1_000: "ms millisecond milliseconds",
    1: "us µs μs microsecond microseconds",
}
_US_BY_UNIT = {spelling: us for us, spellings in _SPELLINGS_BY_US.items() for spelling in spellings.split()}
_WRITTEN = {86_400_000_000: "d", 3_600_000_000: "h", 60_000_000: "min", 1_000_000: "s", 1_000: "ms", 1: "us"}
_LONGEST_US = 365_250 * _US_BY_UNIT["d"]
_BYTES_BY_UNIT = (
    {"b": 1, "byte": 1, "bytes": 1}
    | {f"{letter}b": 1000**power for power, letter in enumerate("kmgtp", start=1)}
    | {f"{letter}ib": 1024**power for power, letter in enumerate("kmgtp", start=1)}
)

_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)"
_AMOUNT = re.compile(_NUMBER + r"\s*([A-Za-zµμ]{1,20})")
_AMOUNTS = re.compile(rf"\s*{_AMOUNT.pattern}(?:[\s,]*{_AMOUNT.pattern}){{0,9}}\s*")
_PERCENTAGE = re.compile(rf"\s*{_NUMBER}\s*%\s*")


def parse_duration(text: str) -> timedelta:
    """Read ``10 min``, ``90d`` or ``1 h 30 min``; exact to the microsecond.

    A lone capital is refused, because to some programs ``M`` is a month.

    Raises:
        ConfigurationError: ``text`` is no duration, or longer than a thousand years: times so far away have no date.
    """
    wrong = ConfigurationError(f"{text!r} is no duration: {DURATION_HINT}")
    if not _AMOUNTS.fullmatch(text):
        raise wrong
    total, above = Decimal(0), None
    for number, unit in _AMOUNT.findall(text):
        us = _US_BY_UNIT.get(unit) or (_US_BY_UNIT.get(unit.lower()) if len(unit) > 1 else None)
        if us is None or (above is not None and us >= above):
            raise wrong
        total += Decimal(number) * us
        above = us
    if total > _LONGEST_US:
        raise ConfigurationError(f"{text!r} is longer than a thousand years")
    return timedelta(microseconds=round(total))


def format_duration(duration: timedelta) -> str:
    """Write a duration, which is not negative, so that ``parse_duration`` reads the same one back."""
    rest, parts = duration // timedelta(microseconds=1), []
    for us, unit in _WRITTEN.items():
        count, rest = divmod(rest, us)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def parse_size(text: str) -> int:
    """Read ``1.5 GiB`` or ``10MB`` as bytes, rounded to whole ones; capitals do not matter.

    Raises:
        ConfigurationError: ``text`` is no size.
    """
    found = _AMOUNT.fullmatch(text.strip())
    factor = _BYTES_BY_UNIT.get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise ConfigurationError(f"{text!r} is no size: {SIZE_HINT}")
    return int((Decimal(found[1]) * factor).to_integral_value())


def parse_share(text: str) -> float:
    """Read ``5%`` as 0.05.

    Raises:
        ConfigurationError: ``text`` is no percentage, or above 100.
    """
    found = _PERCENTAGE.fullmatch(text)
    share = Decimal(found[1]) / 100 if found else Decimal(2)
    if share > 1:
        raise ConfigurationError(f"{text!r} is no share: {SHARE_HINT}")
    return float(share)
