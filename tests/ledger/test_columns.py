"""Do values come back from their columns, to the last bit?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from coldchain.ledger.columns import (
    blob,
    canonical_json,
    microseconds,
    moment,
    nanoseconds,
    printable,
    signed,
    text,
    unsigned,
)
from coldchain.ledger.quoting import quote_dataset, unquote_dataset

EDGE = 1 << 63


@pytest.mark.parametrize("value", [0, 1, EDGE - 1, EDGE, EDGE + 1, (1 << 64) - 1])
def test_what_needs_all_64_bits_is_folded_and_unfolded(value: int) -> None:
    assert -EDGE <= signed(value) < EDGE
    assert unsigned(signed(value)) == value


@pytest.mark.parametrize("value", [-(1 << 61), -1, 0, EDGE - 1, EDGE, EDGE + (1 << 62)])
def test_times_before_1970_and_after_2262_come_back(value: int) -> None:
    assert nanoseconds(signed(value)) == value


def test_what_fits_is_stored_as_it_is() -> None:
    assert (signed(-EDGE), signed(EDGE - 1), signed(EDGE)) == (-EDGE, EDGE - 1, -EDGE)
    assert (signed((1 << 70) + 5), signed(-EDGE - 1)) == (5, EDGE - 1), "what is too large for all is cut, not refused"


def test_a_moment_is_exact_wherever_the_clock_stood() -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=timezone(timedelta(hours=-9)))
    assert moment(microseconds(at)) == at
    assert microseconds(datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)) == -1
    with pytest.raises(ValueError, match="without a time zone"):
        microseconds(datetime(2026, 1, 1))


def test_names_are_stored_as_bytes_that_sort_as_they_do() -> None:
    names = ["", "a", "a\0", "ü", "\ud83d", "\udcff", "\ufffd", "\U0001f9ea"]
    assert [text(blob(name)) for name in names] == names
    assert sorted(map(blob, names)) == [blob(name) for name in sorted(names)]
    with pytest.raises(UnicodeDecodeError):
        text(b"\xff")


def test_text_for_people_holds_nothing_that_a_database_refuses() -> None:
    assert printable("a\0b\udcffü") == "a\\x00b\\udcffü"


def test_json_has_one_form() -> None:
    assert canonical_json({"b": 1, "a": "ü\0\udcff"}) == '{"a":"\\u00fc\\u0000\\udcff","b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})


# --- names of manifests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("", "%"),
        ("run_1-b.tif", "run_1-b.tif"),
        (".hidden", "%2Ehidden"),
        ("a.", "a%2E"),
        (".", "%2E"),
        ("a b/c", "a%20b%2Fc"),
        ("~%", "%7E%25"),
        ("nul", "%6Eul"),
        ("COM1.x", "%43OM1.x"),
        ("console", "console"),
        ("x" * 200, "x" * 200),
    ],
)
def test_a_name_is_quoted_as_documented(name: str, quoted: str) -> None:
    assert quote_dataset(name) == quoted
    assert unquote_dataset(quoted) == name


def test_a_long_name_is_cut_before_an_escape_and_ends_in_its_hash() -> None:
    """The hash takes 64 bytes and its mark two, so 134 are left for the name."""
    for plain, kept in ((134, 134), (133, 133), (132, 132), (131, 134), (130, 133)):
        quoted = quote_dataset("x" * plain + "ÿ" * 99)
        start, mark, digest = quoted.partition("%~")
        assert start == ("x" * plain + "%C3%BF")[:kept]
        assert (mark, len(bytes.fromhex(digest))) == ("%~", 32)
        assert unquote_dataset(quoted) is None
    assert len(quote_dataset("x" * 201)) == 200
