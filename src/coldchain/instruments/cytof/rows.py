"""What does the catalogue hold of one FCS file?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from coldchain.instruments.cytof.fcs import Fcs
from coldchain.instruments.cytof.keywords import number_of

_FIELDS = ("$CYT", "$CYTSN", "$DATE", "$BTIM", "$ETIM", "$SYS", "$FIL")
_PERSONAL = ("$OP", "$SRC", "$COM", "$CELLS", "$EXP", "$SMNO", "$PROJ", "$LAST_MODIFIER", "EXPORT USER NAME")
"""Operators, patients, experimenters, free text."""
_MOST_CHARACTERS = 500
_MOST_CHANNELS, _CHANNEL_CHARACTERS = 200, 100
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_FIRST = re.compile(r"(\d{1,2})[- /.]([a-z]{3})[a-z]*[- /.](\d{4}|\d{2})", re.IGNORECASE | re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})[- /.]([a-z]{3}|\d{1,2})[a-z]*[- /.](\d{1,2})", re.IGNORECASE | re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})(?:[.:]\d{1,6})?", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}", re.ASCII)


def row_of(fcs: Fcs, *, personal: bool) -> dict[str, object]:
    """The fields, under the names that FCS gives them; ``start`` and ``end`` are the local time of the instrument."""
    keywords = fcs.keywords
    row: dict[str, object] = {"version": fcs.version}
    start, end = _times(keywords)
    named = {"start": start, "end": end, "serial": _text(keywords, "$CYTSN") or _text(keywords, "CYTNUM")}
    named |= {key: _text(keywords, key) for key in _FIELDS + (_PERSONAL if personal else ())}
    row |= {key: value for key, value in named.items() if value}
    row |= {key: count for key in ("$TOT", "$PAR") if (count := number_of(keywords, key)) is not None}
    if channels := _channels(keywords):
        row["channels"] = channels
    if fcs.sets > 1:
        row["sets"] = fcs.sets
    return row


def _text(keywords: Mapping[str, str], key: str) -> str:
    return keywords.get(key, "").replace("\0", "").strip()[:_MOST_CHARACTERS]


def _channels(keywords: Mapping[str, str]) -> list[str]:
    """$PnN and, where it says more, $PnS: "Nd142Di 142Nd_CD19"."""
    channels = []
    for n in range(1, min(number_of(keywords, "$PAR") or 0, _MOST_CHANNELS) + 1):
        name, stain = _text(keywords, f"$P{n}N"), _text(keywords, f"$P{n}S")
        channels.append((f"{name} {stain}" if stain and stain != name else name)[:_CHANNEL_CHARACTERS])
    return channels if any(channels) else []


def _times(keywords: Mapping[str, str]) -> tuple[str, str]:
    """Begin and end in ISO 8601, "" for what is not told ($DATE is "X" where somebody took it out).

    FCS 3.2 has both in one keyword each; before, there is one date, and an end before the beginning is on the next day.
    """
    moments = [_moment(_text(keywords, key)) for key in ("$BEGINDATETIME", "$ENDDATETIME")]
    if moments[0]:
        return moments[0], moments[1]
    day = _date(_text(keywords, "$DATE"))
    begin, end = (_clock(_text(keywords, key)) for key in ("$BTIM", "$ETIM"))
    if day is None or begin is None:
        return (day.isoformat() if day else ""), ""
    start = datetime.combine(day, begin)
    if end is None:
        return start.isoformat(), ""
    stop = datetime.combine(day, end)
    if stop < start and day < date.max:
        stop += timedelta(days=1)
    return start.isoformat(), stop.isoformat()


def _moment(value: str) -> str:
    found = _MOMENT.match(value)
    try:
        return datetime.fromisoformat(found[0]).isoformat() if found else ""
    except ValueError:
        return ""


def _date(value: str) -> date | None:
    """dd-mmm-yyyy, in any capitals, as the standard has it; dd-mmm-yy (CELLQuest), yyyy-mmm-dd (MACSQuant)."""
    if found := _DAY_FIRST.fullmatch(value):
        day, month, year = found.groups()
    elif found := _YEAR_FIRST.fullmatch(value):
        year, month, day = found.groups()
    else:
        return None
    years = int(year) if len(year) == 4 else int(year) + (1900 if int(year) > 68 else 2000)
    number = int(month) if month.isdigit() else _MONTHS.index(month.lower()) + 1 if month.lower() in _MONTHS else 0
    try:
        return date(years, number, int(day))
    except ValueError:
        return None


def _clock(value: str) -> time | None:
    """hh:mm:ss; hundredths, sixtieths or thousandths (":39:51", ":05:509") say nothing that a catalogue needs."""
    found = _CLOCK.match(value)
    try:
        return time(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None
