"""``coldchain service`` at the command line, in a home of its own."""

from __future__ import annotations

import plistlib
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIGURATION, Desk


@pytest.fixture
def home(blank: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with nothing in it, and a PATH on which no scheduler is."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("PATH", str(home))
    blank.configure(CONFIGURATION)
    return home


def test_one_service_watches_all_jobs_and_begins_again_when_it_fails(blank: Desk, home: Path) -> None:
    ended = blank.type("service", "install", "--to", "systemd")
    assert ended.code == 3
    assert "left to do: systemctl --user enable --now coldchain-service-watch.service" in ended.out
    unit = (home / ".config/systemd/user/coldchain-service-watch.service").read_text()
    assert f"-m coldchain watch --config {blank.folder}/coldchain.toml\n" in unit
    assert "\nRestart=on-failure\n" in unit
    assert "\nRestartPreventExitStatus=2 5\n" in unit
    assert "\n[Install]\nWantedBy=default.target\n" in unit


def test_a_named_job_has_a_service_of_its_own(blank: Desk, home: Path) -> None:
    assert blank.type("service", "install", "rig", "--to", "launchd").code == 3
    file = home / "Library/LaunchAgents/org.coldchain.service-rig.plist"
    values = plistlib.loads(file.read_bytes())
    assert values["ProgramArguments"][3:5] == ["watch", "rig"]
    assert values["KeepAlive"] == {"SuccessfulExit": False}
    assert str(file) in blank.type("service", "show", "--to", "launchd").out


def test_it_is_removed_and_a_schedule_of_the_same_job_is_not(blank: Desk, home: Path) -> None:
    blank.configure(CONFIGURATION.replace('settle = "0 s"', 'schedule = "@daily"'))
    blank.type("schedule", "install", "--to", "systemd")
    blank.type("service", "install", "rig", "--to", "systemd")
    blank.type("service", "remove", "--to", "systemd")
    folder = home / ".config/systemd/user"
    assert sorted(path.name for path in folder.iterdir()) == ["coldchain-rig.service", "coldchain-rig.timer"]
    assert "no service is installed" in blank.type("service", "show", "--to", "systemd").out
    assert "nothing is installed of" in blank.type("service", "remove", "--to", "systemd").out


def test_cron_is_refused_because_it_cannot_begin_again(blank: Desk, home: Path) -> None:
    ended = blank.type("service", "install", "--to", "cron")
    assert ended.code == 2
    assert "cron cannot start a program again" in ended.err


def test_print_writes_nothing(blank: Desk, home: Path) -> None:
    ended = blank.type("service", "install", "--print", "--to", "windows", "--system")
    assert ended.code == 0
    assert "<BootTrigger>" in ended.out
    assert "<RestartOnFailure>" in ended.out
    assert list(home.iterdir()) == []
