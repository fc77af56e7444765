"""Do watchers live on their own, and is a second one refused?"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from coldchain.testing.oracle import read_tree
from tests.cli.conftest import Desk


def until(true: Callable[[], object]) -> None:
    ends = time.monotonic() + 40
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.1)


def carried(desk: Desk) -> bool:
    return read_tree(desk.source).items() <= read_tree(desk.near).items()


@pytest.fixture
def started(stored: Desk) -> Iterator[Desk]:
    ended = stored.type("start")
    assert (ended.code, ended.err) == (0, "")
    assert "rig: watching" in ended.out
    yield stored
    stored.type("stop")


def test_it_carries_until_it_is_stopped(started: Desk) -> None:
    (started.source / "three").mkdir()
    (started.source / "three" / "new").write_bytes(b"new")
    until(lambda: carried(started))
    assert started.type("stop", "rig").code == 0
    assert started.type("status").out == "rig  not started\n"


def test_a_second_one_is_refused_and_the_first_goes_on(started: Desk) -> None:
    assert started.type("start", "rig").code == 5
    assert started.type("status").code == 0


def test_a_job_that_cannot_be_watched_says_why(desk: Desk) -> None:
    (desk.folder / "coldchain-state").mkdir()
    (desk.folder / "coldchain-state" / "agents").write_text("no folder")
    ended = desk.type("start")
    assert ended.code == 3
    assert "could not be started" in ended.err
    assert "agents cannot be written" in ended.err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no tmux")
def test_it_survives_the_terminal_in_which_it_was_started(stored: Desk) -> None:
    tmux = ["tmux", "-L", f"coldchain-{stored.folder.name}"]
    typed = f"{sys.executable} -m coldchain start > said.txt 2>&1; echo $? > code.txt; sleep 1000"
    subprocess.run([*tmux, "-f", "/dev/null", "new-session", "-d", "-c", stored.folder, typed], check=True)
    try:
        code = stored.folder / "code.txt"
        until(lambda: code.exists() and code.read_text())
        assert code.read_text() == "0\n"
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)
    try:
        (stored.source / "one" / "later").write_bytes(b"later")
        until(lambda: carried(stored))
        assert "running since" in stored.type("status").out
    finally:
        assert stored.type("stop").code == 0
