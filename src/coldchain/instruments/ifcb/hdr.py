"""What does the header of a bin (``.hdr``) say?

Lines of ``key: value``, latin-1, LF or CRLF, values that may end in a tab; some lines have no colon.  Old instruments
(IFCB1 to 9) write six quoted lines instead, the last two being names and values.  Sources: real headers of software
1.0, 2.0 build 380 and 429, 2.0.0.0 and 2.0.5.0; the writer is ``WriteHeaderFile`` of robertjolson/ifcb-acq.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import NamedTuple

LIMIT_BYTES = 256 << 10
"""A real header has 3 KB; no more than this is read of one."""
VALUE_CHARACTERS = 1000

FIELDS = frozenset({
    "softwareVersion", "SoftwareVersion", "imagerID", "sampleTime", "sampleNumber", "sampleType", "runType",
    "triggerCount", "roiCount", "runTime", "inhibitTime", "temperature", "humidity", "SyringeSampleVolume",
    "RunFastFactor", "runSampleFast", "PMTAhighVoltage", "PMTBhighVoltage", "gpsTimeFromFix", "gpsLatitude",
    "gpsLongitude",
})  # fmt: skip
"""What a catalogue keeps of a header."""
PERSONAL = frozenset({"FileComment"})
"""Free text, in which people write what they like."""
_SURE = FIELDS | PERSONAL | {"ADCFileFormat"}
_OLD_NAMES = {"Temp": "temperature", "Humidity": "humidity"}
"""What newer headers have under another name; the rest (``PMT1hv(ssc)``) keeps its own."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}", re.ASCII).fullmatch
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,30}\.?[0-9]{0,60}|\.[0-9]{1,60})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII).fullmatch
_QUOTED = re.compile(r'"([^"]*)"')
_TITLE = '"Imaging FlowCytobot'

Value = str | int | float


class Header(NamedTuple):
    """What one header says."""

    fields: dict[str, Value]
    fault: str
    """Why it is not whole, as the end of a sentence that begins with the bin; "" when it is."""

    def number(self, field: str) -> float | None:
        """The number under that name, None when there is none."""
        value = self.fields.get(field)
        return None if isinstance(value, str) else value

    def whole_number(self, field: str) -> int | None:
        """The whole number under that name, None when there is none."""
        value = self.fields.get(field)
        return value if isinstance(value, int) else None


def read_header(content: bytes, *, personal: bool) -> Header:
    """Read a header; never raises, whatever the bytes are."""
    if not content:
        return Header({}, "its .hdr is empty")
    text = content[:LIMIT_BYTES].decode("latin-1")
    fields, sure = _old(text) if text.startswith(_TITLE) else _new(text, FIELDS | PERSONAL if personal else FIELDS)
    if not sure:
        return Header({}, "its .hdr is not the header of an IFCB")
    if len(content) < LIMIT_BYTES and not text.endswith("\n"):
        return Header(fields, "its .hdr ends in the middle of a line")
    return Header(fields, "")


def _new(text: str, wanted: frozenset[str]) -> tuple[dict[str, Value], bool]:
    fields: dict[str, Value] = {}
    sure = False
    for line in text.split("\n"):
        key, colon, value = line.partition(":")
        if colon and key in _SURE:
            sure = True
            if key in wanted and key not in fields:
                fields[key] = _value(value)
    return fields, sure


def _old(text: str) -> tuple[dict[str, Value], bool]:
    lines = text.split("\n", 6)
    fields: dict[str, Value] = {"softwareVersion": _value(lines[0].strip('"\r'))}
    if len(lines) >= 6:
        names, values = lines[4].strip('"\r').split(), _QUOTED.findall(lines[5])
        if len(names) == len(values):
            fields |= {_OLD_NAMES.get(name, name): _value(value) for name, value in zip(names, values, strict=True)}
    return fields, True


def _value(text: str) -> Value:
    """A number where it is one; NaN and infinity stay words."""
    text = text.strip()[:VALUE_CHARACTERS]
    if _WHOLE(text):
        return int(text)
    if _NUMBER(text) and isfinite(number := float(text)):
        return number
    return text
