"""What does the mark of a destination say, if nobody tampered with it?

It lies where others can write, and what it says goes into the ledger: so every field is looked at before it is
believed, and one that is wrong spoils the whole mark.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from coldchain.errors import ManifestDamaged
from coldchain.model import OWN_FOLDER, Identity

MARKER = f"{OWN_FOLDER}/destination.json"
_FORMAT = "coldchain-destination"
_LONGEST_ID = 1000


def read_marker(content: bytes, url: str) -> Identity:
    """The identity that a mark states; raises ManifestDamaged for anything that ``marker_text`` never makes."""
    try:
        values = json.loads(content)
        if values["format"] != _FORMAT or values["version"] != 1:
            raise ManifestDamaged(f"{url}/{MARKER} was written by a newer coldchain, or is something else")
        writers = tuple((_text(writer["job"]), _text(writer["host"])) for writer in values["writers"])
        names = values["names"]
        if not isinstance(names, dict):
            raise TypeError("names")
        return Identity(_id(values["id"]), _moment(values["created"]), writers, names)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ManifestDamaged(
            f"{url}/{MARKER} is damaged; move it away, and mark the place again with coldchain init"
        ) from error


def marker_text(identity: Identity) -> bytes:
    """The mark of a destination, for its file."""
    values = {
        "format": _FORMAT,
        "version": 1,
        "id": identity.id,
        "created": identity.created.isoformat(),
        "writers": [{"job": job, "host": host} for job, host in identity.writers],
        "names": dict(identity.names),
        "about": "This folder is a destination of coldchain. Please leave this file here: without it nothing is sent.",
    }
    return json.dumps(values, indent=2).encode() + b"\n"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text")
    return value


def _id(value: object) -> str:
    text = _text(value)
    if not text.isprintable() or not 0 < len(text) <= _LONGEST_ID:
        raise ValueError("id")
    return text


def _moment(value: object) -> datetime:
    """A time that the ledger can keep: that of a zone may lie before the first year."""
    found = datetime.fromisoformat(_text(value))
    if found.tzinfo is None:
        raise ValueError("created")
    return found.astimezone(UTC)
