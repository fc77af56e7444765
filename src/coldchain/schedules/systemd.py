"""How does systemd run a task: as which units?

Sources: systemd.service(5), systemd.timer(5), systemd.time(7); checked by ``systemd-analyze verify`` and ``calendar``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from coldchain.schedules.tasks import Calendar, Installation, Manner, Task, calendar_of, cannot

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def units(task: Task, manner: Manner, folder: Path) -> Installation:
    """A timer with its service, or the service of the watcher."""
    service = (folder / f"{task.name}.service", _service(task, manner).encode())
    unit = f"{task.name}.timer" if task.cron else f"{task.name}.service"
    timer = ((folder / unit, _timer(task, manner).encode()),) if task.cron else ()
    return Installation(
        (service, *timer),
        (reload(manner), (*_systemctl(manner), "enable", "--now", unit)),
        endings(task, manner),
    )


def endings(task: Task, manner: Manner) -> tuple[tuple[str, ...], ...]:
    """The commands after which systemd has let go of a task."""
    return ((*_systemctl(manner), "disable", "--now", f"{task.name}.{'timer' if task.cron else 'service'}"),)


def reload(manner: Manner) -> tuple[str, ...]:
    """The command after which systemd has read all units again."""
    return (*_systemctl(manner), "daemon-reload")


def _systemctl(manner: Manner) -> tuple[str, ...]:
    return ("systemctl",) if manner.system else ("systemctl", "--user")


def _service(task: Task, manner: Manner) -> str:
    lines = [
        f"# {task.mark}",
        "[Unit]",
        f"Description=coldchain: {task.job}",
        "Documentation=man:systemd.service(5)",
    ]
    if manner.system:
        lines += ["After=network-online.target", "Wants=network-online.target"]
    if not task.cron:
        lines += ["StartLimitIntervalSec=1h", "StartLimitBurst=30"]
    if task.cron and not manner.on_battery:
        lines += ["ConditionACPower=true"]
    lines += ["", "[Service]"]
    lines += ["Type=oneshot"] if task.cron else ["Type=exec", "Restart=on-failure", "RestartSec=60"]
    # What stops the watcher for good: a wrong configuration, and another watcher that is there already.
    lines += [] if task.cron else ["RestartPreventExitStatus=2 5", "SuccessExitStatus=130", "TimeoutStopSec=30"]
    lines += [f"WorkingDirectory={task.folder.replace('%', '%%')}"]
    lines += [f"ExecStart={_command(task)}"]
    if manner.limit is not None:
        key = "TimeoutStartSec" if task.cron else "RuntimeMaxSec"
        lines += [f"{key}={int(manner.limit.total_seconds())}"]
    lines += ["Nice=10", "IOSchedulingClass=best-effort", "IOSchedulingPriority=7"]
    if not task.cron:
        lines += ["", "[Install]", f"WantedBy={'multi-user.target' if manner.system else 'default.target'}"]
    return "\n".join(lines) + "\n"


def _timer(task: Task, manner: Manner) -> str:
    lines = [f"# {task.mark}", "[Unit]", f"Description=coldchain: {task.job}, {task.cron}", "", "[Timer]"]
    lines += [f"OnCalendar={text}" for text in on_calendar(task)]
    lines += [f"Persistent={'true' if manner.catch_up else 'false'}", "AccuracySec=1s"]
    lines += ["", "[Install]", "WantedBy=timers.target"]
    return "\n".join(lines) + "\n"


def _command(task: Task) -> str:
    """The command line; systemd takes no program whose own name holds quotes, ``$`` or a backslash, env does."""
    words = task.command
    if set(words[0]) & set("'\"$\\"):
        words = ("/usr/bin/env", *words)
    return " ".join(map(quoted, words))


def quoted(text: str) -> str:
    """A word of a command line of systemd, which fills in ``%`` and ``$`` also between quotes."""
    plain = text.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./$-]+", plain, re.ASCII):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def on_calendar(task: Task) -> list[str]:
    """The schedule in systemd's words; one of the lines is enough for it to be due.

    Raises:
        ConfigurationError: systemd cannot say it.
    """
    calendar = calendar_of(task)
    if calendar.days and not calendar.either and any(number for _, number in calendar.weekdays or ()):
        raise cannot(task, "a numbered weekday on certain days of the month")
    zone = f" {task.timezone}" if task.timezone else ""
    clock = f"{_span(calendar.hours, 24)}:{_span(calendar.minutes, 60)}:00{zone}"
    months = _span(calendar.months, 13) if calendar.months else "*"
    return [f"{weekdays}*-{months}{day} {clock}" for weekdays, day in sorted(set(_days(calendar)))]


def _days(calendar: Calendar) -> Iterator[tuple[str, str]]:
    """Days of the week, and of the month, that hold together."""
    days = [day for day in calendar.days or () if day > 0]
    written = [f"-{_span(tuple(days), 32)}"] if days else []
    written += ["~01"] if -1 in (calendar.days or ()) else []
    any_day = calendar.days is None or calendar.either
    every = ["-*"] if any_day else written
    if calendar.weekdays is not None:
        for day in every:
            yield from _on_weekdays(calendar.weekdays, day)
    if calendar.weekdays is None or (calendar.either and calendar.days is not None):
        yield from (("", day) for day in written or ["-*"])


def _on_weekdays(weekdays: tuple[tuple[int, int], ...], day: str) -> Iterator[tuple[str, str]]:
    each = [_WEEKDAYS[weekday] for weekday, number in weekdays if number == 0]
    if each:
        yield f"{','.join(each)} ", day
    for weekday, number in weekdays:
        if number > 0:
            last = min(number * 7, 31)
            yield f"{_WEEKDAYS[weekday]} ", f"-{number * 7 - 6:02}..{last:02}"
        if number < 0:
            yield f"{_WEEKDAYS[weekday]} ", "~07/1"


def _span(numbers: tuple[int, ...], end: int) -> str:
    """``*``, or numbers and ranges with commas."""
    first = 0 if end in (24, 60) else 1
    if numbers == tuple(range(first, end)):
        return "*"
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]:02}..{run[-1]:02}" if len(run) > 2 else ",".join(f"{n:02}" for n in run) for run in runs)
