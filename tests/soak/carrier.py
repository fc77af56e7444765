"""How is coldchain started, killed, suspended, and asked what it did?

It runs as root without root's privilege to pass over permissions, so that a forbidden folder is one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.stores.s3.serving import KEY, SECRET

NO_OVERRIDE = "-dac_override,-dac_read_search"
COMMAND = ("setpriv", f"--bounding-set={NO_OVERRIDE}", f"--inh-caps={NO_OVERRIDE}", sys.executable, "-m", "coldchain")
LONGEST_S = 240.0
"""No command may take longer when nothing is wrong any more."""
STOP_S = 120.0
HONEST = frozenset({0, 3, 4, 5, 6, 130})
"""How a command may end while faults strike: 1 is a bug, 2 a wrong configuration, and no signal comes from itself."""


class Violation(Exception):
    """A promise was broken."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return f"{' '.join(self.words)} -> {self.code}\n{self.out[-3000:]}\n{self.err[-3000:]}"

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The JSON objects of one format that it printed."""
        lines = [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]
        return [line for line in lines if line["format"] == kind]


class Carrier:
    """The program, in one folder with its configuration."""

    def __init__(self, folder: Path, *, watches: bool) -> None:
        self._folder, self._watches = folder, watches
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0
        self.carrying = False
        """Whether it shall be started again when it ends."""
        self.ended: list[int] = []
        """The codes of all that was started aside."""
        home = folder / "home"
        home.mkdir()
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(home),
        }

    def _open(self, *words: str) -> subprocess.Popen[bytes]:
        self._count += 1
        with self._path("out").open("wb") as out, self._path("err").open("wb") as err:
            return subprocess.Popen([*COMMAND, *words], cwd=self._folder, stdout=out, stderr=err, env=self._environment)

    def _path(self, what: str) -> Path:
        return self._folder / f"said-{self._count:03}.{what}"

    def _said(self, what: str) -> str:
        return self._path(what).read_text(encoding="utf-8", errors="backslashreplace")

    def command(self, *words: str) -> Done:
        """Run a command to its end, while nothing else is started."""
        assert self._process is None
        process = self._open(*words)
        try:
            code = process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Violation(f"coldchain {' '.join(words)} does not end within {LONGEST_S:g} s") from None
        done = Done(words, code, self._said("out"), self._said("err"))
        self._insist(done)
        return done

    @staticmethod
    def _insist(done: Done) -> None:
        if done.code not in HONEST or "Traceback" in done.out + done.err:
            raise Violation(f"this is a bug: coldchain {done.said}")

    # --- aside, while faults strike ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start to carry, if nobody does."""
        self.carrying = True
        if self._process is None:
            self._process = self._open(*(("watch", "j") if self._watches else ("run", "j", "--json")))

    def look(self) -> Done | None:
        """If what was started has come to its end: how."""
        if self._process is None or self._process.poll() is None:
            return None
        done = Done(("aside",), self._process.returncode, self._said("out"), self._said("err"))
        self._process = None
        self.ended.append(done.code)
        self._insist(done)
        if self._watches:
            raise Violation(f"the watcher has ended by itself: {done.said}")
        return done

    def signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """At once."""
        self.carrying = False
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self.ended.append(self._process.returncode)
            self._process = None

    def stop(self) -> None:
        """Ask it to stop, as Ctrl-C does; it must."""
        self.carrying = False
        if self._process is None:
            return
        self.signal(signal.SIGCONT)
        until = time.monotonic() + STOP_S
        self.signal(signal.SIGTERM)
        while self._process.poll() is None:
            if time.monotonic() > until:
                self.kill()
                raise Violation(f"coldchain does not stop within {STOP_S:g} s of SIGTERM")
            time.sleep(0.05)
        done = Done(("stopped",), self._process.returncode, self._said("out"), self._said("err"))
        self._process = None
        if done.code == -signal.SIGTERM:  # it came before the program could listen
            return
        self._insist(done)
