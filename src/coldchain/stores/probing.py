"""Where does a probe of names work, and what did one leave that was ended?"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping

from coldchain.model import OWN_FOLDER

_BELOW = f"{OWN_FOLDER}/probe-"
_ABANDONED_S = 600
"""A probe takes seconds."""


def probing_folder() -> str:
    """One of coldchain's own that nobody has yet."""
    return _BELOW + secrets.token_hex(8)


def is_probing_folder(key: str) -> bool:
    """Whether a probe made it."""
    return key.startswith(_BELOW)


def abandoned(written_s: Mapping[str, float], mine: str) -> Iterator[str]:
    """Those among the folders of probes that are left over; a young one may be that of another host, at work.

    When each was last written is told by the clock of the place, so the one that was just made, ``mine``, has the time
    that is now; nothing is left over where it is not among them.
    """
    for folder, at_s in written_s.items():
        if is_probing_folder(folder) and written_s.get(mine, at_s) - at_s > _ABANDONED_S:
            yield folder
