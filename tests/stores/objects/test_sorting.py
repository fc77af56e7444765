"""Does a long stream come back whole and in order, also where it waited on disk?"""

from __future__ import annotations

import random

import pytest

from coldchain.stores.objects.sorting import Row, in_order


@pytest.mark.parametrize("run", [1, 2, 3, 10, 49, 50, 51, 100])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_p01_every_item_comes_once_and_in_order_however_much_fits_into_memory(run: int, count: int) -> None:
    rows: list[Row] = [[f"{number:02}", number, "what\n"] for number in range(count)]
    shuffled = random.Random(run).sample(rows, count)
    assert list(in_order(iter(shuffled), run)) == rows


def test_what_comes_twice_comes_once() -> None:
    rows: list[Row] = [["b"], ["a"], ["b"], ["c"], ["a"]]
    for run in (1, 2, 5):
        assert list(in_order(rows, run)) == [["a"], ["b"], ["c"]]


def test_p16_names_ascend_by_code_point_and_survive_the_disk() -> None:
    names = ["", "a\nb", "a\tb", "é", "\ue000", "\U0001f600", "\udcff", "a", "B"]
    assert [name for (name,) in in_order(([name] for name in names), 2)] == sorted(names)
