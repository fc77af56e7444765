"""Does a listing that comes page by page end, and never too early?"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from coldchain.errors import Unreliable
from coldchain.stores.objects.paging import paged


class Page(NamedTuple):
    items: list[int]
    following: str


def test_every_page_is_asked_for_by_the_name_that_the_one_before_gave() -> None:
    pages = {"": Page([1], "b"), "b": Page([], "c"), "c": Page([2], "")}
    assert [item for page in paged(lambda name: pages[name], "gs://b") for item in page.items] == [1, 2]


def test_a_server_that_goes_round_in_circles_is_not_believed() -> None:
    """What it has not shown would be taken for absent, or the listing would never end."""
    pages = {"": Page([1], "b"), "b": Page([2], "b")}
    with pytest.raises(Unreliable, match="only in part"):
        list(paged(lambda name: pages[name], "gs://b"))
