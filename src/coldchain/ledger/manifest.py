"""What is written beside the data, so that they can be checked and found again without the ledger?

This is how P8 and P9 are kept.  For each dataset at a destination there are two files: one that ``sha256sum -c`` checks
from the destination's root, and its twin in JSON, from which every record can be made again.  Both are made line by
line, with flat memory; ``docs/manifests.md`` and ``docs/schemas/manifest-1.json`` describe them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from coldchain.ledger.columns import moment
from coldchain.ledger.quoting import quote_dataset, unquote_dataset
from coldchain.model import OWN_FOLDER, Record

__all__ = [
    "FORMAT",
    "VERSION",
    "ManifestHeader",
    "json_lines",
    "manifest_keys",
    "name_bytes",
    "quote_dataset",
    "sums_lines",
    "unquote_dataset",
]

FORMAT = "coldchain-manifest"
VERSION = 1
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
_ESCAPES = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r"}
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


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
        name = name_bytes(record.key)
        escaped = name
        for byte, instead in _ESCAPES.items():
            escaped = escaped.replace(byte, instead)
        mark = b"\\" if escaped != name else b""
        if name == b"-":
            escaped = b"./-"  # alone it would mean the standard input
        yield mark + record.digest.value.encode("ascii") + b"  " + escaped + b"\n"


def json_lines(header: ManifestHeader, records: Iterable[Record]) -> Iterator[bytes]:
    """Yield the lines of the JSON twin; the records ascend by (path, key).

    The footer's ``digest`` is the SHA-256 of all lines before it, as ``head -n -2 FILE | sha256sum`` computes it.
    """
    digest = hashlib.sha256()
    count = size_bytes = 0
    line = _header_line(header)
    for record in records:
        line += b",\n" if count else b""
        digest.update(line)
        yield line
        line = _encode(_file(record)).encode("utf-8")  # whether a comma follows, the next record knows
        count += 1
        size_bytes += record.size_bytes
    line += b"\n" if count else b""
    digest.update(line)
    yield line
    footer = {"count": count, "size_bytes": size_bytes, "digest": f"sha256:{digest.hexdigest()}"}
    yield b"],\n"
    yield _encode(footer).encode("ascii")[1:] + b"\n"


def name_bytes(name: str) -> bytes:
    """The bytes of a name as a POSIX file system holds it."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a UTF-16 pair, from a Windows share
        return name.encode("utf-8", "surrogatepass")


def _header_line(header: ManifestHeader) -> bytes:
    fields: dict[str, object] = {"format": FORMAT, "version": VERSION}
    fields |= _named("job", header.job) | _named("dataset", header.dataset)
    fields |= {
        "destination": header.destination,
        "ledger": header.ledger,
        "head": {"number": header.head[0], "hash": header.head[1]},
        "written": header.written.astimezone(moment(0).tzinfo).strftime(_STAMP),
        "coldchain": header.coldchain,
    }
    return _encode(fields).encode("utf-8")[:-1] + b',"files":[\n'


def _file(record: Record) -> dict[str, object]:
    fields = _named("path", record.path) | _named("key", record.key)
    fields |= {
        "size_bytes": record.size_bytes,
        "digest": f"{record.digest.algorithm}:{record.digest.value}",
        "source_mtime_ns": record.source_mtime_ns,
        "source_ctime_ns": record.source_ctime_ns,
        "source_inode": record.source_inode,
        "mode": record.mode,
        "stored_mtime_ns": record.stored_mtime_ns,
        "proof": record.proof_kind.word,
        "how": record.proof_how,
        "proved": moment(record.proved_at_us).strftime(_STAMP),
        "stored": moment(record.stored_at_us).strftime(_STAMP),
    }
    if record.superseded:
        fields["superseded"] = True
    return fields


def _named(field: str, name: str) -> dict[str, object]:
    """A name to read and, where that cannot tell them, its bytes."""
    for kind, errors in (("", "strict"), ("_b64", "surrogateescape"), ("_wtf8_b64", "surrogatepass")):
        try:
            encoded = name.encode("utf-8", errors)
        except UnicodeEncodeError:
            continue
        if not kind:
            break
        readable = encoded.decode("utf-8", "replace")
        return {field: readable, f"{field}{kind}": base64.b64encode(encoded).decode("ascii")}
    return {field: name}
