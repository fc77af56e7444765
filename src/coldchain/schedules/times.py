"""When is a schedule due?

Debian's cron(8) is followed where clocks change: a schedule of fixed times runs once for each of them, one that falls
into the hour that does not exist as soon as that is over; a schedule whose minute or hour begins with ``*`` is an
interval, goes by what the clock shows, and neither stops for the hour that comes twice nor makes up for the one that
is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

from coldchain.config.cron import parse
from coldchain.errors import ConfigurationError
from coldchain.schedules.zone import zone_of

if TYPE_CHECKING:
    from cronsim import CronSim

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_FURTHEST_DAYS = 41 * 366
"""The 29th of February on a given day of the week can be 40 years away, over the end of a century."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """A cron text, in the time zone in which it is meant.

    Raises:
        ConfigurationError: the text is no cron text, or there is no such zone.
    """

    cron: str
    timezone: str | tzinfo = ""
    """IANA name or a zone; "" for that of the machine."""
    _fields: CronSim = field(init=False, repr=False, compare=False)
    _zone: tzinfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            fields = parse(self.cron)
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.cron!r} {error}") from None
        object.__setattr__(self, "_fields", fields)
        object.__setattr__(self, "_zone", zone_of(self.timezone))

    @property
    def is_interval(self) -> bool:
        """Whether it goes by what the clock shows, as ``*/15 * * * *`` does, in place of fixed times of day."""
        minute, hour = self._fields.parts[1:3]
        return minute.startswith("*") or hour.startswith("*")

    def after(self, moment: datetime) -> datetime:
        """The first time after a moment; both are aware, the answer is UTC."""
        first = _local_date(moment, self._zone) - _DAY
        for number in range(_FURTHEST_DAYS):
            day = first + number * _DAY
            # Where clocks go back at midnight, a time of the next day can come before one of this day.
            if coming := [one for one in self._due_on(day) if one > moment]:
                return min(coming + [one for one in self._due_on(day + _DAY) if one > moment])
        raise ConfigurationError(f"{self.cron!r} is a day that no year has, so nothing would ever run")

    def missed(self, last: datetime, now: datetime) -> datetime | None:
        """The one time to catch up when nothing was done since ``last``: the latest that is past; None for none.

        However many were missed, there is one answer; a clock that was put back makes nothing due.
        """
        if self.after(last) > now:
            return None
        day = _local_date(now, self._zone) + _DAY
        for number in range(_FURTHEST_DAYS):
            days = (day - number * _DAY, day - (number + 1) * _DAY)
            if past := [one for each in days for one in self._due_on(each) if last < one <= now]:
                return max(past)
        return None

    def explain(self) -> str:
        """The schedule in words, such as ``At 02:30 every day (Europe/Berlin)``."""
        zone = self.timezone if isinstance(self.timezone, str) else str(self.timezone.tzname(None) or "")
        return f"{self._fields.explain()} ({zone or 'the time of this machine'})"

    def _due_on(self, day: date) -> list[datetime]:
        """The moments at which it is due on a day of the calendar, in UTC, ascending."""
        if day.month not in self._fields.months or not self._fields.match_day(day):
            return []
        walls = (
            datetime.combine(day, time(hour, minute), self._zone)
            for hour in sorted(self._fields.hours)
            for minute in sorted(self._fields.minutes)
        )
        once = not self.is_interval
        return sorted({moment for wall in walls for moment in _moments(wall, once=once)})


def _local_date(moment: datetime, zone: tzinfo) -> date:
    return moment.astimezone(zone).date()


def _moments(wall: datetime, *, once: bool) -> Iterator[datetime]:
    """When a clock on the wall shows this: one moment, two, or (with ``once``) the first after it was skipped."""
    if _exists(wall):
        yield wall.astimezone(UTC)
        if not once and wall.utcoffset() != wall.replace(fold=1).utcoffset():
            yield wall.replace(fold=1).astimezone(UTC)
    elif once:
        while not _exists(wall):
            wall += _MINUTE
        yield wall.astimezone(UTC)


def _exists(wall: datetime) -> bool:
    there_and_back = wall.astimezone(UTC).astimezone(wall.tzinfo)
    return there_and_back.replace(tzinfo=None) == wall.replace(tzinfo=None)
