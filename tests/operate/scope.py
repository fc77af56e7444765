"""An instrument, and runs between places in memory, for the tests of whole runs that take no time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from coldchain.config.values import Brake, Destination, Job
from coldchain.instruments.base import Habits, Judge, Look
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import manifest_keys
from coldchain.ledger.manifest_read import lines_of, read_whole_manifest
from coldchain.model import Dataset, Entry, Part, Place, State, Trouble
from coldchain.monitor import SilentMonitor, Surroundings
from coldchain.operate.job import run_job
from coldchain.operate.opening import Wish
from coldchain.steps.identify import Consent
from coldchain.steps.report import Report
from coldchain.stores.base import Store
from coldchain.testing import MemoryStore
from coldchain.verdict import Condition, Verdict

NAME = "scope"
START = datetime(2026, 1, 1, tzinfo=UTC)


class Scope:
    """A microscope: every folder is a plate, which is whole once it holds DONE; a ``.part`` is cut.

    An ``x.hdr`` says that all files that begin with ``x`` are whole.
    """

    name, title = NAME, "a microscope"
    habits = Habits(settle=timedelta(0), quiet=timedelta(days=1))

    def recognise(self, paths: Sequence[str]) -> tuple[int, str]:
        return 0, ""

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        for folder in source.folders():
            if folder != ".coldchain":
                yield Dataset(folder, (Part(folder),))

    def judge(self, dataset: Dataset, look: Look) -> Judge:
        return _ScopeJudge()

    def marker(self, dataset: Dataset, path: str) -> str | None:
        if path.endswith("/DONE"):
            return ""
        return path.removesuffix("hdr") if path.endswith(".hdr") else None


class _ScopeJudge:
    def __init__(self) -> None:
        self.paths: list[str] = []

    def see(self, entry: Entry) -> None:
        self.paths.append(entry.path)

    def verdict(self) -> Verdict:
        whole = any(path.endswith("/DONE") for path in self.paths)
        cut = {path: "it is cut" for path in self.paths if path.endswith(".part")}
        condition = Condition.COMPLETE if whole and not cut else Condition.INCOMPLETE
        return Verdict(condition, f"{len(self.paths)} files", unwhole=cut)


class Shy(Scope):
    """One that is disturbed when a source is read while it acquires."""

    name = "shy"
    habits = Habits(settle=timedelta(0), undisturbed=True)


class Twice(Scope):
    """One that takes every folder for two datasets."""

    name = "twice"

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        for dataset in super().find(source, job):
            yield from (Dataset(f"{dataset.name} {number}", dataset.parts) for number in (1, 2))


class Repeats(Scope):
    """One that measures a plate more than once: "p1-2" is the second measurement of the plate p1."""

    name = "repeats"
    habits = Habits(settle=timedelta(0), fields=("plate",))

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        for dataset in super().find(source, job):
            yield dataset._replace(fields=(("plate", dataset.name.partition("-")[0]),))


INSTRUMENT = Scope()
SHY = Shy()
TWICE = Twice()
REPEATS = Repeats()


def install(folder: Path) -> Path:
    """A folder for ``sys.path`` in which a package offers this instrument."""
    info = folder / "scope-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1\n")
    points = {NAME: "INSTRUMENT", "shy": "SHY", "twice": "TWICE", "repeats": "REPEATS"}
    lines = "".join(f"{name} = {__name__}:{value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[coldchain.instruments]\n{lines}")
    return folder


class Listening(SilentMonitor):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.looks: list[int] = []
        self.plans: list[tuple[int, int]] = []
        self.ends = 0

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def looked(self, files: int) -> None:
        self.looks.append(files)

    def planned(self, files: int, size_bytes: int) -> None:
        self.plans.append((files, size_bytes))

    def finished(self, files: int) -> None:
        self.ends += files


class Bench:
    """A source and destinations in memory, and a ledger that lasts as long."""

    def __init__(self, *names: str, **job: Any) -> None:
        self.names = names or ("nas", "usb")
        serial = uuid4().hex
        self.source = MemoryStore(f"memory://{serial}-source")
        self.at = {name: MemoryStore(f"memory://{serial}-{name}") for name in self.names}
        self.optional: tuple[str, ...] = ()
        self.layout = "{path}"
        self.marker = True
        self.changes = job
        self.ledger = Ledger.empty(START)
        self.now = START
        self.monitor = Listening()

    @property
    def job(self) -> Job:
        destinations = tuple(
            Destination(Place(name, store.url), self.layout, self.marker, name not in self.optional)
            for name, store in self.at.items()
        )
        values: dict[str, Any] = {"settle": timedelta(0), "instrument": NAME, "brake": Brake(least=10**6)}
        return Job("j", Place("source", self.source.url), destinations, **(values | self.changes))

    def write(self, *paths: str, content: bytes = b"abc") -> None:
        for path in paths:
            self.source.put(path, content)

    def around(self) -> Surroundings:
        return Surroundings("pc", lambda: self.now, self.monitor, 1)

    def run(self, *datasets: str, **wish: Any) -> Report:
        """An hour after the last one; its counts are checked."""
        self.now += timedelta(hours=1)
        consent = Consent(**{"init": True} | wish.pop("consent", {}))
        report = run_job(self.job, self.ledger, Wish(consent, frozenset(datasets), **wish), self.around())
        assert not list(report.unaccounted())
        return report

    def held(self, name: str) -> list[str]:
        """The data that lie at a destination."""
        return [one.path for one in self.at[name].list(without=[".coldchain"])]

    def recorded(self, name: str) -> list[str]:
        """What the ledger says lies there."""
        return [
            record.path for dataset in self.ledger.datasets("j") for record in self.ledger.stored("j", name, dataset)
        ]

    def close(self) -> None:
        self.ledger.close()
        for store in (self.source, *self.at.values()):
            store.forget()


def troubles(report: Report) -> dict[tuple[str, str], tuple[State, str]]:
    """By path and destination: every one that the report shows."""
    shown: list[Trouble] = [trouble for dataset in report.datasets for trouble in dataset.troubles]
    return {(trouble.path, trouble.destination): (trouble.state, trouble.reason) for trouble in shown}


def manifest(bench: Bench, name: str, dataset: str) -> tuple[list[str], Condition, bool]:
    """Files, condition and seal, as a destination has them."""
    key = manifest_keys("j", dataset, "sha256")[1]
    header, _, records = read_whole_manifest(lines_of([bench.at[name].get(key)]), key)
    assert header.acquisition is not None
    return [one.path for one in records], header.acquisition.verdict.condition, header.acquisition.sealed
