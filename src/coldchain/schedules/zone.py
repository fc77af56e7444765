"""Which time does a clock on the wall show?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from coldchain.errors import ConfigurationError


class MachineZone(tzinfo):
    """The time zone that this machine is set to, by its own rules, whatever they are called.

    Names of zones are not known everywhere (Windows has others), but every system can translate one moment.
    """

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """What the machine's clocks were, are or will be ahead of UTC."""
        return moment.replace(tzinfo=None).astimezone().utcoffset() if moment is not None else None

    def dst(self, moment: datetime | None) -> timedelta | None:
        """Not known; nobody needs it."""
        return None

    def tzname(self, moment: datetime | None) -> str:
        """A name for people."""
        return "the machine's time"

    def fromutc(self, moment: datetime) -> datetime:
        """The local time of a moment in UTC, told apart by ``fold`` where a clock shows it twice."""
        local = moment.replace(tzinfo=UTC).astimezone()
        seen = local.replace(tzinfo=self, fold=0)
        return seen if seen.utcoffset() == local.utcoffset() else seen.replace(fold=1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MachineZone)

    def __hash__(self) -> int:
        return hash(MachineZone)


def zone_of(timezone: str | tzinfo) -> tzinfo:
    """The zone of an IANA name; "" for that of the machine.

    Raises:
        ConfigurationError: there is no such zone.
    """
    if isinstance(timezone, tzinfo):
        return timezone
    if not timezone:
        return MachineZone()
    try:
        return ZoneInfo(timezone)
    except (OSError, ValueError, KeyError):
        raise ConfigurationError(f"{timezone!r} is no time zone; write one such as Europe/Berlin") from None
