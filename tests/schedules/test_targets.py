"""Does each scheduler get what it understands, and is it refused what it cannot say?"""

from __future__ import annotations

import plistlib
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from coldchain.errors import ConfigurationError
from coldchain.schedules import crontab, launchd, systemd, windows
from coldchain.schedules.tasks import Manner, Task
from coldchain.schedules.times import Timetable

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HARD = '/data/it\'s 100% "mine" $HOME \\ ü/coldchain.toml'
TASK = Task(
    "scope", ("/opt/my python/bin/python3", "-m", "coldchain", "run", "scope", "--config", HARD), HARD, "@daily"
)
SERVICE = replace(TASK, job="watch", cron="")

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
CRONS = (
    "30 2 * * *", "*/15 * * * *", "* * * * *", "0 0 1,15 * *", "0 0 L * *", "15 3 * * MON-FRI", "0 12 * JAN,JUL *",
    "0 0 13 * 5", "0 0 * * FRI#2", "0 0 * * 5L", "5/20 8-17 * * 1-5", "0 0 29 2 *", "0 6 1-7 * 1", "0 0 */10 * *",
)  # fmt: skip


def at(cron: str, zone: str = "UTC") -> Task:
    return replace(TASK, cron=cron, timezone=zone)


# --- systemd ----------------------------------------------------------------------------------------------------------


@needs_systemd
@pytest.mark.parametrize("cron", CRONS)
def test_systemd_itself_names_the_same_times(cron: str) -> None:
    texts = systemd.on_calendar(at(cron))
    command = ["systemd-analyze", "calendar", "--iterations=12", "--base-time=2026-03-01 12:00:00 UTC", *texts]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin"})
    found = {
        datetime.fromisoformat(one) for one in re.findall(r"\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", said.stdout)
    }
    table, moment, wanted = Timetable(cron, "UTC"), NOW, []
    for _ in range(4):
        moment = table.after(moment)
        wanted.append(moment.replace(tzinfo=None))
    assert sorted(found)[:4] == wanted, texts


@needs_systemd
@pytest.mark.parametrize("task", [TASK, SERVICE], ids=["timer", "service"])
@pytest.mark.parametrize("manner", [Manner(), Manner(system=True, on_battery=False, limit=timedelta(hours=8))])
def test_systemd_itself_calls_the_units_right(tmp_path: Path, task: Task, manner: Manner) -> None:
    folder = tmp_path / 'it\'s 100% "mine" $HOME ü'
    folder.mkdir()
    program = folder / "py thon"
    program.symlink_to("/bin/true")
    task = replace(task, command=(str(program), *task.command[1:]), config=str(folder / "coldchain.toml"))
    files = systemd.units(task, manner, tmp_path).files
    for path, content in files:
        path.write_bytes(content)
    command = ["systemd-analyze", "verify", "--man=no", *(str(path) for path, _ in files)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode, [line for line in said.stderr.splitlines() if "coldchain" in line]) == (0, [])


def test_systemd_gets_every_word_as_it_is() -> None:
    (line,) = [
        one for one in systemd.units(TASK, Manner(), Path("/x")).files[0][1].decode().splitlines() if "Exec" in one
    ]
    assert line.startswith('ExecStart="/opt/my python/bin/python3" -m coldchain run scope --config "')
    assert line.endswith('/data/it\'s 100%% \\"mine\\" $$HOME \\\\ ü/coldchain.toml"')


# --- cron -------------------------------------------------------------------------------------------------------------


def test_the_shell_of_cron_gets_every_word_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s 100% "mine" $HOME ü'
    folder.mkdir()
    task = replace(at("30 2 * * *", ""), command=("/bin/echo", HARD, "a b"), config=str(folder / "coldchain.toml"))
    line = crontab.line(task, NOW)
    assert line.startswith("30 2 * * * cd ")
    assert not re.search(r"(?<!\\)%", line)
    handed_over = line.split(" ", 5)[5].replace("\\%", "%")  # as cron does (crontab(5))
    said = subprocess.run(["/bin/sh", "-c", handed_over], capture_output=True, text=True, check=True)
    assert said.stdout == f"{HARD} a b\n"
    assert shlex.split(handed_over)[:2] == ["cd", str(folder)]


@pytest.mark.parametrize(
    ("cron", "fields"),
    [
        ("30 2 * * *", "30 2 * * *"),
        ("*/15 * * * *", "*/15 * * * *"),
        ("0 0 * JAN,JUL MON-FRI", "0 0 * 1,7 1,2,3,4,5"),
        ("5/20 8 13 * 5", "5,25,45 8 13 * 5"),
        ("@daily", "0 0 * * *"),
        ("0 0 * * 7", "0 0 * * 0"),
    ],
)
def test_cron_gets_numbers_and_stars(cron: str, fields: str) -> None:
    assert crontab.line(at(cron, ""), NOW).startswith(f"{fields} cd ")


@pytest.mark.skipif(not shutil.which("crontab"), reason="no cron")
def test_cron_itself_calls_the_lines_right(tmp_path: Path) -> None:
    text = ""
    for number, cron in enumerate(CRONS):
        try:
            text = crontab.with_block(text, replace(at(cron, ""), job=f"job-{number}"), NOW)
        except ConfigurationError:
            assert set(cron) & set("L#"), "nothing else is refused"
    file = tmp_path / "crontab"
    file.write_text(text)
    subprocess.run(["crontab", "-n", str(file)], check=True)
    file.write_text(text.replace("30 2 * * *", "30 25 * * *"))
    assert subprocess.run(["crontab", "-n", str(file)], check=False, stderr=subprocess.DEVNULL).returncode != 0


OTHERS = "MAILTO=me\n# >>> mine\n0 1 * * * x % y\n\n@reboot z"


def test_the_rest_of_a_crontab_stays_as_it_was() -> None:
    once = crontab.with_block(OTHERS, TASK, NOW)
    assert once.startswith(OTHERS + "\n# >>> written by coldchain")
    assert crontab.with_block(once, TASK, NOW) == once
    other = replace(TASK, job="scope-2")
    both = crontab.with_block(once, other, NOW)
    assert crontab.without_block(both, TASK.mark) == crontab.with_block(OTHERS + "\n", other, NOW)
    assert crontab.without_block(crontab.without_block(both, TASK.mark), other.mark) == OTHERS + "\n"


def test_lines_behind_a_block_that_lost_its_end_are_not_taken_for_ours() -> None:
    broken = crontab.with_block("", TASK, NOW).rpartition("# <<< ")[0] + "0 1 * * * mine\n"
    assert crontab.without_block(broken, TASK.mark) == broken
    again = crontab.with_block(broken, TASK, NOW)
    assert again.startswith(broken)
    assert crontab.without_block(again, TASK.mark) == broken


# --- launchd ----------------------------------------------------------------------------------------------------------


def test_launchd_gets_a_property_list_with_every_word_as_it_is() -> None:
    ((path, content),) = launchd.agent(at("30 2 1 * 5", ""), Manner(), Path("/agents"), NOW).files
    values = plistlib.loads(content)
    assert path.name == "org.coldchain.scope.plist"
    assert values["Label"] == "org.coldchain.scope"
    assert values["ProgramArguments"] == list(TASK.command)
    assert values["StartCalendarInterval"] == [
        {"Day": 1, "Hour": 2, "Minute": 30},
        {"Weekday": 5, "Hour": 2, "Minute": 30},
    ]
    assert content.startswith(b'<?xml version="1.0"')
    assert b"<!DOCTYPE plist PUBLIC" in content
    assert launchd.mark_of(content) == TASK.mark
    service = plistlib.loads(launchd.agent(SERVICE, Manner(), Path("/agents"), NOW).files[0][1])
    assert service["KeepAlive"] == {"SuccessfulExit": False}
    assert "StartCalendarInterval" not in service


@pytest.mark.parametrize(
    "content",
    [b"", b"<plist><date>x</date></plist>", b"<plist><array/></plist>", b"bplist00" + b"\xff" * 40, b"<plist><key>a"],
)
def test_a_property_list_that_makes_no_sense_is_not_ours(content: bytes) -> None:
    assert launchd.mark_of(content) == ""


def test_every_quarter_of_an_hour_is_four_times_for_launchd() -> None:
    assert launchd.intervals(at("*/15 * * * *", ""), NOW) == [{"Minute": minute} for minute in (0, 15, 30, 45)]
    assert launchd.intervals(at("* * * * *", ""), NOW) == [{}]


# --- Windows ----------------------------------------------------------------------------------------------------------

ORDER = {
    "CalendarTrigger": ["Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit", "RandomDelay"],
    "Repetition": ["Interval", "Duration", "StopAtDurationEnd"],
    "Exec": ["Command", "Arguments", "WorkingDirectory"],
    "ScheduleByMonth": ["DaysOfMonth", "Months"],
    "ScheduleByMonthDayOfWeek": ["Weeks", "DaysOfWeek", "Months"],
    "ScheduleByWeek": ["WeeksInterval", "DaysOfWeek"],
}
"""The sequences of the schema (MS-TSCH, 2.5); in the others any order is right (xs:all)."""
TOP = {"RegistrationInfo", "Triggers", "Principals", "Settings", "Actions"}


def xml_of(task: Task, manner: Manner | None = None) -> Element:
    content = windows.document(task, manner or Manner(), NOW)
    assert content[:2] in (b"\xff\xfe", b"\xfe\xff")
    root = fromstring(content.decode("utf-16").partition("?>")[2])
    assert root.tag == f"{{{windows.NAMESPACE}}}Task"
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{windows.NAMESPACE}}}")
    return root


@pytest.mark.parametrize("cron", CRONS)
def test_the_document_of_windows_keeps_the_order_of_its_schema(cron: str) -> None:
    root = xml_of(at(cron, ""))
    assert {child.tag for child in root} == TOP
    for element in root.iter():
        tags = [child.tag for child in element if not child.tag.startswith("ScheduleBy")]
        order = ORDER.get(element.tag)
        assert order is None or tags == [tag for tag in order if tag in tags]
        if element.tag == "CalendarTrigger":
            assert [child.tag.startswith("ScheduleBy") for child in element][-1:] == [True]
    assert {week.text for week in root.iter("Week")} <= {"1", "2", "3", "4", "Last"}
    triggers = root.findall("Triggers/CalendarTrigger")
    assert 0 < len(triggers) <= windows.MOST_TRIGGERS


def test_windows_has_the_settings_of_an_instruments_computer() -> None:
    settings = xml_of(at("30 2 * * *", ""), Manner(only_idle=True, on_battery=False, limit=timedelta(minutes=90)))
    said = {child.tag: child.text for child in settings.find("Settings") or ()}
    assert said["MultipleInstancesPolicy"] == "IgnoreNew"
    assert said["StartWhenAvailable"] == "true"
    assert said["RunOnlyIfIdle"] == "true"
    assert said["DisallowStartIfOnBatteries"] == said["StopIfGoingOnBatteries"] == "true"
    assert said["ExecutionTimeLimit"] == "PT1H30M"
    assert said["Hidden"] == "true"
    plain = {child.tag: child.text for child in xml_of(at("30 2 * * *", "")).find("Settings") or ()}
    assert plain["ExecutionTimeLimit"] == "PT0S", "a run is not ended after three days, which is what Windows does"
    assert plain["DisallowStartIfOnBatteries"] == plain["RunOnlyIfIdle"] == "false"


def test_windows_opens_no_window_and_gets_every_word_as_it_is() -> None:
    command = ("C:\\Program Files\\py\\python.exe", "-m", "coldchain", "--config", "D:\\my data\\100% & <ü>.toml")
    task = replace(at("30 2 * * *", ""), command=command, config=command[-1])
    root = xml_of(task)
    assert root.findtext("Actions/Exec/Command") == "C:\\Program Files\\py\\pythonw.exe"
    assert root.findtext("Actions/Exec/Arguments") == '-m coldchain --config "D:\\my data\\100% & <ü>.toml"'
    assert root.findtext("Actions/Exec/WorkingDirectory") == "D:\\my data"
    assert windows.mark_of(windows.document(task, Manner(), NOW)) == task.mark


def test_times_at_even_distances_are_one_trigger_of_windows_that_repeats() -> None:
    (all_day,) = xml_of(at("*/15 * * * *", "")).findall("Triggers/CalendarTrigger")
    assert (all_day.findtext("Repetition/Interval"), all_day.findtext("Repetition/Duration")) == ("PT15M", "PT24H")
    (by_day,) = xml_of(at("0,30 8-17 * * *", "")).findall("Triggers/CalendarTrigger")
    assert by_day.findtext("StartBoundary") == "2026-03-01T08:00:00"
    assert by_day.findtext("Repetition/Duration") == "PT9H31M", "17:30 is the last, and 18:00 is none"


# --- what cannot be said ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cron", ["0 0 LW * *", "0 0 L * *", "0 0 * * FRI#2"])
def test_what_cron_and_launchd_cannot_say_is_refused_with_the_reason(cron: str) -> None:
    for say in (crontab.line, launchd.intervals):
        with pytest.raises(ConfigurationError, match="cannot be said there; choose another time, another --to"):
            say(at(cron, ""), NOW)


def test_what_the_others_cannot_say_is_refused_too() -> None:
    with pytest.raises(ConfigurationError, match="LW"):
        systemd.on_calendar(at("0 0 LW * *"))
    with pytest.raises(ConfigurationError, match="numbered weekday"):
        systemd.on_calendar(at("0 0 */2 * FRI#2"))
    with pytest.raises(ConfigurationError, match="triggers"):
        windows.document(at("1-50 1,5,9 * * *", ""), Manner(), NOW)
    with pytest.raises(ConfigurationError, match="the fifth weekday of a month"):
        windows.document(at("0 0 * * FRI#5", ""), Manner(), NOW)
    with pytest.raises(ConfigurationError, match="a list of"):
        launchd.intervals(at("1-59 1-23 1-9 * *", ""), NOW)


def test_another_zone_is_refused_where_only_the_machines_clock_counts() -> None:
    for zone in ("Australia/Lord_Howe", "Asia/Kathmandu"):
        for say in (crontab.line, launchd.intervals):
            with pytest.raises(ConfigurationError, match=f"the time zone {zone}, which is not that of this machine"):
                say(at("30 2 * * *", zone), NOW)
        assert systemd.on_calendar(at("30 2 * * *", zone)) == [f"*-*-* 02:30:00 {zone}"]
