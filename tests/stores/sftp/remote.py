"""What is a fault test given whose destination lies on a server of this computer?

The server's own disk is what the oracle looks at.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from coldchain.testing.oracle import Evidence, violations
from tests.faults.world import COLDCHAIN, Ended, World

TIMEOUT_S = 60
_LEFTOVER = re.compile(r"\.~[0-9a-z]*-[0-9a-f]{8}\.coldchain")


class Remote(World):
    """``url`` and ``options`` say how coldchain reaches the folder ``root``."""

    def __init__(self, folder: Path, root: Path, url: str, options: Mapping[str, str]) -> None:
        self.url, self.options = url, dict(options)
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, at={"nas": root})

    def configure(self, job: str = "", **destination: str) -> None:
        lines = ["version = 1", "[jobs.j]", f"source = '{self.source}'", 'destinations = ["nas"]', 'settle = "0 s"']
        lines += ['datasets = "whole"', job, "[destinations.nas]", f"url = '{self.url}'"]
        lines += [f"{name} = {json.dumps(value)}" for name, value in self.options.items()]
        self.file = self.folder / "coldchain.toml"
        self.file.write_text("\n".join([*lines, destination.get("nas", "")]) + "\n")

    @property
    def nas(self) -> Path:
        return self.at["nas"]

    def acquire(self, files: int, size_bytes: int, name: str = "small") -> None:
        """Files of one size; no two hold the same."""
        for number in range(files):
            self.write(f"run/{name}{number:04}.tif", os.urandom(size_bytes))

    def started(self, *, wrap: Collection[str] = ()) -> subprocess.Popen[str]:
        """A run by the command line, under way."""
        call = [*wrap, *COLDCHAIN, "run", "j", "--init", "--config", str(self.file)]
        return subprocess.Popen(
            call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", cwd=self.folder
        )

    def finished(self, process: subprocess.Popen[str]) -> Ended:
        """Wait for it."""
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        assert "Traceback" not in out + err, err
        return self.ended(process.returncode, f"{out}{err}")

    def on_its_way(self) -> list[Path]:
        """The temporary files on the server's disk."""
        return [Path(top, name) for top, _, names in os.walk(self.nas) for name in names if _LEFTOVER.fullmatch(name)]

    def judge_broken(self, ended: Ended) -> None:
        """As ``judge``, but where the server has gone away nobody can have removed what was on its way."""
        evidence = Evidence(
            history=self.history,
            source=self.source,
            destinations=self.at,
            report=self.told(ended),
            exit_code=ended.code,
            strangers=self.strangers,
        )
        wrong = [one for one in violations(evidence) if not ("leftover" in one and _LEFTOVER.search(one))]
        assert not wrong, (wrong, ended.said)

    def converges(self, *, wrap: Collection[str] = ()) -> None:
        """The next run finishes the work, leaves nothing, and the one after it has nothing to do."""
        ended = self.finished(self.started(wrap=wrap))
        assert ended.code == 0, ended.said
        self.judge(ended)
        assert self.on_its_way() == []
        standing = {path: path.stat().st_ino for path in self.nas.glob("run/*")}
        self.judge(self.finished(self.started(wrap=wrap)))
        assert {path: path.stat().st_ino for path in self.nas.glob("run/*")} == standing, "it was sent twice"


def reasons_of(ended: Ended) -> set[str]:
    return {reason for _, reason in ended.troubles.values()}


def eventually(true: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until something is so, while the process still runs."""
    until = time.monotonic() + TIMEOUT_S
    while not _holds(true):
        assert time.monotonic() < until
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.002)


def _holds(true: Callable[[], object]) -> bool:
    with suppress(FileNotFoundError):
        return bool(true())
    return False


@contextmanager
def small_disk(folder: Path, *options: str) -> Iterator[Path]:
    """A file system of its own."""
    folder.mkdir(parents=True)
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def grow(disk: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)


def rot(file: Path) -> None:
    """One bit flips on the medium; size and mtime stay."""
    before = file.stat()
    with file.open("r+b") as content:
        content.seek(before.st_size // 2)
        byte = content.read(1)
        content.seek(before.st_size // 2)
        content.write(bytes([byte[0] ^ 1]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
