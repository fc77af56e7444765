"""What shall the system run for us, and what does it need for that?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from coldchain.config.cron import parse
from coldchain.errors import ConfigurationError
from coldchain.schedules.zone import MachineZone, zone_of


@dataclass(frozen=True, slots=True)
class Task:
    """A job at its times, or (without a cron text) the watcher from boot on."""

    job: str
    """As in the configuration, or ``watch`` for the watcher of several."""
    command: tuple[str, ...]
    """The program, absolute, and its arguments."""
    config: str
    """The configuration, absolute."""
    cron: str = ""
    timezone: str = ""
    """IANA name; "" for that of the machine."""

    @property
    def name(self) -> str:
        """What it is called in the system."""
        return f"coldchain-{self.job}" if self.cron else f"coldchain-service-{self.job}"

    @property
    def mark(self) -> str:
        """By this line coldchain knows its own files again."""
        kind = "schedule" if self.cron else "service"
        return f"written by coldchain {kind} install for {self.job} of {self.config}"

    @property
    def folder(self) -> str:
        """Where it is started."""
        return str(Path(self.config).parent)


@dataclass(frozen=True, slots=True)
class Manner:
    """In which manner the system runs it; each has the settings of an instrument's own computer in mind."""

    system: bool = False
    """For the machine, not for one user."""
    only_idle: bool = False
    """Windows: only while nobody works at the computer."""
    on_battery: bool = True
    catch_up: bool = True
    """A time that was missed is made up for, once."""
    limit: timedelta | None = None
    """It is ended after so long."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is written, and which commands tell the system of it."""

    files: tuple[tuple[Path, bytes], ...]
    begin: tuple[tuple[str, ...], ...]
    """Run after the files were written, in order."""
    end: tuple[tuple[str, ...], ...]
    """Run before the files are removed."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a cron text is due, as numbers; None where everything matches."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...] | None
    days: tuple[int, ...] | None
    """Of the month; -1 is the last one."""
    weekdays: tuple[tuple[int, int], ...] | None
    """Sunday is 0; with 0 for each of a month, 1 to 5 for the first to the fifth, -1 for the last."""
    either: bool
    """With both days and weekdays: whether one of them is enough."""

    @property
    def is_plain(self) -> bool:
        """Whether numbers of days are enough for it, as Vixie's cron and launchd know them."""
        return -1 not in (self.days or ()) and all(number == 0 for _, number in self.weekdays or ())


def calendar_of(task: Task) -> Calendar:
    """Take a cron text apart.

    Raises:
        ConfigurationError: it speaks of the last weekday of a month, which no system can say.
    """
    parsed = parse(task.cron)
    days: tuple[int, ...] | None = None
    if parsed.days != set(range(1, 32)):
        if parsed.LAST_WEEKDAY in parsed.days:
            raise cannot(task, "LW (the last weekday of a month)")
        days = tuple(sorted(-1 if day == parsed.LAST else day for day in parsed.days))
    weekdays = sorted(
        {(one % 7, 0) if isinstance(one, int) else (one[0] % 7, max(one[1], -1)) for one in parsed.weekdays}
    )
    every_weekday = len([day for day, number in weekdays if number == 0]) == 7
    return Calendar(
        tuple(sorted(parsed.minutes)),
        tuple(sorted(parsed.hours)),
        None if len(parsed.months) == 12 else tuple(sorted(parsed.months)),
        days,
        None if every_weekday else tuple(weekdays),
        not parsed.day_and,
    )


def cannot(task: Task, what: str) -> ConfigurationError:
    """The refusal of a target that cannot say something."""
    return ConfigurationError(
        f"job {task.job}: schedule {task.cron!r}: {what} cannot be said there; "
        "choose another time, another --to, or coldchain start, which knows all of them"
    )


def refuse_other_zone(task: Task, now: datetime) -> None:
    """Refuse a zone that shows other times than this machine's clock, where a target knows only the latter."""
    if not task.timezone:
        return
    there, here = zone_of(task.timezone), MachineZone()
    for day in range(0, 731):
        moment = now + timedelta(days=day)
        if moment.astimezone(there).utcoffset() != moment.astimezone(here).utcoffset():
            raise cannot(task, f"the time zone {task.timezone}, which is not that of this machine,")


def refuse_unspeakable(task: Task) -> None:
    """Refuse what no line of text can hold, or what is no text."""
    for text in (*task.command, task.config):
        if not text.isprintable():
            raise ConfigurationError(
                f"{text!r} holds characters that cannot stand in the files of a scheduler; use another folder"
            )
