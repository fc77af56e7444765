"""Does a question find what it asks for?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from coldchain.errors import UsageError
from coldchain.ledger.acquisitions import Acquisition
from coldchain.steps.search import parse_question
from coldchain.verdict import Condition, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def rows() -> Iterator[tuple[str, str, Acquisition]]:
    bins = (
        {"unit": "D20230810T113059_IFCB134", "roiCount": 3034, "gpsLatitude": 57.5, "sampleType": "NORMAL"},
        {"unit": "D20230810T115412_IFCB134", "roiCount": 12, "sampleType": "BEADS", "serial": "134", "ok": True},
    )
    day = Verdict(Condition.COMPLETE, "2 bins", catalogue={"start": "2023-08-10T11:30:59+00:00"}, units=bins)
    plate = Verdict(
        Condition.INCOMPLETE, catalogue={"PlateID": "BR00122249", "channels": ["DAPI", "ER"], "start": "2021-03-29"}
    )
    yield "ship", "D20230810", Acquisition("ifcb", "1", day, {}, NOW, NOW, NOW)
    yield "lab", "BR00122249__x", Acquisition("cellpainting", "2", plate, {}, NOW, NOW, None)


QUESTIONS = [
    ("instrument=ifcb", ["D20230810"]),
    ("instrument=IFCB start>=2023-01-01", ["D20230810"]),
    ("start<2022", ["BR00122249__x"]),
    ("start>=2023-08-10 start<2023-08-11", ["D20230810"]),
    ("start>2023-08-10T11:00", ["D20230810"]),
    ("instrument=ifcb start>=2023-01-01 roiCount>1000", ["D20230810T113059_IFCB134"]),
    ("roicount<=12.0", ["D20230810T115412_IFCB134"]),
    ("roiCount=3034", ["D20230810T113059_IFCB134"]),
    ("sampleType!=BEADS", ["D20230810T113059_IFCB134"]),
    ("gpsLatitude>57", ["D20230810T113059_IFCB134"]),
    ("condition=incomplete", ["BR00122249__x"]),
    ("plateid=BR0012*", ["BR00122249__x"]),
    ("channels=er", ["BR00122249__x"]),
    ("channels!=er", []),
    ("dataset~0810", ["D20230810"]),
    ("completed>2025", ["D20230810"]),
    ("roiCount>many", []),
    ("start<=2023-08-10 instrument=ifcb", ["D20230810"]),
    ("start<many", []),
    ("summary<2023", []),
    ("roiCount=12.0", ["D20230810T115412_IFCB134"]),
    ("roiCount=1*", ["D20230810T115412_IFCB134"]),
    ("roiCount<many", []),
    ("sampleType>5", []),
    ("serial<1000", ["D20230810T115412_IFCB134"]),
    ("serial>1000", []),
    ("serial=134.0", ["D20230810T115412_IFCB134"]),
    ("ok=true", ["D20230810T115412_IFCB134"]),
    ("ok=1", []),
    ("ok>0", []),
]


@pytest.mark.parametrize(("question", "found"), QUESTIONS)
def test_what_fits_is_found(question: str, found: list[str]) -> None:
    hits = list(parse_question([question]).hits(rows()))
    assert [hit.unit or hit.dataset for hit in hits] == found


def test_words_may_come_one_by_one_and_values_with_spaces_in_quotes() -> None:
    assert [term.value for term in parse_question(["a=1 b='x y'", "c~z"]).terms] == ["1", "x y", "z"]


@pytest.mark.parametrize("question", ["ifcb", ">3", "a='x"])
def test_what_is_no_condition_is_refused(question: str) -> None:
    with pytest.raises(UsageError):
        parse_question([question])


def test_a_field_that_nobody_has_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'roiCount'"):
        list(parse_question(["roiCounts>1"]).hits(rows()))


def test_where_nothing_is_known_yet_nothing_is_found_and_no_field_is_wrong() -> None:
    assert list(parse_question(["roiCount>1"]).hits(iter(()))) == []
