"""What do the tests of the promises share: a laboratory with an instrument's folder, destinations, and coldchain."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from coldchain.config.values import Destination, Job
from coldchain.ledger.ledger import Ledger
from coldchain.model import Place, Record
from coldchain.monitor import SILENT, Monitor, SilentMonitor, Surroundings
from coldchain.operate.job import run_job
from coldchain.operate.opening import Wish
from coldchain.steps.identify import Consent
from coldchain.steps.report import Report

COLDCHAIN = (sys.executable, "-m", "coldchain")
TIMEOUT_S = 240


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it said with --json."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]


class Lab:
    """One folder with everything in it."""

    def __init__(self, folder: Path, destinations: tuple[str, ...] = ("nas",)) -> None:
        self.folder = folder
        self.source = folder / "source"
        self.source.mkdir(parents=True)
        self.roots = {name: folder / name for name in destinations}
        for root in self.roots.values():
            root.mkdir()
        self.configure()

    @property
    def nas(self) -> Path:
        return self.roots["nas"]

    @property
    def state(self) -> Path:
        return self.folder / "coldchain-state"

    @property
    def ledger_file(self) -> Path:
        return self.state / "ledger.sqlite"

    # --- what the instrument does ----------------------------------------------------------------------------------

    def write(self, path: str, content: bytes) -> Path:
        file = self.source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def acquire(self, number: int, *, folder: str = "run", seed: int = 1, size_bytes: int = 2000) -> None:
        drawn = random.Random(seed)
        for count in range(number):
            self.write(f"{folder}/f{count:04d}.tif", drawn.randbytes(drawn.randint(1, size_bytes)))

    # --- the command line ------------------------------------------------------------------------------------------

    def configure(
        self,
        job: Mapping[str, object] | None = None,
        destinations: Mapping[str, Mapping[str, object]] | None = None,
        more: str = "",
        name: str = "lab",
    ) -> None:
        """Write coldchain.toml; what is given goes over what every test wants."""
        values = {"source": str(self.source), "destinations": list(self.roots), "settle": "0 s"} | dict(job or {})
        lines = ["version = 1", more, f"[jobs.{name}]", *_toml(values)]
        for other, root in self.roots.items():
            lines += [f"[destinations.{other}]", *_toml({"url": str(root)} | dict((destinations or {}).get(other, {})))]
        (self.folder / "coldchain.toml").write_text("\n".join(lines) + "\n")

    def command(self, *words: str) -> list[str]:
        return [*COLDCHAIN, *words]

    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("COLDCHAIN_")}

    def cli(self, *words: str, before: tuple[str, ...] = (), env: Mapping[str, str] | None = None) -> Ran:
        done = subprocess.run(
            [*before, *self.command(*words)],
            cwd=self.folder,
            env={**self.environment(), **(env or {})},
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    @contextlib.contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """The command line while it runs; it is killed at the end of the block, if it still does."""
        with subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                yield process
            finally:
                process.kill()
                process.wait(TIMEOUT_S)

    def ready(self) -> Ran:
        """The first run, which must go well."""
        done = self.cli("run", "--init")
        assert done.code == 0, done.said
        return done

    # --- the story, in this process --------------------------------------------------------------------------------

    def job(self, **values: Any) -> Job:
        destinations = tuple(Destination(Place(name, str(root))) for name, root in self.roots.items())
        job = Job("lab", Place("lab", str(self.source)), destinations, settle=timedelta(0))
        return Job(**{name: getattr(job, name) for name in Job.__slots__} | values)

    def run(
        self,
        job: Job | None = None,
        *,
        monitor: Monitor = SILENT,
        now: datetime | None = None,
        workers: int = 2,
        **consent: Any,
    ) -> Report:
        around = Surroundings("here", lambda: now or datetime.now(UTC), monitor, workers)
        wish = Wish(Consent(**{"init": True} | consent))
        with Ledger.open(f"sqlite:///{self.ledger_file}", now=around.clock()) as ledger:
            return run_job(job or self.job(), ledger, wish, around)

    # --- what lies where -------------------------------------------------------------------------------------------

    def records(self, destination: str = "nas") -> dict[str, Record]:
        """By key: what the ledger says."""
        if not self.ledger_file.exists():
            return {}
        with Ledger.open_read_only(f"sqlite:///{self.ledger_file}") as ledger:
            return {
                record.key: record
                for dataset in ledger.datasets("lab")
                for record in ledger.all_records("lab", destination, dataset)
            }

    def lose_ledger(self) -> None:
        for file in self.state.glob("ledger.sqlite*"):
            file.unlink()


class Hook(SilentMonitor):
    """Does something, once or always, while a file is being read."""

    def __init__(self, deed: Any, *, times: int = 1) -> None:
        self._deed, self._left = deed, times

    def moved(self, size_bytes: int) -> None:
        if self._left:
            self._left -= 1
            self._deed()


def _toml(values: Mapping[str, object]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in values.items()]


def data(root: Path) -> dict[str, bytes]:
    """Every data file below a folder: what is not coldchain's own."""
    found = {str(file.relative_to(root)): file for file in root.rglob("*") if file.is_file() and not file.is_symlink()}
    return {name: file.read_bytes() for name, file in found.items() if not name.startswith(".coldchain/")}


def names(root: Path, pattern: str = "*") -> list[str]:
    """The files so called, below a folder in which others may be at work: os.walk bears what vanishes, unlike rglob."""
    return sorted(
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _, found in os.walk(root)
        for name in fnmatch.filter(found, pattern)
    )


def largest_bytes(root: Path, pattern: str = "*") -> int:
    """The size of the largest of them; 0 where there is none."""
    largest = 0
    for name in names(root, pattern):
        with contextlib.suppress(FileNotFoundError):  # it has another name now
            largest = max(largest, (root / name).stat().st_size)
    return largest


def leftovers(root: Path) -> list[str]:
    return [name for name in names(root) if name.endswith(".coldchain")]


def stamps(root: Path) -> dict[str, tuple[int, ...]]:
    """Which bytes stand under each data name, and since when: inode, mtime, ctime."""
    found = {name: (root / name).stat() for name in data(root)}
    return {name: (s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for name, s in found.items()}


def snapshot(*folders: Path) -> dict[str, tuple[object, ...]]:
    """Everything that writing could change."""
    seen: dict[str, tuple[object, ...]] = {}
    for folder in folders:
        for file in [folder, *folder.rglob("*")]:
            s = file.lstat()
            content = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
            seen[str(file)] = (s.st_ino, s.st_mode, s.st_nlink, s.st_size, s.st_mtime_ns, s.st_ctime_ns, content)
    return seen


def states(report: Report, destination: str = "nas") -> dict[str, int]:
    """How many files ended in each state at one destination."""
    counts: dict[str, int] = {}
    for dataset in report.datasets:
        for state, tally in dataset.lots[destination].states.items():
            counts[state.value] = counts.get(state.value, 0) + tally.files
    return counts


def reasons(report: Report) -> dict[str, str]:
    """Why files are not verified."""
    return {t.path: f"{t.state.value}: {t.reason}" for dataset in report.datasets for t in dataset.troubles}


@contextlib.contextmanager
def writer(file: Path) -> Iterator[None]:
    """Another program that has the file open for writing."""
    text = "import sys; file = open(sys.argv[1], 'r+b'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", text, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield
        process.communicate(timeout=TIMEOUT_S)
