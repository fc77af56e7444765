"""Which names does Azure keep as they are?

"Naming and referencing containers, blobs, and metadata" advises against names that its server or the libraries on the
way would change; those are refused here, for nobody would notice.
"""

from __future__ import annotations

import re

from coldchain.stores.objects.keys import fault_in

_KEY_LIMIT, _MOST_SEGMENTS = 1024, 254
_CONTROL = re.compile("[\x01-\x1f\x7f-\x9f\ufffe\uffff]")


def refusal(key: str) -> str:
    """Say why Azure does not keep the whole key, as a phrase, or ""."""
    if reason := fault_in(key):
        return reason
    if _CONTROL.search(key):
        return "Azure keeps no control characters in a name"
    names = key.split("/")
    if any(name.endswith((".", "\\")) for name in names):
        return "Azure may drop a dot or backslash at the end of a name"
    if len(names) > _MOST_SEGMENTS:
        return f"the name leads through {len(names)} folders, Azure keeps {_MOST_SEGMENTS}"
    if len(key) > _KEY_LIMIT // 2 and (units := len(key.encode("utf-16-le")) // 2) > _KEY_LIMIT:
        return f"the key would be {units:,} characters long, a container keeps {_KEY_LIMIT:,}"
    return ""
