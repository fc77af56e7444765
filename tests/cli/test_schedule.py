"""``coldchain schedule`` at the command line, in a home of its own."""

from __future__ import annotations

import os
import plistlib
import stat
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIGURATION, Desk

SCHEDULED = CONFIGURATION.replace('settle = "0 s"', 'settle = "0 s"\nschedule = "30 2 * * *"')

# A program of the test's own in the place of the system's: keeps the crontab in a file, as crontab(1) does.
CRONTAB = f"""#!{sys.executable}
import os, pathlib, sys
kept = pathlib.Path(os.environ["HOME"], "kept")
if os.path.exists(os.path.join(os.environ["HOME"], "broken")):
    sys.exit("crontab: permission denied")
if sys.argv[1] == "-l":
    if not kept.exists():
        sys.exit("no crontab for nobody")
    sys.stdout.buffer.write(kept.read_bytes())
else:
    kept.write_bytes(sys.stdin.buffer.read())
"""
RECORDER = f"""#!{sys.executable}
import os, pathlib, sys
with open(os.path.join(os.environ["HOME"], "told"), "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
"""


@pytest.fixture
def home(blank: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with nothing in it, and a PATH on which no scheduler is."""
    home = tmp_path / "the home"
    (home / "bin").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("PATH", str(home / "bin"))
    blank.configure(SCHEDULED)
    return home


def put(home: Path, name: str, text: str) -> None:
    program = home / "bin" / name
    program.write_text(text)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def all_files(home: Path) -> list[str]:
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())


def test_without_systemd_the_files_are_written_and_the_command_that_is_left_to_do_is_named(
    blank: Desk, home: Path
) -> None:
    ended = blank.type("schedule", "install", "--to", "systemd")
    assert ended.code == 3
    assert "what is left to do: systemctl --user enable --now coldchain-rig.timer" in ended.out
    units = ".config/systemd/user/coldchain-rig"
    assert all_files(home) == [f"{units}.service", f"{units}.timer"]
    assert "OnCalendar=*-*-* 02:30:00" in (home / f"{units}.timer").read_text()
    assert str(blank.folder / "coldchain.toml") in (home / f"{units}.service").read_text()


def test_systemd_is_told_and_the_same_again_changes_nothing(blank: Desk, home: Path) -> None:
    put(home, "systemctl", RECORDER)
    assert blank.type("schedule", "install").code == 0, "what is on the PATH is what this machine has"
    timer = home / ".config/systemd/user/coldchain-rig.timer"
    before = timer.stat().st_mtime_ns
    again = blank.type("schedule", "install")
    assert (again.code, again.out.count("is as it should be"), timer.stat().st_mtime_ns) == (0, 2, before)
    told = (home / "told").read_text().splitlines()
    assert told[:2] == ["--user daemon-reload", "--user enable --now coldchain-rig.timer"]


def test_remove_takes_away_what_is_ours_and_nothing_else(blank: Desk, home: Path) -> None:
    put(home, "systemctl", RECORDER)
    assert blank.type("schedule", "install").code == 0
    mine = home / ".config/systemd/user/coldchain-of-somebody.service"
    mine.write_text("[Service]\nExecStart=/bin/true\n")
    other = home / ".config/systemd/user/coldchain-other.timer"
    other.write_text("# written by coldchain schedule install for other of /elsewhere/coldchain.toml\n")
    blank.configure(CONFIGURATION)  # the schedule is gone from the configuration meanwhile
    shown = blank.type("schedule", "show")
    assert "rig: has no schedule any more, but is installed" in shown.out
    assert "for other of /elsewhere/coldchain.toml" in shown.out
    assert blank.type("schedule", "remove").code == 0
    assert all_files(home / ".config") == [f"systemd/user/{path.name}" for path in (mine, other)]
    assert "--user disable --now coldchain-rig.timer" in (home / "told").read_text()
    assert blank.type("schedule", "remove", "rig").out.startswith("rig: nothing is installed in ")


@pytest.mark.parametrize(
    ("stands", "said"),
    [
        ("[Timer]\n", "is there already, and not by coldchain; nothing was written"),
        ("# written by coldchain schedule install for rig of /other/coldchain.toml\n", "remove that first"),
    ],
)
def test_what_stands_there_is_never_overwritten(blank: Desk, home: Path, stands: str, said: str) -> None:
    timer = home / ".config/systemd/user/coldchain-rig.timer"
    timer.parent.mkdir(parents=True)
    timer.write_text(stands)
    ended = blank.type("schedule", "install", "--to", "systemd")
    assert ended.code == 2
    assert said in ended.err
    assert timer.read_text() == stands
    assert [path.name for path in timer.parent.iterdir()] == [timer.name]


def test_a_crontab_keeps_everything_else_byte_by_byte(blank: Desk, home: Path) -> None:
    put(home, "crontab", CRONTAB)
    others = b"MAILTO=me\n5 4 * * * echo \xff %d\n"
    (home / "kept").write_bytes(others)
    for _ in range(2):
        assert blank.type("schedule", "install").code == 0
    kept = (home / "kept").read_bytes()
    assert kept.startswith(others)
    assert kept.count(b"\n30 2 * * * cd ") == 1
    assert "  crontab" in blank.type("schedule", "show").out
    assert blank.type("schedule", "remove").code == 0
    assert (home / "kept").read_bytes() == others


def test_a_crontab_that_cannot_be_read_is_not_written(blank: Desk, home: Path) -> None:
    put(home, "crontab", CRONTAB)
    (home / "kept").write_bytes(b"0 0 * * * precious\n")
    (home / "broken").touch()
    ended = blank.type("schedule", "install")
    assert ended.code == 2
    assert "cannot be read, so it was not touched: crontab: permission denied" in ended.err
    assert (home / "kept").read_bytes() == b"0 0 * * * precious\n"


@pytest.mark.parametrize("target", ["systemd", "cron", "launchd", "windows"])
def test_print_writes_nothing(blank: Desk, home: Path, target: str) -> None:
    ended = blank.type("schedule", "install", "--print", "--to", target)
    assert (ended.code, ended.err) == (0, "")
    assert str(blank.folder / "coldchain.toml") in ended.out
    assert all_files(home) == []
    assert [path.name for path in blank.folder.iterdir()] == ["the home", "coldchain.toml"] or not (
        blank.folder / "coldchain-state"
    ).exists()


@pytest.mark.parametrize(("target", "where"), [("launchd", "Library/LaunchAgents"), ("windows", "")])
def test_the_others_can_be_installed_and_removed(blank: Desk, home: Path, target: str, where: str) -> None:
    put(home, "launchctl", RECORDER)
    put(home, "schtasks", RECORDER)
    folder = home / where if where else blank.folder / "coldchain-state" / "schedules"
    assert blank.type("schedule", "install", "--to", target).code == 0
    (file,) = folder.iterdir()
    if target == "launchd":
        assert plistlib.loads(file.read_bytes())["StartCalendarInterval"] == [{"Hour": 2, "Minute": 30}]
    assert str(file) in blank.type("schedule", "show", "--to", target).out
    assert blank.type("schedule", "remove", "--to", target).code == 0
    assert list(folder.iterdir()) == []
    assert len((home / "told").read_text().splitlines()) == 2


def test_show_names_the_next_times(blank: Desk, home: Path) -> None:
    shown = blank.type("schedule", "show", "--to", "cron")
    assert shown.code == 0
    assert "rig: At 02:30 every day (the time of this machine); next 2" in shown.out
    assert "not installed (cron): coldchain schedule install rig" in shown.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("install", "rigg"), "did you mean 'rig'?"),
        (("instal",), "install"),
        (("install", "--to", "at"), "systemd"),
        (("install", "--limit", "8"), "is no duration"),
        (("install", "--to", "cron", "--system"), "cron has no --system"),
        (("install", "--set", "jobs.rig.settle=1 s"), "holds for once"),
    ],
)
def test_a_slip_of_the_finger_is_named(blank: Desk, home: Path, words: tuple[str, ...], said: str) -> None:
    ended = blank.type("schedule", *words)
    assert ended.code == 2
    assert said in ended.err
    assert all_files(home) == []


def test_a_job_without_a_schedule_is_named(blank: Desk, home: Path) -> None:
    blank.configure(CONFIGURATION)
    assert "[jobs.rig] has no schedule" in blank.type("schedule", "install", "rig").err
    assert "no job has a schedule" in blank.type("schedule", "install").err
    assert os.listdir(home) == ["bin"]
