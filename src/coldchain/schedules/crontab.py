r"""How does cron run a task: as which lines of a crontab?

Source: crontab(5) of Debian's cron and of cronie; every ``%`` that is no line end is written ``\\%``.
"""

from __future__ import annotations

import re
import shlex
from datetime import datetime

from coldchain.errors import ConfigurationError
from coldchain.schedules.tasks import Calendar, Task, calendar_of, cannot, refuse_other_zone

_BEGINS, _ENDS = "# >>> ", "# <<< "


def line(task: Task, now: datetime) -> str:
    """The line of a task.

    Raises:
        ConfigurationError: cron cannot say it.
    """
    refuse_other_zone(task, now)
    calendar = calendar_of(task)
    if not calendar.is_plain:
        raise cannot(task, "the last or a numbered day of the month or of the week")
    command = f"cd {shlex.quote(task.folder)} && exec {shlex.join(task.command)}"
    if "\\%" in command:
        raise ConfigurationError(f"{task.config}: cron cannot be told of a backslash before %; use another folder")
    return f"{_fields(task, calendar)} {command.replace('%', chr(92) + '%')}"


def _fields(task: Task, calendar: Calendar) -> str:
    """Numbers only, but what begins with ``*`` stays: to cron it means more than all the numbers."""
    from coldchain.config.cron import five_fields

    written = five_fields(task.cron).split()
    weekdays = None if calendar.weekdays is None else tuple(day for day, _ in calendar.weekdays)
    numbers = (calendar.minutes, calendar.hours, calendar.days, calendar.months, weekdays)
    return " ".join(
        text if text.startswith("*") else _joined(found) for text, found in zip(written, numbers, strict=True)
    )


def _joined(numbers: tuple[int, ...] | None) -> str:
    return ",".join(map(str, numbers)) if numbers is not None else "*"


def holds(crontab: str, task: Task, now: datetime) -> bool:
    """Whether the block of this task is there as it should be."""
    return _block(task, now) in crontab


def _block(task: Task, now: datetime) -> str:
    return f"{_BEGINS}{task.mark}\n{line(task, now)}\n{_ENDS}{task.mark}\n"


def with_block(crontab: str, task: Task, now: datetime) -> str:
    """A crontab with the block of this task, once, at its end; everything else is left as it was."""
    rest = without_block(crontab, task.mark)
    gap = "" if not rest or rest.endswith("\n") else "\n"
    return f"{rest}{gap}{_block(task, now)}"


def without_block(crontab: str, mark: str) -> str:
    """A crontab without the block of this mark.

    Where somebody removed the last line of a block, the lines up to the next one are not taken for ours.
    """
    begins, ends = re.escape(_BEGINS + mark), re.escape(_ENDS + mark)
    block = rf"^{begins}\n(?:(?!{begins}$).*\n)*?{ends}(?:\n|\Z)"
    return re.sub(block, "", crontab, flags=re.MULTILINE)


def marks(crontab: str) -> list[str]:
    """The marks of all blocks in a crontab."""
    return re.findall(rf"^{re.escape(_BEGINS)}(.*)$", crontab, re.MULTILINE)
