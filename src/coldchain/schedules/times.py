"""When is a schedule due?

Debian's cron(8) is followed where clocks change: a schedule of fixed times runs once for each of them, one that falls
into the hour that does not exist as soon as that is over; a schedule whose minute or hour begins with ``*`` is an
interval, goes by what the clock shows, and neither stops for the hour that comes twice nor makes up for the one that
is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import product
from typing import TYPE_CHECKING

from coldchain.config.cron import parse
from coldchain.errors import ConfigurationError
from coldchain.schedules.zone import zone_of

if TYPE_CHECKING:
    from cronsim import CronSim

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_PUT_BACK = timedelta(hours=3)
"""No zone puts its clocks back by more; so far, a time that a clock shows later can come earlier."""
_LONGEST_GAP = timedelta(hours=25)
"""Samoa left out a whole day; times in a gap are due at its end."""
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
        shown = moment.astimezone(self._zone).replace(tzinfo=None)
        found: list[datetime] = []
        until = datetime.max
        for wall in self._walls(shown - _PUT_BACK, forwards=True):
            if wall > until:
                break
            coming = [one for one in self._moments(wall) if one > moment]
            if coming and not found:
                until = wall + _PUT_BACK
            found += coming
        if not found:
            raise ConfigurationError(f"{self.cron!r} is a day that no year has, so nothing would ever run")
        return min(found)

    def missed(self, last: datetime, now: datetime) -> datetime | None:
        """The one time to catch up when nothing was done since ``last``: the latest that is past; None for none.

        However many were missed, there is one answer; a clock that was put back makes nothing due.
        """
        if self.after(last) > now:
            return None
        shown = now.astimezone(self._zone).replace(tzinfo=None)
        found: list[datetime] = []
        until = datetime.min
        for wall in self._walls(shown + _PUT_BACK, forwards=False):
            if wall < until:
                break
            past = [one for one in self._moments(wall) if last < one <= now]
            if past and not found:
                until = wall - _LONGEST_GAP
            found += past
        return max(found, default=None)

    def explain(self) -> str:
        """The schedule in words, such as ``At 02:30 every day (Europe/Berlin)``."""
        zone = self.timezone if isinstance(self.timezone, str) else str(self.timezone.tzname(None) or "")
        return f"{self._fields.explain()} ({zone or 'the time of this machine'})"

    def _walls(self, start: datetime, *, forwards: bool) -> Iterator[datetime]:
        """What a clock on the wall shows at the times of the schedule, from one on, whether it exists or not."""
        hours = sorted(self._fields.hours, reverse=not forwards)
        minutes = sorted(self._fields.minutes, reverse=not forwards)
        for number in range(_FURTHEST_DAYS):
            day = start.date() + (number if forwards else -number) * _DAY
            if day.month not in self._fields.months or not self._fields.match_day(day):
                continue
            for hour, minute in product(hours, minutes):
                wall = datetime.combine(day, time(hour, minute))
                if wall >= start if forwards else wall <= start:
                    yield wall

    def _moments(self, shown: datetime) -> Iterator[datetime]:
        """When a clock shows this: one moment, two, or (fixed times) the first after it was skipped; in UTC."""
        wall = shown.replace(tzinfo=self._zone)
        if _exists(wall):
            yield wall.astimezone(UTC)
            second = wall.replace(fold=1)
            if self.is_interval and wall.utcoffset() != second.utcoffset():
                yield second.astimezone(UTC)
        elif not self.is_interval:
            while not _exists(wall):
                wall += _MINUTE
            yield wall.astimezone(UTC)


def _exists(wall: datetime) -> bool:
    there_and_back = wall.astimezone(UTC).astimezone(wall.tzinfo)
    return there_and_back.replace(tzinfo=None) == wall.replace(tzinfo=None)
