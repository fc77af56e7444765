"""Is nothing skipped and nothing done twice, in any zone of the world, when its clocks change?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from coldchain.schedules.times import Timetable
from tests.properties.searching import few
from tests.schedules.test_times import Clock

ZONES = sorted(zone for zone in available_timezones() if not zone.startswith(("posix/", "right/")) and "/" in zone)
HOUR = timedelta(hours=1)


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """When the clocks of a zone changed, or will, from 2000 to 2037; its first day where they never do."""
    found: list[datetime] = []
    there = ZoneInfo(zone)
    days = [datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(38 * 365)]
    for before, after in pairwise(days[::7]):
        low, high = before, after
        if low.astimezone(there).utcoffset() == high.astimezone(there).utcoffset():
            continue
        while high - low > timedelta(minutes=1):
            middle = (low + (high - low) / 2).replace(second=0, microsecond=0)
            middle = middle if low < middle < high else low + timedelta(minutes=1)
            if middle >= high:
                break
            same = middle.astimezone(there).utcoffset() == low.astimezone(there).utcoffset()
            low, high = (middle, high) if same else (low, middle)
        found.append(high)
    return tuple(found) or (days[0],)


_minutes = st.sampled_from(["*", "*/15", "*/20", "0", "30", "59", "1,31", "10-12"])
_hours = st.sampled_from(["*", "*/2", "0", "1", "2", "3", "23", "1-3", "0,12", "22-23"])
_days = st.sampled_from(["*", "*", "*", "1", "25-31"])
_weekdays = st.sampled_from(["*", "*", "0", "1-5"])
_crons = st.tuples(_minutes, _hours, _days, st.just("*"), _weekdays).map(" ".join)


@few(20)
@given(
    zone=st.sampled_from(ZONES),
    cron=_crons,
    pick=st.integers(0, 10**6),
    within=st.none() | st.integers(-90, 90),
)
def test_around_each_change_it_agrees_with_somebody_who_looks_at_the_clock(
    zone: str, cron: str, pick: int, within: int | None
) -> None:
    """Each time is after the one before it, is what the clock shows, and nothing lies between."""
    change = changes(zone)[pick % len(changes(zone))]
    if within is not None:  # a fixed time of day that the clock shows twice, or never
        wall = (change + timedelta(minutes=within)).astimezone(ZoneInfo(zone))
        cron = f"{wall.minute} {wall.hour} * * *"
    begin, end = change - 6 * HOUR, change + 18 * HOUR
    table, moment = Timetable(cron, zone), begin
    found: list[datetime] = []
    while (moment := table.after(moment)) < end:
        assert not found or moment > found[-1]
        found.append(moment)
    assert found == list(Clock(cron).watch(begin, end, ZoneInfo(zone)))


@few(60)
@given(zone=st.sampled_from(ZONES), cron=_crons, pick=st.integers(0, 10**6), minutes=st.integers(0, 40 * 60))
def test_what_was_missed_is_the_last_that_was_due_and_nothing_is_due_twice(
    zone: str, cron: str, pick: int, minutes: int
) -> None:
    last = changes(zone)[pick % len(changes(zone))] - 12 * HOUR
    now = last + timedelta(minutes=minutes)
    table, due, moment = Timetable(cron, zone), [], last
    while (moment := table.after(moment)) <= now:
        due.append(moment)
    assert table.missed(last, now) == (due[-1] if due else None)
    if due:
        assert table.missed(due[-1], now) is None, "what was caught up is not due again"
