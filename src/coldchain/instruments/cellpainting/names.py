"""What do the names of folders and images say of a plate?"""

from __future__ import annotations

import re
from enum import StrEnum

from coldchain.model import Dataset, Part


class Maker(StrEnum):
    """Whose microscope wrote a plate, which decides how it is judged."""

    HARMONY = "harmony"
    """Opera Phenix, Operetta, Sonata (Revvity, before that PerkinElmer)."""
    IMAGEXPRESS = "imagexpress"
    """ImageXpress with MetaXpress (Molecular Devices)."""
    CV8000 = "cv8000"
    """CellVoyager CV7000 and CV8000 (Yokogawa)."""


# The Cell Painting Gallery's copies drop the space before the number of the measurement.
HARMONY = re.compile(
    r"(?P<plate>.+?)__(?P<date>\d{4}-\d\d-\d\d)T\d\d_\d\d_\d\d-Measurement ?(?P<measurement>\d+)", re.DOTALL
)
EXPORT = re.compile(r"(?P<plate>.+)_Plate_(?P<measurement>\d+)", re.DOTALL)
CV8000 = re.compile(r"(?P<plate>.+)_(?P<measurement>\d{8}_\d{6})", re.DOTALL)
DATE = re.compile(r"\d{4}-\d\d-\d\d")
NUMBER = re.compile(r"\d+")
LEVEL = re.compile(r"(?:TimePoint|ZStep)_\d+", re.IGNORECASE)

GUID = r"[0-9A-F]{8}-(?:[0-9A-F]{4}-){3}[0-9A-F]{12}"
# After faim-ipa's pattern; the parts of site and wavelength vanish when there is one only.
METAXPRESS_IMAGE = re.compile(
    rf".*_(?P<well>[A-Z]{{1,2}}\d\d)(?:_?s(?P<site>\d{{1,4}}))?(?:_?w(?P<wave>\d{{1,2}}))?"
    rf"(?P<thumb>_thumb)?(?P<guid>{GUID})?\.(?i:tif)",
    re.DOTALL,
)
HARMONY_IMAGE = re.compile(r"r(\d+)c(\d+)f(\d+)p(\d+)-ch(\d+)sk(\d+)fk(\d+)fl(\d+)\.tiff?", re.IGNORECASE)
CV8000_IMAGE = re.compile(r".*_([A-Z]{1,2}\d\d)_T(\d+)F(\d+)L(\d+)A(\d+)Z(\d+)C(\d+)\.(?i:tiff?)", re.DOTALL)
INDEX = re.compile(r"(?:images/)?index(?P<kind>(?:\.\w+)?)\.xml", re.IGNORECASE)
"""Harmony's index, below the folder of the plate; ``.ref`` is the one of a flat-field export."""


def plate_at(root: str, name: str, found: re.Match[str] | None = None, **known: str) -> Dataset:
    """The dataset of a plate's folder, with the fields that its name tells."""
    fields = (found.groupdict() if found else {}) | known
    order = ("plate", "date", "measurement")
    return Dataset(name, (Part(root),), tuple((key, fields[key]) for key in order if fields.get(key)))


def well_name(row: int, column: int) -> str:
    """The name of a well, both counted from 1: (2, 3) is B03, (27, 1) of a plate of 1,536 is AA01."""
    letters = chr(ord("A") + (row - 1) % 26)
    return f"{chr(ord('A') + (row - 1) // 26 - 1) if row > 26 else ''}{letters}{column:02}"


def harmony_image(url: str) -> str:
    """An image of Harmony as people name it: "r01c01 f1 p1 ch2"."""
    found = HARMONY_IMAGE.fullmatch(url)
    if not found:
        return url
    row, column, field, plane, channel, sequence, *_ = found.groups()
    later = f" sk{sequence}" if int(sequence) != 1 else ""
    return f"r{row}c{column} f{int(field)} p{int(plane)} ch{channel}{later}"
