"""Which plates does a ``plates.csv`` name?"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

LIMIT_BYTES = 16 << 20
"""More than any list of plates that a person keeps; the public ones have some thousands of lines."""

_COLUMNS = ("plate_id_full", "plate_id")
"""The first that is given names the plate: the folder of a measurement rather than the barcode, which may have several
measurements.  Source: the plate lists of the Broad's Cell Painting uploads."""


def read_plates(file: Path) -> tuple[str, ...]:
    """The plates that a file names, in its order, each once.

    The first line names the columns, of which ``plate_id_full`` or ``plate_id`` must be one; others are not looked at.
    A byte order mark, CRLF, empty lines, spaces around names, and semicolons for commas (as spreadsheets in half of
    Europe write them) are tolerated.

    Raises:
        ValueError: with the reason, and the line; the file is not named, for its name may hold a secret (P14).
    """
    plates = dict.fromkeys(_plates(_text(file)))
    if not plates:
        raise ValueError("is a file without plates")
    return tuple(plates)


def _text(file: Path) -> str:
    try:
        if not file.is_file():
            raise ValueError('is not there, or is no file; plates themselves stand in a list, such as ["one", "two"]')
        if file.stat().st_size > LIMIT_BYTES:
            raise ValueError("is too large for a list of plates")
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f"is not UTF-8 text in line {line}; save the file as UTF-8") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None


def _plates(text: str) -> Iterator[str]:
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    rows = csv.reader(lines, delimiter="," if "," in first else ";", strict=True, skipinitialspace=True)
    columns: list[int] = []
    try:
        for row in rows:
            values = [value.strip() for value in row]
            if not any(values):
                continue
            if not columns:
                columns = _columns(values, rows.line_num)
                continue
            named = [values[column] for column in columns if column < len(values) and values[column]]
            if not named:
                raise ValueError(f"names no plate in line {rows.line_num}")
            yield named[0]
    except csv.Error as error:
        raise ValueError(f"is no csv in line {rows.line_num}: {error}") from None


def _columns(header: list[str], line: int) -> list[int]:
    columns = [header.index(name) for name in _COLUMNS if name in header]
    if not columns:
        raise ValueError(f"must name its columns in line {line}: plate_id, plate_id_full, or both")
    return columns
