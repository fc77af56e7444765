"""What do the names of an Imaging FlowCytobot say?

A bin is one syringe: three files with one name, which is when it began and which instrument it was.  Sources: pyifcb,
``identifiers.py``; the file names of the public data sets of WHOI and SMHI.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

ADC, HDR, ROI = ".adc", ".hdr", ".roi"
ENDINGS = (ADC, HDR, ROI)
SKIP, BEADS = "skip", "beads"
ASIDE = (SKIP, BEADS)
"""Folders that the readers of IFCB data pass over: what was put aside, and runs of beads (pyifcb, ``files.py``)."""

_MONTH, _DAY = "(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_NEW_DAY, _OLD_DAY = rf"D\d{{4}}{_MONTH}{_DAY}", r"IFCB\d{1,3}_\d{4}_[0-3]\d\d"
_BIN = rf"{_NEW_DAY}T(?:[01]\d|2[0-3])[0-5]\d[0-5]\d_IFCB\d{{3,4}}|{_OLD_DAY}_\d{{6}}"
_is_bin = re.compile(_BIN, re.ASCII).fullmatch
_of_bin = re.compile(rf"(?:{_BIN})(?![A-Za-z0-9])", re.ASCII).match
_is_day = re.compile(rf"{_NEW_DAY}|{_OLD_DAY}", re.ASCII).fullmatch
_of_day = re.compile(rf"({_NEW_DAY})T|({_OLD_DAY})_", re.ASCII).match
_is_year = re.compile(r"D?\d{4}", re.ASCII).fullmatch


def bin_of(path: str) -> str | None:
    """The path of a file of a bin without its ending; None for any other file."""
    stem, ending = path[:-4], path[-4:]
    return stem if ending in ENDINGS and _is_bin(stem[stem.rfind("/") + 1 :]) else None


def belongs_to_bin(name: str) -> bool:
    """Whether a file name is that of a bin, or of something made from one (``<bin>_00014.png``, ``<bin>_blob.zip``)."""
    return _of_bin(name) is not None


def is_day(folder_name: str) -> bool:
    """Whether a folder is named as one day: ``D20230810``, ``IFCB5_2012_028``."""
    return _is_day(folder_name) is not None


def is_year(folder_name: str) -> bool:
    """Whether a folder is named as one year: ``2023``, ``D2023``."""
    return _is_year(folder_name) is not None


def day_of(file_name: str) -> str:
    """The day that a file name begins with, as its folder would be named; "" when it begins with none."""
    found = _of_day(file_name)
    return (found[1] or found[2]) if found else ""


def beginning_of(day: str) -> str:
    """What the names of all files of a day begin with."""
    return f"{day}T" if is_new(day) else f"{day}_"


def is_new(name: str) -> bool:
    """Whether a day or bin is of the second version of the format (2013 and later), not of the first (IFCB1 to 9)."""
    return name.startswith("D")


def date_of(day: str) -> date | None:
    """The date of a day; None for one that no calendar has."""
    try:
        if is_new(day):
            return date(int(day[1:5]), int(day[5:7]), int(day[7:9]))
        _, year, number = day.split("_")
        found = date(int(year), 1, 1) + timedelta(days=int(number) - 1)
    except (ValueError, OverflowError):
        return None
    return found if found.year == int(year) else None


def start_of(bin_name: str) -> datetime | None:
    """When a bin began, which its name says in UTC; None for a time that no clock shows."""
    clock = bin_name[10:16] if is_new(bin_name) else bin_name[-6:]
    day = date_of(day_of(bin_name))
    try:
        time = datetime.strptime(clock, "%H%M%S").time()
    except ValueError:
        return None
    return datetime.combine(day, time, UTC) if day else None


def instrument_of(bin_name: str) -> str:
    """The instrument of a bin: ``IFCB134``, or ``IFCB5`` of an old one."""
    return bin_name.rpartition("_")[2] if is_new(bin_name) else bin_name.partition("_")[0]
