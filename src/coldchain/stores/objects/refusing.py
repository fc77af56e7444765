"""Does a server refuse what it must refuse?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_WAS_TAKEN = {404, 409, 412}
"""What another try meets when the first one was heard, and only its reply was lost."""


def refuses(
    status: int, deed: Callable[[], Any], status_of: Callable[[BaseException | None], int]
) -> Callable[[], bool]:
    """A request that tells whether the server answers ``deed`` with this status; other trouble is raised."""

    def attempt() -> bool:
        try:
            deed()
        except Exception as error:
            said = status_of(error) or status_of(error.__cause__)
            if said == status or said in _WAS_TAKEN:
                return said == status
            raise
        return False

    return attempt
