"""What may stand where a cron text is wanted?

Five fields as in crontab(5), read by cronsim as Debian's cron reads them, with ``L``, ``LW`` and ``#`` besides; or one
of the words of the same page.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from coldchain.errors import ConfigurationError

if TYPE_CHECKING:
    from cronsim import CronSim

CRON_HINT = 'write five fields as in crontab, such as "30 2 * * *" (02:30 each day), or a word such as @daily'
WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
_LONGEST = 200
_FIRST_DAY = date(2001, 1, 1)
_CYCLE_DAYS = 28 * 366
"""After 28 years the days of the week fall on the same dates, leap days too (but for 2100 and its like)."""


def five_fields(text: str) -> str:
    """The five fields that a text or a word stands for.

    Raises:
        ConfigurationError: it is none, or describes a time that never comes; the message does not quote it.
    """
    return " ".join(parse(text).parts[1:])


def parse(text: str) -> CronSim:
    """The same as sets of minutes, hours, days, months and weekdays."""
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    written = text.strip()
    if written.lower() == "@reboot":
        raise ConfigurationError("is no time; what runs from boot on is installed by: coldchain service install")
    fields = WORDS.get(written.lower(), written)
    if fields.startswith("@"):
        raise ConfigurationError(f"is no word of cron; known are {', '.join(WORDS)}")
    number = len(fields.split())
    if number != len(_FIELDS) or len(fields) > _LONGEST or not fields.isascii():
        raise ConfigurationError(f"is no cron text: {CRON_HINT}")
    try:
        parsed = CronSim(fields, datetime(2001, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        field = str(error).removeprefix("Bad ").replace("-", " ")
        raise ConfigurationError(f"is no cron text, its {field} makes no sense: {CRON_HINT}") from None
    except (ValueError, AssertionError, TypeError):
        raise ConfigurationError(f"is no cron text: {CRON_HINT}") from None
    if not _ever_comes(parsed):
        raise ConfigurationError("is a day that no year has, so nothing would ever run")
    return parsed


def _ever_comes(parsed: CronSim) -> bool:
    days = (_FIRST_DAY + timedelta(days=number) for number in range(_CYCLE_DAYS))
    return any(day.month in parsed.months and parsed.match_day(day) for day in days)
