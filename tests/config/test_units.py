"""Are durations, sizes and shares read as a person means them, and refused when nobody can tell?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldchain.config.units import format_duration, parse_duration, parse_share, parse_size
from coldchain.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10 min", 600),
        ("0 s", 0),
        ("30 days", 30 * 86400),
        ("90d", 90 * 86400),
        ("1 h 30 min", 5400),
        ("1h30m", 5400),
        ("1 hour, 30 minutes", 5400),
        ("1.5 h", 5400),
        (" 2 Weeks ", 14 * 86400),
        ("250 ms", 0.25),
        ("1 µs", 0.000001),
    ],
)
def test_a_duration_is_read_as_it_is_meant(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "10", "min", "10 parsecs", "-1 s", "1e3 s", "1,5 h", "10 M", "3 months", "1 y", "30 min 1 h",
        "1 h 1 h", "1 h 30", "nan s", "٣ s", "1" * 5000 + " s", "1 s" * 1000,
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r'is no duration: write numbers with units, .* "10 min"'):
        parse_duration(text)


@pytest.mark.parametrize("text", ["365251 days", "365250 days 1 us", "1" * 15 + " weeks"])
def test_what_leads_beyond_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="longer than a thousand years"):
        parse_duration(text)
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    longest = parse_duration("365250 days")
    assert moment - longest < moment < moment + longest


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=365_250)))
def test_a_duration_that_was_written_is_read_back_unchanged(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(st.text())
def test_no_text_does_worse_than_to_be_refused(text: str) -> None:
    for parse in (parse_duration, parse_size, parse_share):
        try:
            parse(text)
        except ConfigurationError as error:
            assert repr(text) in str(error)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("0 B", 0), ("1.5 GiB", 1610612736), ("10MB", 10_000_000), ("10 mb", 10_000_000), ("1 kB", 1000), ("2KiB", 2048),
     ("1 TiB", 1 << 40), ("3 bytes", 3)],
)  # fmt: skip
def test_a_size_is_read_as_bytes(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "10", "10 M", "10 G", "GiB", "-1 B", "1 GiB 2 MiB", "1e3 B", "5%"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match='is no size: write a number with its unit, such as "10 MB"'):
        parse_size(text)


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("0 %", 0), ("100%", 1), ("12.5%", 0.125)])
def test_a_share_is_read_as_a_part_of_one(text: str, share: float) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize("text", ["", "5", "0.05", "%", "101%", "-1%", "5 % of it"])
def test_what_is_no_share_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match='is no share: write a percentage from 0 to 100, such as "5%"'):
        parse_share(text)
