"""Is a schedule due when a clock on the wall says so, once and never twice?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coldchain.errors import ConfigurationError
from coldchain.schedules.times import Timetable
from coldchain.schedules.zone import MachineZone

MINUTE = timedelta(minutes=1)
CHANGES = {
    "Europe/Berlin": (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "America/New_York": (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)),
    "Australia/Lord_Howe": (datetime(2026, 10, 3, 15, 30, tzinfo=UTC), datetime(2026, 4, 4, 15, tzinfo=UTC)),
    "America/St_Johns": (datetime(2006, 4, 2, 3, 31, tzinfo=UTC), datetime(2006, 10, 29, 2, 31, tzinfo=UTC)),
    "Africa/Cairo": (datetime(2026, 4, 23, 22, tzinfo=UTC), datetime(2026, 10, 29, 21, tzinfo=UTC)),
    "Asia/Kathmandu": (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
}
"""When the clocks are put forward and back; where they never are, moments like any other."""


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


# --- a slow oracle: looks at a clock on the wall each minute ----------------------------------------------------------


def numbers(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for term in text.split(","):
        span, _, step = term.partition("/")
        first, _, last = span.partition("-")
        begin = low if span == "*" else int(first)
        end = high if span == "*" or (step and not last) else int(last or first)
        found |= set(range(begin, end + 1, int(step or 1)))
    return found


class Clock:
    """What a person does who sits before a clock with a crontab in hand."""

    def __init__(self, cron: str) -> None:
        minute, hour, day, month, weekday = cron.split()
        self.minutes, self.hours = numbers(minute, 0, 59), numbers(hour, 0, 23)
        self.days, self.months = numbers(day, 1, 31), numbers(month, 1, 12)
        self.weekdays = {one % 7 for one in numbers(weekday, 0, 7)}
        self.both = day.startswith("*") or weekday.startswith("*")
        self.once = not (minute.startswith("*") or hour.startswith("*"))

    def shows(self, wall: datetime) -> bool:
        if wall.minute not in self.minutes or wall.hour not in self.hours or wall.month not in self.months:
            return False
        by_day, by_weekday = wall.day in self.days, wall.isoweekday() % 7 in self.weekdays
        return (by_day and by_weekday) if self.both else (by_day or by_weekday)

    def watch(self, begin: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        moment, seen = begin - timedelta(days=2), set()
        before = (moment - MINUTE).astimezone(zone).replace(tzinfo=None)
        while moment < end:
            wall = moment.astimezone(zone).replace(tzinfo=None)
            skipped, jumped = before + MINUTE, []
            while skipped < wall:
                jumped.append(skipped)
                skipped += MINUTE
            due = self.shows(wall) and not (self.once and wall in seen)
            due |= self.once and any(self.shows(one) and one not in seen for one in jumped)
            seen |= {wall, *jumped}
            if due and moment > begin:
                yield moment
            before, moment = wall, moment + MINUTE


CRONS = (
    "30 2 * * *", "0 0 * * *", "15,45 1-3 * * *", "*/15 * * * *", "0 */2 * * *", "30 * * * *", "59 23 * * 6",
    "*/20 1-2 * * *", "30 1 25-31 * 0", "0 2,3 * * *", "45 1 * * *", "5/10 0,2 * * *", "0 3 * * 7",
)  # fmt: skip


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("cron", CRONS)
def test_it_agrees_with_somebody_who_looks_at_the_clock_each_minute(cron: str, zone: str) -> None:
    table = Timetable(cron, zone)
    for change in CHANGES[zone]:
        begin, end = change - timedelta(days=2), change + timedelta(days=2)
        found, moment = [], begin
        while (moment := table.after(moment)) < end:
            found.append(moment)
        assert found == list(Clock(cron).watch(begin, end, ZoneInfo(zone)))


@settings(max_examples=60, deadline=None)
@given(
    cron=st.sampled_from(CRONS),
    zone=st.sampled_from(sorted(CHANGES)),
    change=st.integers(0, 1),
    offset=st.integers(-26 * 3600, 26 * 3600),
)
def test_time_only_goes_forward_and_only_where_a_clock_goes(cron: str, zone: str, change: int, offset: int) -> None:
    table = Timetable(cron, zone)
    moment = CHANGES[zone][change] + timedelta(seconds=offset)
    following = table.after(moment)
    assert following > moment
    assert following.tzinfo is UTC
    assert (following.second, following.microsecond) == (0, 0)
    wall = following.astimezone(ZoneInfo(zone))
    assert wall.astimezone(UTC) == following
    between = moment + (following - moment) / 2
    assert table.after(between) == following, "nothing lies between, wherever one begins to look"
    assert table.missed(moment, following) == following
    assert table.missed(following, table.after(following) - timedelta(seconds=1)) is None


# --- examples for people ----------------------------------------------------------------------------------------------


def test_a_fixed_time_in_the_hour_that_does_not_exist_is_due_when_that_hour_is_over() -> None:
    table = Timetable("30 2 * * *", "Europe/Berlin")
    assert table.after(at("2026-03-28 12:00")) == at("2026-03-29 03:00", "Europe/Berlin")
    assert table.after(at("2026-03-29 03:00", "Europe/Berlin")) == at("2026-03-30 02:30", "Europe/Berlin")


def test_a_fixed_time_in_the_hour_that_comes_twice_is_due_once() -> None:
    table = Timetable("30 2 * * *", "Europe/Berlin")
    first = table.after(at("2026-10-24 12:00"))
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert table.after(first) == at("2026-10-26 02:30", "Europe/Berlin")
    within_the_second = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert table.after(within_the_second) == at("2026-10-26 02:30", "Europe/Berlin")


def test_an_interval_keeps_going_while_clocks_change() -> None:
    table = Timetable("*/15 * * * *", "Australia/Lord_Howe")
    for change in CHANGES["Australia/Lord_Howe"]:
        moment = change - timedelta(hours=3)
        for _ in range(24):
            moment, before = table.after(moment), moment
            assert moment - before == timedelta(minutes=15)


def test_of_many_missed_times_one_is_caught_up_the_latest() -> None:
    table = Timetable("@daily", "UTC")
    assert table.missed(at("2026-01-01 00:00"), at("2026-01-01 23:59")) is None
    assert table.missed(at("2026-01-01 00:00"), at("2026-01-02 00:00")) == at("2026-01-02 00:00")
    assert table.missed(at("2026-01-01 00:00"), at("2027-03-04 05:06")) == at("2027-03-04 00:00")


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 2,3 * * *", "*/20 1-2 * * *", "30 0,23 * * *"])
def test_what_is_caught_up_is_the_last_that_was_due(cron: str, zone: str) -> None:
    table = Timetable(cron, zone)
    for change in CHANGES[zone]:
        last, now = change - timedelta(days=2), change - timedelta(days=1)
        due = [last]
        while now < change + timedelta(days=1):
            while (following := table.after(due[-1])) <= now:
                due.append(following)
            assert table.missed(last, now) == (due[-1] if len(due) > 1 else None)
            now += timedelta(minutes=17)


def test_a_clock_that_was_put_back_makes_nothing_due() -> None:
    assert Timetable("* * * * *", "UTC").missed(at("2027-01-01 00:00"), at("2026-01-01 00:00")) is None


def test_a_rare_day_is_found_however_far_it_is() -> None:
    assert Timetable("0 0 29 2 *", "UTC").after(at("2096-03-01 00:00")) == at("2104-02-29 00:00")
    assert Timetable("0 0 L * *", "UTC").after(at("2026-02-01 00:00")) == at("2026-02-28 00:00")
    assert Timetable("0 0 * * MON#1", "UTC").after(at("2026-02-01 00:00")) == at("2026-02-02 00:00")


def test_the_machines_own_zone_needs_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        for zone in (Timetable("15,45 1-3 * * *"), Timetable("15,45 1-3 * * *", MachineZone())):
            moment = other = at("2026-10-24 12:00")
            for _ in range(12):
                moment, other = zone.after(moment), Timetable("15,45 1-3 * * *", "Europe/Berlin").after(other)
                assert moment == other
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_schedule_can_be_read_aloud() -> None:
    assert Timetable("30 2 * * *", "Europe/Berlin").explain() == "At 02:30 every day (Europe/Berlin)"
    assert Timetable("@hourly").explain() == "At the start of every hour (the time of this machine)"


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("", "is no cron text: write five fields"),
        ("* * * *", "is no cron text: write five fields"),
        ("* * * * * *", "is no cron text"),
        ("60 * * * *", "its minute makes no sense"),
        ("0 25 * * *", "its hour makes no sense"),
        ("0 0 31 2 *", "makes no sense"),
        ("0 0 30 2 *", "day"),
        ("@dayly", "is no word of cron; known are @yearly"),
        ("@reboot", "coldchain service install"),
        ("0 0 1#2/3 * *", "is no cron text"),
        ("٣ * * * *", "is no cron text"),
        ("1," * 5000 + "1 * * * *", "is no cron text"),
    ],
)
def test_nonsense_is_refused_with_what_to_write(cron: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is no|is a day") as caught:
        Timetable(cron, "UTC")
    assert said in str(caught.value)


@pytest.mark.parametrize("zone", ["Europe/Berlni", "../etc/passwd", "/etc/passwd", "\x00", "a" * 500])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(ConfigurationError, match="is no time zone"):
        Timetable("@daily", zone)


PIECES = ["*", "0", "1", "5-9", "*/2", "L", "LW", "2#3", "MON", "5L", "1,2", "/"]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join))
def test_whatever_is_written_is_understood_or_refused(cron: str) -> None:
    try:
        table = Timetable(cron, "UTC")
    except ConfigurationError:
        return
    assert table.after(at("2026-01-01 00:00")) > at("2026-01-01 00:00")
    assert table.explain()
