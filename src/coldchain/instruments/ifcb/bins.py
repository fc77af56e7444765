"""Do the three files of one bin agree with each other?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

from coldchain.errors import StoreError
from coldchain.instruments.base import Look
from coldchain.instruments.ifcb import adc, hdr
from coldchain.instruments.ifcb.adc import Table, is_surely, read_table
from coldchain.instruments.ifcb.hdr import Header, read_header
from coldchain.instruments.ifcb.names import ADC, ENDINGS, HDR, ROI, instrument_of, is_new, start_of

Files = Mapping[str, tuple[int, int]]
"""Size in bytes and mtime in nanoseconds of those files of a bin that are there, by their ending."""

FLOW_ML_PER_MINUTE = 0.25
"""What the syringe gives; source: ``IFCB_volume_analyzed.m`` of hsosik/ifcb-analysis, for IFCB7 and IFCB9 upwards."""
_FORMAT = "1"
"""Of what is remembered; another one forgets everything."""


class Found(NamedTuple):
    """What one bin says of itself."""

    fault: str
    """Why its files cannot be whole, "" when there is nothing against it."""
    counted: bool
    """Its header says how many images there are: then it was written for this .adc, and the .adc is no earlier one."""
    row: dict[str, object]
    """What a catalogue says of it."""
    unread: tuple[str, str] = ("", "")
    """The path of a file that could not be read, and why."""


def look_at(look: Look, stem: str, files: Files) -> Found:
    """Read header and table of a bin, unless they are as in an earlier run; raises nothing."""
    personal = look.job.personal
    stamp = " ".join([_FORMAT, str(int(personal)), *(f"{end}{files[end][0]}:{files[end][1]}" for end in sorted(files))])
    if (kept := _recalled(look.recall(stem, stamp))) is not None:
        return kept
    header, table, path = Header({}, ""), None, stem + HDR
    try:
        if HDR in files:
            header = read_header(look.text(path, hdr.LIMIT_BYTES), personal=personal)
        path = stem + ADC
        if ADC in files and files[ADC][0] <= adc.LIMIT_BYTES:
            table = _table(look, stem, files, header)
    except StoreError as error:
        return Found("", False, _row(stem, files, header, table), (path, error.reason or str(error)))
    fault = header.fault or _table_fault(files, table) or _disagreement(files, header, table)
    counted = header.whole_number("roiCount") is not None
    found = Found(fault, counted, _row(stem, files, header, table))
    look.remember(stem, stamp, [found.fault, found.counted, found.row])
    return found


def _recalled(kept: object) -> Found | None:
    match kept:
        case [str() as fault, bool() as counted, dict() as row]:
            return Found(fault, counted, row)
    return None


def _table(look: Look, stem: str, files: Files, header: Header) -> Table:
    """What the table tells of; where header and .roi say the same, that is soon confirmed (50 million rows a year)."""
    new = is_new(stem[stem.rfind("/") + 1 :])
    pieces = _pieces(look, stem + ADC, files[ADC][0])
    rois, triggers = (header.whole_number(field) for field in ("roiCount", "triggerCount"))
    long = adc.LONG_BYTES < files[ADC][0] <= adc.PIECE_BYTES
    if new and long and rois is not None and triggers is not None and ROI in files:
        told, content = Table(rois, triggers, files[ROI][0], ""), next(pieces)
        return told if is_surely(content, told) else read_table([content], new=True)
    return read_table(pieces, new=new)


def _pieces(look: Look, path: str, size_bytes: int) -> Iterator[bytes]:
    """The first ``size_bytes`` of a file, as it was listed; fewer when it became shorter."""
    for offset in range(0, size_bytes, adc.PIECE_BYTES):
        piece = look.piece(path, offset, min(adc.PIECE_BYTES, size_bytes - offset))
        yield piece


def _table_fault(files: Files, table: Table | None) -> str:
    if ADC not in files:
        return ""
    if table is None:
        return f"its .adc has {files[ADC][0]:,} bytes, more than any that an IFCB writes"
    return table.fault


def _disagreement(files: Files, header: Header, table: Table | None) -> str:
    """Source of the three rules: every real bin at hand fulfils them (7 of 8, 2 of 3, 33 of 41 triggers with ROIs)."""
    if table is None:
        return ""
    for field, counted, what in (("roiCount", table.rois, "ROIs"), ("triggerCount", table.triggers, "triggers")):
        told = header.whole_number(field)
        if told is not None and told != counted:
            return f"its .hdr tells of {told:,} {what}, its .adc of {counted:,}"
    if ROI in files and files[ROI][0] != table.size_bytes:
        return f".roi has {files[ROI][0]:,} bytes, its .adc tells of {table.size_bytes:,}"
    return ""


def _row(stem: str, files: Files, header: Header, table: Table | None) -> dict[str, object]:
    name = stem[stem.rfind("/") + 1 :]
    instrument = instrument_of(name)
    row: dict[str, object] = {"unit": name, "instrument": instrument, "serial": instrument.removeprefix("IFCB")}
    run_seconds = header.number("runTime")
    if start := start_of(name):
        row["start"] = start.isoformat()
        if run_seconds is not None and 0 <= run_seconds < 1e6:
            row["end"] = (start + timedelta(seconds=round(run_seconds))).isoformat()
    row |= header.fields
    if table and not table.fault:
        row |= {"roiCount": table.rois, "triggerCount": table.triggers}
    if (volume := _volume_ml(name, header)) is not None:
        row["ml_analyzed"] = volume
    row["size_bytes"] = sum(files[end][0] for end in ENDINGS if end in files)
    row["roi"] = ROI in files
    return row


def _volume_ml(name: str, header: Header) -> float | None:
    """How much sea water was looked at; None where the formula is not known to hold.

    0.25 mL a minute while the instrument was not busy with an image.  Not of the first format, IFCB8 and the first six
    of the second, which have other pumps, nor of a sample that was run fast.
    """
    run, inhibit = header.number("runTime"), header.number("inhibitTime")
    if run is None or inhibit is None or not 0 <= inhibit <= run < 1e6:
        return None
    number = int(instrument_of(name).removeprefix("IFCB"))
    fast = str(header.fields.get("runSampleFast", "False")) not in ("0", "False")
    if not is_new(name) or number < 7 or number == 8 or fast:
        return None
    return round(FLOW_ML_PER_MINUTE * (run - inhibit) / 60, 6)
