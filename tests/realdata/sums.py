"""What do manifests and files of sums say, read without coldchain?"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from blake3 import blake3
from jsonschema import Draft202012Validator

from tests.realdata.field import Field

_ESCAPED = re.compile(rb"\\(.)")
_MEANS = {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}
_SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "manifest-1.json"
HASHERS: dict[str, Callable[[bytes], Any]] = {"sha256": hashlib.sha256, "md5": hashlib.md5, "blake3": blake3}


def sums(text: bytes) -> dict[bytes, str]:
    """Names and digests of a file for ``sha256sum -c``, with GNU's escapes."""
    found: dict[bytes, str] = {}
    for line in text.split(b"\n")[:-1]:
        escaped = line.startswith(b"\\")
        digest, name = line.removeprefix(b"\\").split(b"  ", 1)
        if escaped:
            name = _ESCAPED.sub(lambda match: _MEANS[match[1]], name)
        found[name.removeprefix(b"./")] = digest.decode()
    return found


@cache
def published(data: Path) -> dict[bytes, str]:
    """The digests that came with the instrument files."""
    return sums((data / "SHA256SUMS").read_bytes())


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(_SCHEMA.read_text()))


def named(fields: dict[str, Any], field: str) -> bytes:
    """A name of a JSON manifest, in bytes."""
    coded = fields.get(f"{field}_b64")
    return base64.b64decode(coded) if coded else str(fields[field]).encode()


def read_manifests(field: Field, place: str) -> dict[bytes, tuple[bytes, str]]:
    """Key to path and digest, of all JSON manifests; each is valid and adds up."""
    told: dict[bytes, tuple[bytes, str]] = {}
    for file in field.manifests(place, "json"):
        text = file.read_bytes()
        values = json.loads(text)
        _validator().validate(values)
        lines = text.split(b"\n")
        assert values["digest"] == "sha256:" + hashlib.sha256(b"\n".join(lines[:-3]) + b"\n").hexdigest()
        for one in values["files"]:
            told[named(one, "key")] = (named(one, "path"), one["digest"])
    return told


def check_sums(field: Field, place: str) -> dict[bytes, str]:
    """Let GNU's program check the sums at a destination, from its root; returns what they say."""
    files = field.manifests(place, field.digest)
    assert files
    root = field.places[place]
    told: dict[bytes, str] = {}
    for file in files:
        told |= sums(file.read_bytes())
    if field.digest == "blake3":  # b3sum is not in every system
        for name, digest in told.items():
            assert blake3((root / name.decode()).read_bytes()).hexdigest() == digest
        return told
    command = [f"{field.digest}sum", "--check", "--quiet", "--strict", *(str(file.relative_to(root)) for file in files)]
    done = subprocess.run(command, cwd=root, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    return told
