"""Does a listing that comes page by page come to its end?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from coldchain.errors import Unreliable


class Page(Protocol):
    """A part of a listing."""

    @property
    def following(self) -> str:
        """How the server names the next one, "" for the last."""


P = TypeVar("P", bound=Page)


def paged(ask: Callable[[str], P], url: str) -> Iterator[P]:
    """Yield one page after the other; ``ask`` gets one by the name that the page before gave, "" for the first.

    Raises Unreliable when the server goes round in circles: what is not listed would be taken for absent.
    """
    following = ""
    while True:
        page = ask(following)
        yield page
        if not page.following:
            return
        if page.following == following:
            raise Unreliable("the server lists its objects only in part", url=url)
        following = page.following
