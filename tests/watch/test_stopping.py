"""Does a watcher end when it is asked to, whatever it is at, and can a person do it all from a terminal?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stores.sftp.serving import Sshd, served
from tests.watch.elsewhere import Elsewhere
from tests.watch.lab import Lab, until

MB = 1_000_000


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    yield from served(tmp_path / "sshd")


def slow(folder: Path, server: Sshd, size_bytes: int) -> Elsewhere:
    """One huge file, and a line that takes 5 MB a second."""
    options = "".join(f'{name} = "{value}"\n' for name, value in server.options().items())
    lab = Elsewhere(folder, url=server.url(folder / "near"), more=f'{options}bandwidth = "5 MB/s"')
    with (lab.source / "huge").open("wb") as file:
        file.truncate(size_bytes)
    return lab


def progress(lab: Lab) -> dict[str, Any]:
    agent: dict[str, Any] = json.loads(lab.type("status", "--json").stdout)["agent"]
    return agent


def stopped(lab: Lab, is_due: Callable[[dict[str, Any]], bool]) -> None:
    """Stopped at such a moment it leaves nothing that counts; `stop` itself refuses to wait for more than 10 s."""
    lab.start(phase="carrying")
    until(lambda: is_due(progress(lab)), "the moment", 90)
    ended = lab.type("stop")
    assert (ended.returncode, ended.stdout) == (0, "rig: stopped\n"), ended.stderr
    assert lab.process is not None
    assert lab.process.wait(30) in {0, 130}
    lab.process = None
    assert "huge" not in lab.stored(), "half a file under its final name"
    text = (lab.folder / "coldchain.toml").read_text()
    (lab.folder / "coldchain.toml").write_text(text.replace('bandwidth = "5 MB/s"', ""))
    lab.start()
    until(lab.is_carried, "all of it, without a limit", 120)
    lab.close()
    lab.judge()


def test_a_huge_file_that_is_under_way_is_taken_back(tmp_path: Path, sshd: Sshd) -> None:
    stopped(slow(tmp_path, sshd, 200 * MB), lambda agent: agent["bytes_done"] > 10 * MB)


@pytest.mark.faults
def test_a_huge_file_that_is_being_proved_is_taken_back(tmp_path: Path, sshd: Sshd) -> None:
    """All of it was sent, and is read back for longer than `stop` waits."""
    stopped(slow(tmp_path, sshd, 80 * MB), lambda agent: agent["bytes_done"] == 80 * MB)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no tmux")
def test_a_person_types_it_all_and_closes_the_terminal(lab: Lab) -> None:
    """start, status, a second start, the terminal is gone; in another one: status, stop, a second stop, a slip."""
    lab.write("one/first")
    first = lab.folder / "first.txt"
    with terminal(lab, first) as typed:
        assert typed("start") == 0
        assert typed("status") == 0
        assert typed("start rig") == 5
    lab.write("one/second")
    until(lab.is_carried, "what came after the terminal was closed", 60)
    with terminal(lab, lab.folder / "second.txt") as typed:
        assert typed("status") == 0
        assert typed("stop rig") == 0
        assert typed("stop rig") == 6
        assert typed("stop rigg") == 2
        assert typed("status") == 0
    said = first.read_text()
    assert "running since" in said
    assert "is watched already" in said
    assert "not started" in (lab.folder / "second.txt").read_text()
    lab.judge()


class terminal:  # noqa: N801 - it reads as what it is
    """A real terminal in which a shell runs; what is typed is said into a file, and its exit code is heard."""

    def __init__(self, lab: Lab, said: Path) -> None:
        self._lab, self._said = lab, said
        self._tmux = ["tmux", "-L", f"coldchain-{os.getpid()}-{said.stem}"]
        self._number = 0

    def __enter__(self) -> Callable[[str], int]:
        shell = ["new-session", "-d", "-c", str(self._lab.folder), "sh"]
        subprocess.run([*self._tmux, "-f", "/dev/null", *shell], check=True)
        return self._type

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=True)

    def _type(self, words: str) -> int:
        self._number += 1
        code = self._lab.folder / f"{self._said.stem}-{self._number}"
        line = f"{sys.executable} -m coldchain {words} >> {self._said} 2>&1; echo $? > {code}"
        subprocess.run([*self._tmux, "send-keys", line, "Enter"], check=True)
        until(lambda: code.exists() and code.read_text().endswith("\n"), words, 90)
        return int(code.read_text())
