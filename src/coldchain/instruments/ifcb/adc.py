"""Which images does the table of a bin (``.adc``) tell of?

One row of comma-separated numbers for each image (ROI), or for a trigger that gave none; the images lie one behind the
other in the ``.roi``, a byte a pixel.  Source of the columns: ``ADCFileFormat`` in real headers; pyifcb, ``adc.py``.
That the last byte of the last image is the last of the ``.roi`` holds for every real bin that we have: in the first
version of the format bytes are counted from 1, and there is one more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

LIMIT_BYTES = 64 << 20
"""The largest real table has 2 MB (8,666 rows); one that is larger than this is not read."""
PIECE_BYTES = 4 << 20
LONG_BYTES = 64 << 10
"""A table of more than some 300 rows, which is counted before it is read."""
_ROW_BYTES = 64 << 10
"""A real row has 220 bytes; what has no end after so many is no table."""

_LARGEST_ROI_BYTES = 1 << 50
_DIGITS = 20
"""A number of so many digits is none of an image; Python refuses to read one of more than 4,300."""


_NO_IMAGE = b",0,0,0,0,0,0,0,"
"""What the row of a trigger without an image holds, and no other one: its nine zeros (columns 13 to 21)."""
_TAIL_BYTES = 16 << 10


class Table(NamedTuple):
    """What one table tells of."""

    rois: int
    """Rows with an image."""
    triggers: int
    """Different numbers in the first column."""
    size_bytes: int
    """How large the .roi must be."""
    fault: str
    """Why it is not whole, as the end of a sentence that begins with the bin; "" when it is."""


def is_surely(content: bytes, told: Table) -> bool:
    """Say, in a tenth of the time of ``read_table``, whether a whole table of the new format says what is told.

    Rows are counted, not read, and only the last ones are looked into: images lie one behind the other, so the last one
    ends the ``.roi``, and triggers are numbered from 1.  Rows that are missing or cut are noticed; a single number that
    was altered amid the table is not, and no writing that was cut off makes such a thing.  False means that it must be
    read row by row.
    """
    rows = content.count(b"\n")
    if not content.endswith(b"\n") or rows < told.triggers or rows - content.count(_NO_IMAGE) != told.rois:
        return False
    lines = content[-_TAIL_BYTES:].split(b"\n")[:-1]
    if len(content) > _TAIL_BYTES:
        del lines[0]
    if not lines or lines[-1].partition(b",")[0] != b"%d" % told.triggers:
        return False
    for line in reversed(lines):
        columns = line.split(b",", 18)
        if len(columns) < 19 or not all(column.isdigit() and len(column) < _DIGITS for column in columns[15:18]):
            return False
        width, height, start = map(int, columns[15:18])
        if width:
            return start + width * height == told.size_bytes
    return False


def read_table(pieces: Iterable[bytes], *, new: bool) -> Table:
    """Add up a table that comes in pieces of any size; never raises for its content, and keeps no more than a piece.

    A table of 3,000 rows takes 3 ms.

    Args:
        pieces: The content, in order; what they raise goes through.
        new: Of the second version of the format (24 columns), not of the first (15).
    """
    width_at = 15 if new else 11
    end = 0 if new else 1
    rois = rows = 0
    triggers: set[bytes] = set()
    rest = b""
    for piece in pieces:
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        if len(rest) > _ROW_BYTES:
            break
        for line in lines:
            rows += 1
            columns = line.split(b",", width_at + 3)
            try:
                width = int(columns[width_at])
                if width > 0:
                    rois += 1
                    end = max(end, int(columns[width_at + 2]) + width * int(columns[width_at + 1]))
            except (ValueError, IndexError):
                columns = [b"no number"]
            if not columns[0].isdigit():
                return Table(rois, len(triggers), 0, f"row {rows:,} of its .adc makes no sense")
            triggers.add(columns[0])
    fault = "its .adc ends in the middle of a row" if rest else ""
    if end > _LARGEST_ROI_BYTES:
        return Table(rois, len(triggers), 0, "a row of its .adc makes no sense")
    return Table(rois, len(triggers), end if new else end + 1, fault)
