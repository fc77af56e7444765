"""Was an .imd finished?

An .imd holds, push by push, two little-endian 16-bit numbers for each analyte (intensity, pulse count), then zeros,
then the settings as XML in UTF-16LE, ``<ExperimentSchema …>…</ExperimentSchema>``, written when the acquisition ends.
Without them the file cannot be converted.  How many zeros there are is not known, so a length proves nothing.
Source: nolanlab/cytofCore, ``cytofCore.read.imd.xml`` in R/read.R, which demands the end tag as the last 38 bytes.
"""

from __future__ import annotations

import re
from html import unescape

END = "</ExperimentSchema>".encode("utf-16-le")
_BEGIN = "<ExperimentSchema".encode("utf-16-le")
WINDOW_BYTES = 1024
"""So much of the end is read to see whether the tail is there ..."""
XML_BYTES = 512 << 10
"""... and so much for what it says; cytofCore gives up after 256 KiB."""
_MOST_ANALYTES = 200
_MOST_CHARACTERS = 100
_MARKER_CHARACTERS = 5000
_PADDING = {unit.encode("utf-16-le") for unit in ("\0", " ", "\r", "\n", "\t")}
_FIELD = re.compile(r"<(Mass|MassSymbol|ShortName|Description)>([^<]{0,200})</")


def has_tail(end: bytes) -> bool:
    """Whether the last piece of a file ends in the end tag; white space and zeros may follow it."""
    while end[-2:] in _PADDING:
        end = end[:-2]
    return end.endswith(END)


def analytes_of(end: bytes) -> list[str]:
    """The analytes as the tail names them, "Ir191" or "Nd142 CD19", as far as ``end`` reaches back; [] for garbage."""
    start = end.rfind(_BEGIN)
    if start < 0:
        return []
    text = end[start:].decode("utf-16-le", "replace").replace("\0", "")
    names = []
    for marker in text.split("<AcquisitionMarkers>", _MOST_ANALYTES + 1)[1 : _MOST_ANALYTES + 1]:
        fields = marker[:_MARKER_CHARACTERS].partition("</AcquisitionMarkers>")[0]
        names.append(_named({key: unescape(value).strip() for key, value in _FIELD.findall(fields)}))
    return [name for name in names if name]


def _named(fields: dict[str, str]) -> str:
    mass, symbol = fields.get("Mass", ""), fields.get("MassSymbol", "")
    metal = f"{symbol}{_rounded(mass)}"
    marker = fields.get("ShortName") or fields.get("Description") or ""
    return (f"{metal} {marker}".strip() if marker != metal else metal)[:_MOST_CHARACTERS]


def _rounded(mass: str) -> str:
    return str(round(float(mass))) if re.fullmatch(r"\d{1,4}(\.\d{1,12})?", mass, re.ASCII) else mass
