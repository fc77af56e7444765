"""How does launchd run a task: as which property list?

Source: launchd.plist(5).  A time that a sleeping Mac missed is made up for once when it wakes.
"""

from __future__ import annotations

import plistlib
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from coldchain.schedules.tasks import Installation, Manner, Task, calendar_of, cannot, refuse_other_zone

_MARK = "COLDCHAIN_INSTALLED"
_MOST_TIMES = 500
"""More would still be right, but no person could read them."""


def agent(task: Task, manner: Manner, folder: Path, now: datetime) -> Installation:
    """The property list of a task.

    Raises:
        ConfigurationError: launchd cannot say its schedule.
    """
    path = _path(task, folder)
    values: dict[str, Any] = {
        "Label": _label(task),
        "ProgramArguments": list(task.command),
        "WorkingDirectory": task.folder,
        "EnvironmentVariables": {_MARK: task.mark},
        "ProcessType": "Background",
        "LowPriorityIO": True,
        "Nice": 10,
    }
    if task.cron:
        values["StartCalendarInterval"] = intervals(task, now)
    else:
        values |= {"RunAtLoad": True, "KeepAlive": {"SuccessfulExit": False}, "ThrottleInterval": 60}
    text = plistlib.dumps(values)
    load = ("launchctl", "bootstrap", "system") if manner.system else ("launchctl", "load", "-w")
    return Installation(((path, text),), ((*load, str(path)),), endings(task, manner, folder))


def mark_of(content: bytes) -> str:
    """The mark of a property list; "" for none."""
    try:
        values = plistlib.loads(content)
        return str(values["EnvironmentVariables"][_MARK])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, ExpatError):  # plistlib catches none
        return ""


def endings(task: Task, manner: Manner, folder: Path) -> tuple[tuple[str, ...], ...]:
    """The commands after which launchd has let go of a task."""
    unload = ("launchctl", "bootout", "system") if manner.system else ("launchctl", "unload", "-w")
    return ((*unload, str(_path(task, folder))),)


def _path(task: Task, folder: Path) -> Path:
    return folder / f"{_label(task)}.plist"


def _label(task: Task) -> str:
    return f"org.coldchain.{task.name.removeprefix('coldchain-')}"


def intervals(task: Task, now: datetime) -> list[dict[str, int]]:
    """One table for each time; a key that is not there matches everything."""
    refuse_other_zone(task, now)
    calendar = calendar_of(task)
    if not calendar.is_plain:
        raise cannot(task, "the last or a numbered day of the month or of the week")
    if calendar.days and calendar.weekdays and not calendar.either:
        raise cannot(task, "certain days of the month that are certain days of the week too")
    minutes: list[dict[str, int]] = (
        [{}] if len(calendar.minutes) == 60 else [{"Minute": one} for one in calendar.minutes]
    )
    hours: list[dict[str, int]] = [{}] if len(calendar.hours) == 24 else [{"Hour": one} for one in calendar.hours]
    months: list[dict[str, int]] = [{}] if calendar.months is None else [{"Month": one} for one in calendar.months]
    days = [{"Day": one} for one in calendar.days or ()] + [{"Weekday": one} for one, _ in calendar.weekdays or ()]
    found = [month | day | hour | minute for month, day, hour, minute in product(months, days or [{}], hours, minutes)]
    if len(found) > _MOST_TIMES:
        raise cannot(task, f"a list of {len(found)} times")
    return found
