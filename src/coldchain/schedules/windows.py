"""How does the Task Scheduler of Windows run a task: as which XML?

Source: MS-TSCH, 2.5 "XML Task Schema" (version 1.2, which Windows 7 and everything newer reads).  The order of the
elements of a trigger, of a repetition and of an action is part of it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path, PureWindowsPath
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, indent, tostring

from coldchain.schedules.tasks import Calendar, Installation, Manner, Task, calendar_of, cannot, refuse_other_zone

NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
MOST_TRIGGERS = 48
"""Of one task (Task Scheduler Schema, "triggersType")."""
_DAY_MINUTES = 24 * 60
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def scheduled(task: Task, manner: Manner, folder: Path, now: datetime) -> Installation:
    """The XML of a task, and the commands that hand it over; the file itself only says what was handed over."""
    path = folder / f"{task.name}.xml"
    return Installation(
        ((path, document(task, manner, now)),),
        (("schtasks", "/Create", "/TN", _name(task), "/XML", str(path), "/F"),),
        endings(task),
    )


def mark_of(content: bytes) -> str:
    """The mark of a document; "" for none."""
    try:
        return fromstring(content).findtext(f"{{{NAMESPACE}}}RegistrationInfo/{{{NAMESPACE}}}Description") or ""  # noqa: S314
    except (ParseError, ValueError, LookupError):
        return ""


def endings(task: Task) -> tuple[tuple[str, ...], ...]:
    """The commands after which Windows has forgotten a task."""
    return (("schtasks", "/Delete", "/TN", _name(task), "/F"),)


def _name(task: Task) -> str:
    return f"\\coldchain\\{task.name}"


def document(task: Task, manner: Manner, now: datetime) -> bytes:
    """The whole document, in UTF-16 as ``schtasks`` reads it.

    Raises:
        ConfigurationError: the Task Scheduler cannot say the schedule.
    """
    root = Element("Task", version="1.2", xmlns=NAMESPACE)
    _texts(_inside(root, "RegistrationInfo"), Author="coldchain", Description=task.mark)
    triggers = _inside(root, "Triggers")
    if task.cron:
        refuse_other_zone(task, now)
        _add_triggers(triggers, task, now)
    elif manner.system:
        _texts(_inside(triggers, "BootTrigger"), Enabled="true", Delay="PT1M")
    else:
        _texts(_inside(triggers, "LogonTrigger"), Enabled="true", Delay="PT1M")
    principal = _inside(_inside(root, "Principals"), "Principal", id="Author")
    if manner.system:
        _texts(principal, UserId="S-1-5-18", RunLevel="LeastPrivilege")
    else:
        # In the session of the person: only there the drives are that he or she connected.
        _texts(principal, LogonType="InteractiveToken", RunLevel="LeastPrivilege")
    _settings(root, task, manner)
    program, *arguments = task.command
    actions = _inside(root, "Actions", Context="Author")
    _texts(
        _inside(actions, "Exec"),
        Command=without_window(program),
        Arguments=subprocess.list2cmdline(arguments),
        WorkingDirectory=str(PureWindowsPath(task.config).parent) if "\\" in task.config else task.folder,
    )
    indent(root)
    return bytes(tostring(root, encoding="utf-16", xml_declaration=True))


def without_window(program: str) -> str:
    """The twin of Python's program that opens no black window."""
    folder, slash, name = program.rpartition("\\")
    return f"{folder}{slash}pythonw.exe" if name.lower() == "python.exe" else program


def _settings(root: Element, task: Task, manner: Manner) -> None:
    settings = _inside(root, "Settings")
    _texts(
        settings,
        MultipleInstancesPolicy="IgnoreNew",
        DisallowStartIfOnBatteries=_said(not manner.on_battery),
        StopIfGoingOnBatteries=_said(not manner.on_battery),
        AllowHardTerminate="true",
        StartWhenAvailable=_said(manner.catch_up),
        RunOnlyIfNetworkAvailable="false",
        AllowStartOnDemand="true",
        Enabled="true",
        Hidden="true",
        RunOnlyIfIdle=_said(manner.only_idle),
        WakeToRun="false",
        ExecutionTimeLimit=_duration(manner.limit) if manner.limit else "PT0S",
        Priority="7",
    )
    _texts(_inside(settings, "IdleSettings"), StopOnIdleEnd="false", RestartOnIdle="false")
    if not task.cron:
        _texts(_inside(settings, "RestartOnFailure"), Interval="PT1M", Count="999")


# --- when -------------------------------------------------------------------------------------------------------------


def _add_triggers(triggers: Element, task: Task, now: datetime) -> None:
    calendar = calendar_of(task)
    if calendar.days and calendar.weekdays and not calendar.either:
        raise cannot(task, "certain days of the month that are certain days of the week too")
    if any(number == 5 for _, number in calendar.weekdays or ()):
        raise cannot(task, "the fifth weekday of a month")  # weekType: 1 to 4, or the last, which is another
    times = [hour * 60 + minute for hour in calendar.hours for minute in calendar.minutes]
    step = _even_step(times)
    starts = times[:1] if step else times
    days = list(_days(task, calendar))
    if len(starts) * len(days) > MOST_TRIGGERS:
        raise cannot(task, f"a list of {len(starts) * len(days)} triggers, of which one task may have {MOST_TRIGGERS},")
    for day in days:
        for start in starts:
            trigger = _inside(triggers, "CalendarTrigger")
            first = f"{now:%Y-%m-%d}T{start // 60:02}:{start % 60:02}:00"
            _texts(trigger, Enabled="true", StartBoundary=first)
            if step:
                # A minute more than to the last one; a whole day where it never ends.
                span = times[-1] - times[0]
                length = timedelta(minutes=_DAY_MINUTES if span + step >= _DAY_MINUTES else span + 1)
                _texts(
                    _inside(trigger, "Repetition"),
                    Interval=_duration(timedelta(minutes=step)),
                    Duration=_duration(length),
                    StopAtDurationEnd="false",
                )
            trigger.append(day)


def _even_step(times: list[int]) -> int:
    """The minutes between two times, where it is always the same; 0 where it is not, or where there is one time."""
    steps = {later - earlier for earlier, later in pairwise(times)}
    return steps.pop() if len(steps) == 1 else 0


def _days(task: Task, calendar: Calendar) -> Iterator[Element]:
    months = [_MONTHS[month - 1] for month in calendar.months or range(1, 13)]
    if calendar.days is None and calendar.weekdays is None and calendar.months is None:
        day = Element("ScheduleByDay")
        _texts(day, DaysInterval="1")
        yield day
        return
    if calendar.days is not None or calendar.weekdays is None:
        day = Element("ScheduleByMonth")
        numbers = [one for one in calendar.days or range(1, 32) if one > 0]
        listed = _inside(day, "DaysOfMonth")
        for text in [*map(str, numbers), *(["Last"] if -1 in (calendar.days or ()) else [])]:
            _inside(listed, "Day").text = text
        _list(day, "Months", months)
        yield day
    if calendar.weekdays is not None:
        yield from _weekdays(calendar, months)


def _weekdays(calendar: Calendar, months: list[str]) -> Iterator[Element]:
    weekdays = calendar.weekdays or ()
    plain = [_WEEKDAYS[one] for one, number in weekdays if number == 0]
    if plain and calendar.months is None:
        day = Element("ScheduleByWeek")
        _texts(day, WeeksInterval="1")
        _list(day, "DaysOfWeek", plain)
        yield day
    elif plain:
        # A fifth week is only said by "Last", which is the fourth in some months: both together never miss one.
        yield _in_weeks(["1", "2", "3", "4", "Last"], plain, months)
    for one, number in weekdays:
        if number:
            yield _in_weeks(["Last" if number < 0 else str(number)], [_WEEKDAYS[one]], months)


def _in_weeks(weeks: list[str], weekdays: list[str], months: list[str]) -> Element:
    day = Element("ScheduleByMonthDayOfWeek")
    listed = _inside(day, "Weeks")
    for week in weeks:
        _inside(listed, "Week").text = week
    _list(day, "DaysOfWeek", weekdays)
    _list(day, "Months", months)
    return day


# --- XML --------------------------------------------------------------------------------------------------------------


def _inside(parent: Element, tag: str, **attributes: str) -> Element:
    return SubElement(parent, tag, attributes)


def _texts(parent: Element, **texts: str) -> None:
    for tag, text in texts.items():
        SubElement(parent, tag).text = text


def _list(parent: Element, tag: str, names: list[str]) -> None:
    listed = _inside(parent, tag)
    for one in names:
        _inside(listed, one)


def _said(value: bool) -> str:
    return "true" if value else "false"


def _duration(duration: timedelta) -> str:
    """As XML Schema writes it (xs:duration)."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number]
    return "PT" + ("".join(parts) or "0S")
