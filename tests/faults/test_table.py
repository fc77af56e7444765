"""Is every test that the table of faults names there?"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.conftest import REPOSITORY

TABLE = (REPOSITORY / "docs" / "fault-rows.md").read_text(encoding="utf-8")
ROWS = {*range(1, 84), *range(89, 96)}
"""What is left out is about archives and deletion at the source, which are not built."""


def named() -> Iterator[tuple[str, str]]:
    """Each file of tests with the part of a name that stands behind it."""
    yield from re.findall(r"`(\w+/[\w/]*\.py)`\s+(\w+)", TABLE)


@pytest.mark.parametrize(("file", "part"), sorted(set(named())))
def test_every_test_that_the_table_names_exists(file: str, part: str) -> None:
    text = (REPOSITORY / "tests" / file).read_text(encoding="utf-8")
    assert re.search(rf"def test_\w*{part}", text), f"{file} has no test with {part!r} in its name"


def test_no_row_is_left_out() -> None:
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", TABLE, re.MULTILINE)}
    assert listed == ROWS
