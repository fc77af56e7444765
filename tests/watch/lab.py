"""A source that is written to, a watcher that is a program of its own, and the oracle."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coldchain.config.read import read_config
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.messages import Fate
from coldchain.ledger.runs import RunRow
from coldchain.testing.oracle import Evidence, read_tree, violations

COLDCHAIN = (sys.executable, "-m", "coldchain")


def until(true: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait for something; the deadline is generous, since the machine may be busy."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, f"not in {seconds:g} s: {what}"
        time.sleep(0.05)


class Lab:
    """One job ``rig``; ``start`` and ``kill`` are the watcher."""

    def __init__(
        self, folder: Path, destinations: tuple[str, ...] = ("near",), *, wrap: tuple[str, ...] = (), **job: str
    ) -> None:
        """``wrap`` comes before each command line."""
        self.folder, self.source, self._wrap = folder, folder / "source", wrap
        self.source.mkdir(exist_ok=True)
        self.at = {name: folder / name for name in destinations}
        said = {"settle": "1 s", **job}
        for root in self.at.values():
            root.mkdir(exist_ok=True)
        (folder / "coldchain.toml").write_text(self.configure(said))
        made = self.type("init", "rig")
        assert made.returncode == 0, made.stderr
        self._said = folder / "said.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, said: dict[str, str]) -> str:
        """The text of the configuration."""
        lines = ["version = 1", "[jobs.rig]", 'source = "source"', f"destinations = {list(self.at)!r}"]
        lines += [f'{key} = "{value}"' for key, value in said.items()]
        for name in self.at:
            lines += [f"[destinations.{name}]", f'url = "{name}"']
        return "\n".join(lines).replace("'", '"') + "\n"

    def here(self) -> dict[str, str]:
        """Path -> SHA-256 of what lies at the source."""
        return read_tree(self.source)

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The ledger, to look at."""
        config = read_config(self.folder / "coldchain.toml", os.environ)
        with Ledger.open(config.ledger_url, now=datetime.now(UTC)) as ledger:
            yield ledger

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        with self.ledger() as ledger:
            return ledger.runs("rig", 1000)

    def waiting_messages(self) -> int:
        """How many messages wait to be sent."""
        with self.ledger() as ledger:
            return ledger.count_messages(Fate.WAITING)

    def age_the_last_run(self, age: timedelta) -> None:
        """Let the runs have been so long ago, as if the machine had been off since."""
        with sqlite3.connect(self.folder / "coldchain-state" / "ledger.sqlite") as connection:
            moved = age // timedelta(microseconds=1)
            connection.execute("UPDATE runs SET started_us = started_us - ?, ended_us = ended_us - ?", (moved, moved))
        connection.close()

    def type(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._wrap, *COLDCHAIN, *words], cwd=self.folder, capture_output=True, text=True, check=False, timeout=120
        )

    def start(self, *options: str, phase: str = "waiting") -> None:
        with self._said.open("ab") as said:
            words = [*self._wrap, *COLDCHAIN, "watch", "rig", *options]
            self.process = subprocess.Popen(words, cwd=self.folder, stdout=said, stderr=said)
        state = self.folder / "coldchain-state" / "agents" / "rig.json"
        pid = f'"pid": {self.process.pid},'
        until(
            lambda: state.exists() and pid in state.read_text() and f'"phase": "{phase}"' in state.read_text(),
            "start",
            60,
        )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def close(self) -> None:
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(30) == 0, self.said
            self.process = None

    @property
    def said(self) -> str:
        return self._said.read_text(errors="replace")

    def write(self, path: str, content: bytes = b"x") -> None:
        file = self.source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def stored(self, name: str = "near") -> dict[str, str]:
        return {key: digest for key, digest in read_tree(self.at[name]).items() if not key.startswith(".coldchain/")}

    def is_carried(self) -> bool:
        """Whether everything that is at the source is at each destination."""
        here = read_tree(self.source)
        return all(here.items() <= self.stored(name).items() for name in self.at)

    def judge(self, history: dict[str, set[str]] | None = None, *, given_up: dict[str, set[str]] | None = None) -> None:
        """What the oracle says, once all is at rest; a last run must have nothing to send, and say that all is well."""
        here = read_tree(self.source)
        ends = time.monotonic() + 60
        while (ended := self.type("run", "rig")).returncode == 5:  # the watcher is looking right now
            assert time.monotonic() < ends, ended.stderr
            time.sleep(0.2)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "in this run" not in ended.stdout
        known = history if history is not None else {path: {digest} for path, digest in here.items()}
        evidence = Evidence(
            known, self.source, self.at, [(path, "", "verified") for path in here], 0, given_up=given_up or {}
        )
        assert not (found := violations(evidence)), found[:5]
