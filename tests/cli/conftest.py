"""What does a person have who types commands: a folder with an instrument's files, a keyboard, a screen?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import IO, Any

import pytest

from coldchain.cli.main import main

CONFIGURATION = """\
version = 1

[jobs.rig]
source = "source"
destinations = ["near"]
settle = "0 s"

[destinations.near]
url = "near"
"""

Screen = int | IO[bytes]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what stood on the screen."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines; every line must be an object."""
        values = [json.loads(line) for line in self.out.splitlines()]
        assert all(isinstance(value, dict) and "format" in value and "version" in value for value in values)
        return values


class Desk:
    """A folder, and a way to type commands in it."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def near(self) -> Path:
        return self.folder / "near"

    def type(self, *words: str) -> Ended:
        """Run the real command line, in this process; whatever happens, no trace of Python is shown."""
        before = sys.argv
        sys.argv = ["coldchain", *words]
        self._capture.readouterr()
        try:
            with pytest.raises(SystemExit) as left:
                main()
        finally:
            sys.argv = before
        said = self._capture.readouterr()
        ended = Ended(left.value.code if isinstance(left.value.code, int) else 0, said.out, said.err)
        assert "Traceback" not in ended.out + ended.err
        assert "bug in coldchain" not in ended.err
        assert "\x1b" not in ended.out + ended.err
        return ended

    def start(
        self, *words: str, stdout: Screen = PIPE, stderr: Screen = PIPE, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Run it as a program of its own."""
        program = [sys.executable, "-m", "coldchain", *words]
        return subprocess.Popen(program, stdout=stdout, stderr=stderr, env=env, cwd=self.folder)

    def configure(self, text: str) -> None:
        (self.folder / "coldchain.toml").write_text(text, encoding="utf-8")


@pytest.fixture
def blank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A folder without anything."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLDCHAIN_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    return Desk(tmp_path, capsys)


@pytest.fixture
def desk(blank: Desk) -> Desk:
    """A job ``rig`` with two datasets of two files; nothing is stored yet, nor marked."""
    for dataset in ("one", "two"):
        (blank.source / dataset).mkdir(parents=True)
        for number in range(2):
            (blank.source / dataset / f"{number}.tif").write_bytes(f"{dataset}{number}".encode() * 50)
    blank.configure(CONFIGURATION)
    return blank


@pytest.fixture
def stored(desk: Desk) -> Desk:
    """The same after a run."""
    assert desk.type("run", "--init").code == 0
    return desk
