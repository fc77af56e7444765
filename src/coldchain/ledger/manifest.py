"""What is written beside the data, so that they can be checked and found again without the ledger?

This is how P8 and P9 are kept.  For each dataset at a destination there are two files: one that ``sha256sum -c`` checks
from the destination's root, and its twin in JSON, from which every record can be made again.  Both are made line by
line, with flat memory; ``docs/manifests.md`` and ``docs/schemas/manifest-1.json`` describe them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring as quoted

from coldchain.ledger.columns import moment
from coldchain.ledger.manifest_acquisition import Told, as_fields, unit_lines
from coldchain.ledger.manifest_fields import LINE_LIMIT_BYTES, encoded, named, size_limit_bytes, stamped
from coldchain.ledger.quoting import quote_dataset, unquote_dataset
from coldchain.model import OWN_FOLDER, Record

__all__ = [
    "FORMAT",
    "VERSION",
    "ManifestHeader",
    "Told",
    "generation_key",
    "json_lines",
    "manifest_keys",
    "name_bytes",
    "quote_dataset",
    "sums_lines",
    "unquote_dataset",
]

FORMAT = "coldchain-manifest"
VERSION = 1
FILES, UNITS = b',"files":[\n', b',"units":[\n'
"""How the first line ends, without and with units ..."""
UNITS_END = b"]" + FILES
"""... and the line behind the last unit."""

_NEEDS_ESCAPES = re.compile(rb"[\\\n\r]")
_ESCAPES = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r"}


@dataclass(frozen=True, slots=True)
class ManifestHeader:
    """Which dataset a manifest tells of, and what its ledger had seen when it was written."""

    job: str
    dataset: str
    destination: str
    """The identity of the destination, see ``Identity.id``."""
    ledger: str
    """The id of the ledger ..."""
    head: tuple[int, str]
    """... and its ``head``: a later ledger of that id holds this event, an older copy of it does not."""
    written: datetime
    coldchain: str
    """The version of coldchain."""
    acquisition: Told | None = None
    """What the instrument said of the dataset, where it is known."""


def manifest_keys(job: str, dataset: str, algorithm: str) -> tuple[str, str]:
    """The keys, at the destination, of the two files: sums and JSON."""
    stem = f"{OWN_FOLDER}/manifests/{quote_dataset(job)}/{quote_dataset(dataset)}"
    return f"{stem}.{algorithm}", f"{stem}.json"


def sums_lines(records: Iterable[Record], algorithm: str = "") -> Iterator[bytes]:
    """Yield lines for ``sha256sum -c`` (or ``md5sum``, ``b3sum``), in the order of the records.

    With ``algorithm`` only the records whose digest is of that kind: a file of sums can hold but one.
    Names are escaped as coreutils 9 does: a backslash first on the line says that the name has escapes.
    """
    for record in records:
        if algorithm and record.digest.algorithm != algorithm:
            continue
        name = escaped = name_bytes(record.key)
        if _NEEDS_ESCAPES.search(name):
            for byte, instead in _ESCAPES.items():
                escaped = escaped.replace(byte, instead)
        mark = b"\\" if escaped != name else b""
        if name == b"-":
            escaped = b"./-"  # alone it would mean the standard input
        yield mark + record.digest.value.encode("ascii") + b"  " + escaped + b"\n"


def json_lines(
    header: ManifestHeader, records: Iterable[Record], units: Iterable[Mapping[str, object]] = ()
) -> Iterator[bytes]:
    """Yield the lines of the JSON twin; the records ascend by (path, key).

    The footer's ``digest`` is the SHA-256 of all lines before it, as ``head -n -2 FILE | sha256sum`` computes it.
    """
    digest = hashlib.sha256()
    count = size_bytes = 0
    line = b""
    for whole in _opening_lines(header, units):
        digest.update(whole)
        yield whole
    for record in records:
        if count:
            line += b",\n"
            digest.update(line)
            yield line
        line = _file(record)  # whether a comma follows, the next record knows
        count += 1
        size_bytes += record.size_bytes
    if count:
        line += b"\n"
        digest.update(line)
        yield line
    footer = {"count": count, "size_bytes": size_bytes, "digest": f"sha256:{digest.hexdigest()}"}
    yield b"],\n"
    yield encoded(footer)[1:] + b"\n"


def generation_key(job: str, dataset: str, generation: int, ending: str) -> str:
    """The key of what is kept of an earlier generation."""
    return f"{OWN_FOLDER}/generations/{quote_dataset(job)}/{quote_dataset(dataset)}/{generation}.{ending}"


def name_bytes(name: str) -> bytes:
    """The bytes of a name as a POSIX file system holds it."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a UTF-16 pair, from a Windows share
        return name.encode("utf-8", "surrogatepass")


def _opening_lines(header: ManifestHeader, units: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """The first line, and the units with the line behind them."""
    lines = unit_lines(units)
    line = next(lines, None)
    if line is None:
        yield _header_line(header, FILES)
        return
    yield _header_line(header, UNITS)
    for following in lines:
        yield line + b",\n"
        line = following
    yield line + b"\n"
    yield UNITS_END


def _header_line(header: ManifestHeader, end: bytes) -> bytes:
    fields: dict[str, object] = {"format": FORMAT, "version": VERSION}
    fields |= named("job", header.job) | named("dataset", header.dataset)
    fields |= {
        "destination": header.destination,
        "ledger": header.ledger,
        "head": {"number": header.head[0], "hash": header.head[1]},
        "written": stamped(header.written),
        "coldchain": header.coldchain,
    }
    if header.acquisition is not None:
        room_bytes = LINE_LIMIT_BYTES - size_limit_bytes(fields) - 64
        fields["acquisition"] = as_fields(header.acquisition, room_bytes)
    return encoded(fields)[:-1] + end


@lru_cache(maxsize=64)
def _time(us: int) -> str:
    """Whole batches were stored and proved at the same moment."""
    return quoted(stamped(moment(us)))


def _file(record: Record) -> bytes:
    """The line of one file; written out, for there is one for each file that was ever carried."""
    superseded = ',"superseded":true' if record.superseded else ""
    rest = (
        f'"size_bytes":{record.size_bytes},"digest":{quoted(f"{record.digest.algorithm}:{record.digest.value}")},'
        f'"source_mtime_ns":{record.source_mtime_ns},"source_ctime_ns":{record.source_ctime_ns},'
        f'"source_inode":{record.source_inode},"mode":{record.mode},"stored_mtime_ns":{record.stored_mtime_ns},'
        f'"proof":{quoted(record.proof_kind.word)},"how":{quoted(record.proof_how)},'
        f'"proved":{_time(record.proved_at_us)},"stored":{_time(record.stored_at_us)}{superseded}}}'
    )
    try:
        return f'{{"path":{quoted(record.path)},"key":{quoted(record.key)},{rest}'.encode()
    except UnicodeEncodeError:
        return encoded(named("path", record.path) | named("key", record.key))[:-1] + b"," + rest.encode()
