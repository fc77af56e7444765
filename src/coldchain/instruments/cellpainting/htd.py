"""What does a MetaXpress ``.HTD`` plan?

Source: three exports of MetaXpress in the test data, from faim-ipa.  Lines of comma-separated values, quoted keys
first, CRLF; descriptions hold bytes that are not UTF-8; the last line is ``"EndFile"``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

from coldchain.instruments.cellpainting.names import well_name

MOST_BYTES = 1 << 20
"""A real one has 1.5 KB."""
MOST_PLACES = 1_000_000
"""A plan for more wells, sites and wavelengths is no plan: 1,536 x 64 x 8 are 786,432."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a plate was meant to have; an upper bound, because a wavelength may be left out in steps and time points."""

    wells: tuple[str, ...]
    sites: tuple[int, ...]
    """The numbers of the selected sites, if they are counted within the selection ..."""
    grid: tuple[int, ...]
    """... and if they are counted within the whole grid; real exports have been seen without gaps only."""
    waves: tuple[int, ...]
    times: int
    said: Mapping[str, tuple[str, ...]]


def read_plan(content: bytes) -> Plan | str:
    """Read an HTD that is whole; a phrase that says what is wrong with it when there is no sense in it."""
    said = _lines(content)
    try:
        rows, columns = _count(said, "YWells"), _count(said, "XWells")
        sites, grid = _sites(said)
        waves = _count(said, "NWavelengths") if _true(said.get("Waves", ("TRUE",))[0]) else 1
        times = _count(said, "TimePoints")
    except (KeyError, ValueError, IndexError) as error:
        return f"is malformed: {error}"
    wells = tuple(
        well_name(row, column)
        for row in range(1, rows + 1)
        for column, chosen in enumerate(said.get(f"WellsSelection{row}", ())[:columns], 1)
        if _true(chosen)
    )
    collected = tuple(wave for wave in range(1, waves + 1) if said.get(f"WaveCollect{wave}", ("1",))[0] != "0")
    if not wells or not sites or not collected:
        return "is malformed: it selects no well, no site or no wavelength"
    if len(wells) * len(sites) * waves > MOST_PLACES:
        return f"is malformed: it plans more than {MOST_PLACES:,} images at a time"
    return Plan(wells, sites, grid, collected, times, said)


def is_whole(content: bytes) -> bool:
    """Whether the last line is there that every HTD ends with."""
    return content.rstrip().rpartition(b"\n")[2].strip() == b'"EndFile"'


def _lines(content: bytes) -> dict[str, tuple[str, ...]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    said: dict[str, tuple[str, ...]] = {}
    try:
        for fields in csv.reader(text.replace("\0", "").split("\n"), skipinitialspace=True):
            if len(fields) > 1:
                said.setdefault(fields[0].strip(), tuple(field.strip() for field in fields[1:]))
    except csv.Error:  # a value of more than 128 KB; what came before stands
        pass
    return said


def _count(said: Mapping[str, tuple[str, ...]], key: str) -> int:
    text = said[key][0]
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text)):
        raise ValueError(f"{key} is {text[:40]!r}")
    return int(text)


def _true(word: str) -> bool:
    return word.upper() == "TRUE"


def _sites(said: Mapping[str, tuple[str, ...]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if not _true(said.get("Sites", ("FALSE",))[0]):
        return (1,), (1,)
    across, down = _count(said, "XSites"), _count(said, "YSites")
    grid = tuple(
        (row - 1) * across + column
        for row in range(1, down + 1)
        for column, chosen in enumerate(said.get(f"SiteSelection{row}", ())[:across], 1)
        if _true(chosen)
    )
    return tuple(range(1, len(grid) + 1)), grid
