"""What does a manifest say, and can it be trusted?

Everything is checked: a manifest lies where others can write, and what it says becomes records.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from coldchain.errors import ManifestDamaged
from coldchain.ledger.columns import microseconds
from coldchain.ledger.manifest import FILES, FORMAT, UNITS, UNITS_END, VERSION, ManifestHeader
from coldchain.ledger.manifest_acquisition import UNITS_LIMIT, UNITS_LIMIT_BYTES, from_fields
from coldchain.ledger.manifest_fields import LINE_LIMIT_BYTES, read_name, read_number, read_text, read_time
from coldchain.model import Digest, ProofKind, Record

_MOST = (1 << 63) - 1
_DIGEST = re.compile(r"([a-z0-9]{1,16}):((?:[0-9a-f]{2}){1,64})")


def lines_of(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """Cut what a store reads into lines, each with its newline; raises ManifestDamaged when one never ends."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + bytes(chunk)).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) > LINE_LIMIT_BYTES:
            raise ManifestDamaged(f"a line of {len(rest)} bytes is no line of a manifest")
    if rest:
        yield rest


def read_manifest(lines: Iterable[bytes], name: str = "the manifest") -> tuple[ManifestHeader, Iterator[Record]]:
    """Return the header at once, and the records as they are read, ascending by (path, key).

    ``name`` says in errors which file it is.  Raises ManifestDamaged: for an altered or shortened manifest at the
    latest at the end, so whatever is done with a record must be possible to undo until the records are exhausted.
    """
    reader = _Reader(iter(lines), name)
    return reader.header(), reader.records()


def read_whole_manifest(
    lines: Iterable[bytes], name: str = "the manifest"
) -> tuple[ManifestHeader, Iterator[dict[str, Any]], Iterator[Record]]:
    """The same with the units of the acquisition; those that were not asked for when records are, are passed over."""
    reader = _Reader(iter(lines), name)
    return reader.header(), reader.units(), reader.records()


class _Reader:
    """One reading of one manifest."""

    def __init__(self, lines: Iterator[bytes], name: str) -> None:
        self._lines = lines
        self._name = name
        self._digest = hashlib.sha256()
        self._before_files = False
        self._comma = True

    def header(self) -> ManifestHeader:
        line = next(self._lines, b"")
        self._digest.update(line)
        if not line.endswith((FILES, UNITS)):
            self._damaged("it does not begin as a manifest does")
        self._before_files = line.endswith(UNITS)
        fields = self._object(line.removesuffix(UNITS if self._before_files else FILES) + b"}")
        if fields.get("format") != FORMAT:
            self._damaged(f"it is no {FORMAT}")
        if fields.get("version") != VERSION:
            raise ManifestDamaged(
                f"{self._name} has version {fields.get('version')!r}; this coldchain reads {VERSION}: update coldchain"
            )
        try:
            return ManifestHeader(
                job=read_name(fields, "job"),
                dataset=read_name(fields, "dataset"),
                destination=read_text(fields, "destination"),
                ledger=read_text(fields, "ledger"),
                head=(read_number(fields["head"], "number"), read_text(fields["head"], "hash")),
                written=read_time(fields, "written"),
                coldchain=read_text(fields, "coldchain"),
                acquisition=from_fields(fields["acquisition"]) if "acquisition" in fields else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            self._damaged(f"its first line lacks what belongs there ({error})")

    def units(self) -> Iterator[dict[str, Any]]:
        return map(self._unit, self._unit_lines())

    def _unit_lines(self) -> Iterator[bytes]:
        """The lines up to the files; looks at nothing but commas, so that passing over them is cheap."""
        count = total = 0
        while self._before_files:
            line = next(self._lines, b"")
            self._digest.update(line)
            if line == UNITS_END and count and not self._comma:
                self._before_files = False
                return
            count, total = count + 1, total + len(line)
            if not self._comma or not line.endswith(b"\n") or line == UNITS_END:
                self._damaged("a unit is missing or out of place, or it is cut short there")
            if count > UNITS_LIMIT or total > UNITS_LIMIT_BYTES + 2 * count:
                self._damaged("it has more units than were ever written")
            self._comma = line.endswith(b",\n")
            yield line

    def _unit(self, line: bytes) -> dict[str, Any]:
        return self._object(line.removesuffix(b"\n").removesuffix(b","))

    def records(self) -> Iterator[Record]:
        for _ in self._unit_lines():
            pass
        count = size_bytes = 0
        last = ("", "")
        comma = True
        for line in self._lines:
            if line == b"],\n":
                break
            self._digest.update(line)
            if not comma:
                self._damaged("a line is missing or out of place", count)
            comma = line.endswith(b",\n")
            record = self._record(line.removesuffix(b"\n").removesuffix(b","), count + 1)
            if (record.path, record.key) <= last:
                self._damaged("the files are not in order", count + 1)
            last = (record.path, record.key)
            count += 1
            size_bytes += record.size_bytes
            yield record
        else:
            self._damaged(f"it is cut short after {count} files")
        self._check_footer(count, size_bytes, dangling=comma and count > 0)

    def _check_footer(self, count: int, size_bytes: int, *, dangling: bool) -> None:
        line = next(self._lines, b"")
        if not line.endswith(b"}\n") or next(self._lines, None) is not None:
            self._damaged("its last line is not whole, or not the last")
        found = self._object(b"{" + line)
        expected = {"count": count, "size_bytes": size_bytes, "digest": f"sha256:{self._digest.hexdigest()}"}
        if dangling or found != expected:
            self._damaged("what it holds is not what was written")

    def _record(self, line: bytes, number: int) -> Record:
        fields = self._object(line, number)
        try:
            return Record(
                path=_relative(read_name(fields, "path")),
                key=_relative(read_name(fields, "key")),
                size_bytes=read_number(fields, "size_bytes", least=0, most=_MOST),
                source_mtime_ns=read_number(fields, "source_mtime_ns"),
                source_ctime_ns=read_number(fields, "source_ctime_ns"),
                source_inode=read_number(fields, "source_inode", least=0),
                mode=read_number(fields, "mode", least=0, most=_MOST),
                stored_mtime_ns=read_number(fields, "stored_mtime_ns"),
                digest=_digest(fields),
                proof_kind=ProofKind.from_word(read_text(fields, "proof")),
                proof_how=read_text(fields, "how"),
                proved_at_us=microseconds(read_time(fields, "proved")),
                stored_at_us=microseconds(read_time(fields, "stored")),
                superseded=fields.get("superseded", False) is True,
            )
        except (KeyError, TypeError, ValueError) as error:
            self._damaged(f"a value is missing or wrong ({error})", number)

    def _object(self, text: bytes, number: int = 0) -> dict[str, Any]:
        if len(text) > LINE_LIMIT_BYTES:
            self._damaged("a line is too long", number)
        try:
            found = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self._damaged("a line is no JSON object", number)
        return found

    def _damaged(self, why: str, number: int = 0) -> NoReturn:
        where = f", file {number} of its list" if number else ""
        raise ManifestDamaged(
            f"{self._name}{where}: {why}. The data beside it are not touched; the next run of the job writes the "
            "manifest anew from the ledger, and without a ledger `coldchain run` reads and adopts what lies there"
        )


def _refuse(word: str) -> NoReturn:
    """NaN and Infinity are no JSON."""
    raise ValueError(word)


def _digest(fields: dict[str, Any]) -> Digest:
    match = _DIGEST.fullmatch(read_text(fields, "digest"))
    if match is None:
        raise ValueError("digest")
    return Digest(match[1], match[2])


def _relative(name: str) -> str:
    """Let only names through that stay below their root."""
    if not name or "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise ValueError(f"the name {name!r}")
    return name
