"""``coldchain wrap`` at the command line."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Desk

PYTHON = sys.executable
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and shells of POSIX")


def wrapped(desk: Desk, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """As a program of its own, because the command writes to the real standard output."""
    program = [PYTHON, "-m", "coldchain", "wrap", *words]
    return subprocess.run(program, input=stdin, capture_output=True, cwd=desk.folder, check=False, timeout=60)


def python(text: str) -> list[str]:
    return ["--", PYTHON, "-c", text]


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.02)


def test_what_was_there_before_and_what_the_command_made_are_both_stored(stored: Desk) -> None:
    (stored.source / "one" / "before.tif").write_bytes(b"old")
    see_and_make = (
        "import pathlib; print(pathlib.Path('near/one/before.tif').read_bytes());"
        "pathlib.Path('source/one/after.tif').write_bytes(b'new')"
    )
    ended = wrapped(stored, "rig", *python(see_and_make))
    assert (ended.returncode, ended.stdout) == (0, f"b'old'{os.linesep}".encode())
    assert (stored.near / "one" / "after.tif").read_bytes() == b"new"
    assert ended.stderr.count(b"all verified") == 2


def test_input_output_and_status_are_the_commands_own(stored: Desk) -> None:
    echo = (
        "import sys; b = sys.stdin.buffer.read(); sys.stdout.buffer.write(b); sys.stderr.buffer.write(b); sys.exit(42)"
    )
    data = bytes(range(256)) * 1000
    ended = wrapped(stored, *python(echo), stdin=data)
    assert ended.returncode == 42
    assert ended.stdout == data
    assert data in ended.stderr


@POSIX
def test_files_that_the_shell_opened_for_the_command_stay_open(stored: Desk) -> None:
    line = f"{shlex.quote(PYTHON)} -m coldchain wrap -- sh -c 'cat <&7' 7<source/one/0.tif"
    ended = subprocess.run(["sh", "-c", line], capture_output=True, cwd=stored.folder, check=False, timeout=60)
    assert ended.stdout == (stored.source / "one" / "0.tif").read_bytes()


def test_everything_behind_the_first_two_dashes_belongs_to_the_command(stored: Desk) -> None:
    ended = wrapped(
        stored, "rig", *python("import sys; print(sys.argv[1:])"), "--", "--help", "rig", "--set", "x y", ""
    )
    assert ended.stdout.decode().strip() == "['--', '--help', 'rig', '--set', 'x y', '']"


def test_a_job_may_be_called_as_the_command_is(desk: Desk) -> None:
    text = (desk.folder / "coldchain.toml").read_text()
    desk.configure(text.replace("[jobs.rig]", "[jobs.echo]"))
    assert desk.type("init").code == 0
    ended = wrapped(desk, "echo", "--", "echo", "echo")
    assert (ended.returncode, ended.stdout.strip()) == (0, b"echo")


@pytest.mark.parametrize(("words", "times"), [(("--before",), 1), (("--after",), 1)])
def test_one_side_alone_can_be_asked_for(stored: Desk, words: tuple[str, ...], times: int) -> None:
    ended = wrapped(stored, *words, *python("import os; os.close(1); os.write(2, b'HERE')"))
    assert ended.returncode == 0
    assert ended.stderr.count(b"all verified") == times
    head, _, tail = ended.stderr.partition(b"HERE")
    assert (b"verified" in head, b"verified" in tail) == ("--after" not in words, "--before" not in words)


def test_the_command_does_not_start_when_the_backup_before_it_failed(desk: Desk) -> None:
    ended = desk.type("wrap", *python("open('started', 'w')"))
    assert ended.code == 3, "never marked"
    assert not (desk.folder / "started").exists()
    assert "was not started (--regardless starts it)" in ended.err


def test_regardless_starts_it_and_its_status_counts(desk: Desk) -> None:
    ended = desk.type("wrap", "--regardless", *python("open('started', 'w'); raise SystemExit(7)"))
    assert ended.code == 7
    assert (desk.folder / "started").exists()
    assert "failed (3)" in ended.err


BREAK = "import os; os.rename('source', 'gone')"


@pytest.mark.parametrize(
    ("words", "command", "code"),
    [((), BREAK, 0), (("--strict",), BREAK, 3), (("--strict",), f"{BREAK}; raise SystemExit(9)", 9)],
)
def test_a_backup_that_fails_afterwards_is_told_and_counts_only_when_asked(
    stored: Desk, words: tuple[str, ...], command: str, code: int
) -> None:
    ended = stored.type("wrap", *words, *python(command))
    assert ended.code == code
    assert "the backup after " in ended.err
    assert "failed (3)" in ended.err


def test_the_backup_follows_a_command_that_failed(stored: Desk) -> None:
    ended = stored.type("wrap", "--after", *python("open('source/one/half', 'w').write('x'); raise SystemExit(1)"))
    assert ended.code == 1
    assert (stored.near / "one" / "half").read_text() == "x"


@POSIX
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_command_that_a_signal_ended_is_told_as_a_shell_tells_it(stored: Desk, number: signal.Signals) -> None:
    death = f"import os; open('source/one/half', 'w').write('x'); os.kill(os.getpid(), {int(number)})"
    assert stored.type("wrap", "--after", *python(death)).code == 128 + number
    assert (stored.near / "one" / "half").read_text() == "x"


def test_a_command_that_is_not_there_is_127(stored: Desk) -> None:
    ended = stored.type("wrap", "--", "no-such-command-anywhere")
    assert (ended.code, ended.out) == (127, "")
    assert "no-such-command-anywhere could not be started: No such file" in ended.err
    assert ended.err.count("all verified") == 1


@POSIX
def test_a_command_that_cannot_be_run_is_126(stored: Desk) -> None:
    assert stored.type("wrap", "--", "./coldchain.toml").code == 126


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_passed_on_and_the_backup_follows(stored: Desk, number: signal.Signals) -> None:
    wait = f"""
import signal, sys, time, pathlib
def asked(number, frame):
    pathlib.Path("source/one/asked").write_text(str(number))
    sys.exit(5)
signal.signal({int(number)}, asked)
pathlib.Path("ready").touch()
time.sleep(60)
"""
    program = [PYTHON, "-m", "coldchain", "wrap", *python(wait)]
    # without a terminal, as under make or cron: nobody else tells the command
    with subprocess.Popen(program, cwd=stored.folder, start_new_session=True, stderr=subprocess.PIPE) as running:
        wait_for(stored.folder / "ready")
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 5, said
    assert (stored.near / "one" / "asked").read_text() == str(int(number))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rig",), "write the command after --"),
        (("rig", "--"), "write the command after --"),
        (("rigg", "--", "x"), "did you mean 'rig'?"),
        (("--before", "--after", "--", "x"), "exclude each other"),
        (("--befor", "--", "x"), "--before"),
    ],
)
def test_a_slip_of_the_finger_is_named(stored: Desk, words: tuple[str, ...], said: str) -> None:
    ended = stored.type("wrap", *words)
    assert ended.code == 2
    assert said in ended.err
    assert ended.out == ""
