"""What holds for every command?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Desk

COMMANDS = (
    "init", "doctor", "plan", "run", "list", "why", "check", "restore", "history", "report", "rebuild", "simulate",
)  # fmt: skip
HEAVY = ("sqlalchemy", "alembic", "pydantic", "rich.progress", "coldchain.ledger.ledger", "coldchain.operate.job")


def test_the_help_fits_a_screen_and_names_every_command(blank: Desk) -> None:
    ended = blank.type("--help")
    lines = ended.out.splitlines()
    assert ended.code == 0
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 80
    for command in COMMANDS:
        assert any(line.startswith(f"  {command} ") and not line.endswith("...") for line in lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_fits_a_screen_and_has_an_example(blank: Desk, command: str) -> None:
    lines = blank.type(command, "--help").out.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    example = next(number for number, line in enumerate(lines) if line.strip() in {"Example:", "Examples:"})
    assert lines[example + 1].startswith(f"    coldchain {command} ")


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"""
import sys
sys.argv = ["coldchain", "--help"]
from coldchain.cli.main import main
try:
    main()
except SystemExit:
    pass
print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stderr.strip() == "[]"


def test_no_command_at_all_shows_the_help(blank: Desk) -> None:
    ended = blank.type()
    assert ended.code == 2
    assert ended.out.startswith("Usage: coldchain")


def test_a_misspelt_command_is_answered_with_the_nearest(blank: Desk) -> None:
    ended = blank.type("restor")
    assert ended.code == 2
    assert "Did you mean 'restore'" in ended.err


@pytest.mark.parametrize("command", ["doctor", "plan", "run", "list", "check", "history", "report", "rebuild"])
def test_without_a_configuration_every_command_says_how_to_get_one(blank: Desk, command: str) -> None:
    ended = blank.type(command)
    assert (ended.code, ended.out) == (2, "")
    assert "coldchain init" in ended.err
    assert not list(blank.folder.iterdir())


@pytest.mark.parametrize("command", ["doctor", "plan", "run", "list", "check", "history", "report", "rebuild"])
def test_json_is_json_lines_and_nothing_else(stored: Desk, command: str) -> None:
    (stored.source / "one" / "new.tif").write_bytes(b"new")
    assert stored.type(command, "--json").objects


def test_a_misspelt_key_in_the_file_is_named_with_the_nearest(desk: Desk) -> None:
    text = (desk.folder / "coldchain.toml").read_text(encoding="utf-8")
    desk.configure(text.replace("settle =", "setle ="))
    ended = desk.type("plan")
    assert ended.code == 2
    assert "coldchain.toml" in ended.err
    assert "did you mean 'settle'?" in ended.err


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_a_reader_that_goes_away_ends_the_command_quietly(desk: Desk) -> None:
    for number in range(3000):
        (desk.source / "one" / f"{number:04}.txt").touch()
    assert desk.type("init").code == 0
    plan = desk.start("plan")
    assert plan.stdout is not None
    assert plan.stderr is not None
    plan.stdout.readline()
    plan.stdout.close()
    said = plan.stderr.read()
    plan.stderr.close()
    assert plan.wait(timeout=60) == 141
    assert said == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux")
def test_output_that_cannot_be_written_is_no_success_and_no_bug(stored: Desk) -> None:
    with open("/dev/full", "wb") as full:
        command = stored.start("list", stdout=full)
        _, said = command.communicate(timeout=60)
    assert command.returncode == 3
    assert b"while writing the output" in said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locale")
def test_a_name_is_the_same_name_under_every_locale(desk: Desk) -> None:
    (desk.source / "one" / "Müller.tif").write_bytes(b"x")
    assert desk.type("run", "--init").code == 0
    strange = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    run = desk.start("run", "--json", env=strange)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, (out, err)
    assert b'"sent": {"files": 0' in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_the_names_of_commands(tmp_path: Path, shell: str) -> None:
    asked = {
        "_COLDCHAIN_COMPLETE": f"complete_{shell}", "COMP_WORDS": "coldchain re", "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "coldchain re", "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }  # fmt: skip
    program = [
        sys.executable,
        "-c",
        "import sys; sys.argv[0] = 'coldchain'; from coldchain.cli.main import main; main()",
    ]
    done = subprocess.run(program, env=os.environ | asked, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert all(command in done.stdout for command in ("restore", "report", "rebuild"))
    assert "doctor" not in done.stdout
