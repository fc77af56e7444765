"""Does what was written for people come back as it was meant: sizes, rates, and a whole configuration?"""

from __future__ import annotations

import tomllib
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldchain.config.bandwidth import DAY_MINUTES, Window, as_text, parse_bandwidth
from coldchain.config.template import INSTRUMENTS, render_template
from coldchain.config.units import format_duration, parse_share, parse_size
from coldchain.config.values import Incomplete, OnChange, Symlinks
from coldchain.model import ProofKind
from tests.config.writing import DESTINATION, TOP, read, toml
from tests.properties.searching import few

FACTORS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15} | {
    f"{letter}iB": 1 << 10 * power for power, letter in enumerate("KMGTP", 1)
}


@few(200)
@given(
    st.integers(0, 10**6),
    st.integers(0, 999),
    st.sampled_from(sorted(FACTORS)),
    st.booleans(),
    st.sampled_from(["", " "]),
)
def test_a_size_is_the_number_times_its_unit(whole: int, thousandths: int, unit: str, small: bool, gap: str) -> None:
    text = f"{whole}.{thousandths:03}{gap}{unit.lower() if small else unit}"
    exact = Decimal(whole * 1000 + thousandths) * FACTORS[unit] / 1000
    assert abs(parse_size(text) - exact) <= Decimal("0.5")
    if exact == int(exact):
        assert parse_size(text) == exact


@few(100)
@given(st.integers(0, 10_000))
def test_a_share_is_a_hundredth_of_what_was_written(hundredths: int) -> None:
    assert parse_share(f"{Decimal(hundredths) / 100} %") == pytest.approx(hundredths / 10_000, abs=1e-12)


# --- bandwidth --------------------------------------------------------------------------------------------------------


@st.composite
def _hours(draw: st.DrawFn) -> list[Window]:
    """Windows that do not overlap; the last one may go over midnight."""
    edges = sorted(draw(st.sets(st.integers(0, DAY_MINUTES - 1), min_size=2, max_size=6)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    if len(edges) > 2 and draw(st.booleans()):
        pairs = [*zip(edges[1:-1:2], edges[2::2], strict=False), (edges[-1], edges[0])]
    return [Window(draw(st.integers(1, 10**6)), begins, ends) for begins, ends in pairs]


@few(150)
@given(_hours())
def test_hours_and_rates_come_back_and_at_each_minute_one_limit_holds_at_most(windows: list[Window]) -> None:
    def clock(minute: int) -> str:
        return f"{minute // 60:02}:{minute % 60:02}"

    table = {f"{clock(one.begins_minute)}-{clock(one.ends_minute)}": f"{one.bytes_per_s} B/s" for one in windows}
    found = parse_bandwidth(as_text(table))
    assert sorted(found, key=str) == sorted(windows, key=str)
    for minute in range(0, DAY_MINUTES, 7):
        assert sum(one.holds_at(minute) for one in found) <= 1


# --- configurations ---------------------------------------------------------------------------------------------------

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_plain = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="$"), min_size=1, max_size=12
)
_values = st.recursive(
    _text | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)


@few(100)
@given(_values)
def test_how_these_tests_write_toml_is_how_it_is_read(value: object) -> None:
    assert tomllib.loads(f"a = {toml(value)}")["a"] == value


_job = st.fixed_dictionaries({}, optional={
    "settle": st.timedeltas(timedelta(0), timedelta(days=400)),
    "max_open": st.timedeltas(timedelta(seconds=1), timedelta(days=400)),
    "verify": st.sampled_from(ProofKind),
    "on_change": st.sampled_from(OnChange),
    "symlinks": st.sampled_from(Symlinks),
    "incomplete": st.sampled_from(Incomplete),
    "personal": st.booleans(),
    "digest": st.sampled_from(["sha256", "md5"]),
    "include": st.lists(_plain.filter(lambda one: one.strip() == one), min_size=1, max_size=3),
    "exclude": st.lists(_plain.filter(lambda one: one.strip() == one), max_size=3),
    "schedule": st.sampled_from(["@daily", "30 2 * * *"]),
    "timezone": st.just("Europe/Berlin"),
})  # fmt: skip


def _written(value: Any) -> object:
    match value:
        case timedelta():
            return format_duration(value)
        case ProofKind():
            return value.word
    return value if not isinstance(value, str) else str(value)


@few(100)
@given(values=_job, share=st.integers(0, 100), least=st.integers(0, 10**6))
def test_a_job_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any], share: int, least: int
) -> None:
    if "schedule" not in values:
        values.pop("timezone", None)
    lines = [f"{key} = {toml(_written(value))}\n" for key, value in values.items()]
    lines.append(f'brake = {{ share = "{share} %", least = {least} }}\n')
    text = TOP + "[jobs.m]\nsource = 'from'\ndestinations = ['d']\n" + "".join(lines) + DESTINATION
    job = read(tmp_path_factory.getbasetemp(), text).jobs["m"]
    for key, value in values.items():
        assert getattr(job, key) == (tuple(value) if isinstance(value, list) else value), key
    assert (job.brake.share, job.brake.least) == (share / 100, least)


@few(60)
@given(instrument=st.sampled_from(INSTRUMENTS), source=_plain, destination=_plain)
def test_what_init_writes_is_read_back_for_any_two_folders(
    tmp_path_factory: pytest.TempPathFactory, instrument: str, source: str, destination: str
) -> None:
    here, there = (f"/{name}/{one}" for name, one in (("from", source), ("to", destination)))
    if "://" in here + there:
        return
    folder = tmp_path_factory.getbasetemp()
    job = read(folder, render_template(instrument, source=here, destination=there)).jobs[instrument]
    assert (job.instrument, job.source.url) == (instrument, str(Path(here)))
    assert [one.place.url for one in job.destinations] == [str(Path(there))]
