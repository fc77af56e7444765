"""How does any name become one that every file system and object store keeps?

Percent-encoding of UTF-8 (RFC 3986), reversible, of everything but ASCII letters, digits and ``-._``; also of a dot
first or last and of the words that Windows reserves, so that the result is a legal name on Windows, SMB and S3.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote, unquote_to_bytes

from coldchain.ledger.columns import blob, text

LIMIT_BYTES = 200
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$")
_HASHED = "%~"
"""Never made by percent-encoding."""


def quote_dataset(name: str) -> str:
    """Return a legal file name of at most 200 bytes; a longer one ends in the hash of the whole."""
    if not name:
        return "%"
    quoted = quote(blob(name), safe="").replace("~", "%7E")
    if quoted.startswith("."):
        quoted = "%2E" + quoted[1:]
    if quoted.endswith("."):
        quoted = quoted[:-1] + "%2E"
    if _RESERVED.match(quoted):
        quoted = f"%{ord(quoted[0]):02X}{quoted[1:]}"
    if len(quoted) <= LIMIT_BYTES:
        return quoted
    digest = hashlib.sha256(blob(name)).hexdigest()
    start = re.sub("%.?$", "", quoted[: LIMIT_BYTES - len(_HASHED) - len(digest)])
    return f"{start}{_HASHED}{digest}"


def unquote_dataset(quoted: str) -> str | None:
    """The inverse; None when the name was too long, and stands in the manifest only."""
    if quoted == "%":
        return ""
    return None if _HASHED in quoted else text(unquote_to_bytes(quoted))
