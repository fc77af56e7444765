"""Do names, times and numbers stand in a manifest as documented, and come back as they were?"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from coldchain.ledger.manifest import name_bytes, sums_lines
from coldchain.ledger.manifest_fields import (
    encoded,
    named,
    read_name,
    read_number,
    read_text,
    read_time,
    size_limit_bytes,
    stamped,
)
from tests.ledger.making import ODD_NAMES, digest_of, record_of, verified


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("plain ü \U0001f9ea", {"path": "plain ü \U0001f9ea"}),
        ("a\udcff", {"path": "a\ufffd", "path_b64": "Yf8="}),
        ("a\ud83d", {"path": "a\ufffd\ufffd\ufffd", "path_wtf8_b64": "Ye2gvQ=="}),
        ("\ud83d\ude00", {"path": "\ufffd" * 6, "path_wtf8_b64": "7aC97biA"}),
    ],
)
def test_p16_a_name_that_is_no_text_is_written_as_its_bytes_too(name: str, fields: dict[str, object]) -> None:
    assert named("path", name) == fields
    assert read_name(json.loads(encoded(fields)), "path") == name


@pytest.mark.parametrize("name", [*ODD_NAMES, "\udcff\ud83d", ""])
def test_p16_whatever_a_name_is_it_comes_back(name: str) -> None:
    assert read_name(json.loads(encoded(named("key", name))), "key") == name


def test_p16_a_name_has_the_bytes_that_it_has_in_a_file_system() -> None:
    assert name_bytes("ü\udcff") == b"\xc3\xbc\xff"
    assert name_bytes("a\ud83d") == b"a\xed\xa0\xbd"


def test_p09_sums_escape_what_would_break_their_lines_and_nothing_else() -> None:
    value = digest_of(1).value.encode()
    for name, line in (
        ("a b", value + b"  a b\n"),
        ("a\\b", b"\\" + value + b"  a\\\\b\n"),
        ("a\nb", b"\\" + value + b"  a\\nb\n"),
        ("a\rb", b"\\" + value + b"  a\\rb\n"),
        ("\\n", b"\\" + value + b"  \\\\n\n"),
        ("-", value + b"  ./-\n"),
    ):
        assert list(sums_lines([record_of(verified(name))])) == [line]


def test_a_line_is_text_where_it_can_be_and_never_longer_than_foretold() -> None:
    assert encoded({"a": "ü"}) == b'{"a":"\xc3\xbc"}'
    assert encoded({"a": "ü", "b": "\udcff"}) == b'{"a":"\\u00fc","b":"\\udcff"}'
    for fields in ({"a": "ü"}, {"a": "ü\udcff"}, {"a": 1}):
        assert len(encoded(fields)) <= size_limit_bytes(fields)
    assert size_limit_bytes({"a": "ü"}) == len(b'{"a":"\\u00fc"}')


def test_a_time_is_written_in_utc_to_the_microsecond() -> None:
    there = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert stamped(there) == "2026-03-03T23:36:07.000000Z"
    assert read_time({"at": stamped(there)}, "at") == there
    assert read_time({"at": "2026-03-04T05:06:07+05:30"}, "at").tzinfo is UTC


@pytest.mark.parametrize("said", ["2026-01-01T00:00:00", "0001-01-01T00:00:00+10:00", "today", "", 5, None])
def test_what_is_no_moment_is_refused(said: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        read_time({"at": said}, "at")


def test_a_number_is_whole_and_fits() -> None:
    for value in (-(1 << 63), 0, (1 << 64) - 1):
        assert read_number({"n": value}, "n") == value
    for value in (3, 7):
        assert read_number({"n": value}, "n", least=3, most=7) == value
    wrong: list[tuple[Any, dict[str, int]]] = [
        (-(1 << 63) - 1, {}), (1 << 64, {}), (True, {}), (1.0, {}), ("1", {}), (None, {}),
        (2, {"least": 3}), (8, {"most": 7}),
    ]  # fmt: skip
    for value, limits in wrong:
        with pytest.raises(TypeError):
            read_number({"n": value}, "n", **limits)


@pytest.mark.parametrize(
    "fields",
    [
        {"p": 1},
        {"p": "x", "p_b64": "!"},
        {"p": "x", "p_b64": "YQ"},
        {"p": "x", "p_b64": 1},
        {"p": "x", "p_wtf8_b64": "/w=="},
    ],
)
def test_what_is_no_name_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        read_name(fields, "p")


def test_what_is_missing_is_refused() -> None:
    for read in (read_name, read_text, read_number, read_time):
        with pytest.raises(KeyError):
            read({}, "p")
