"""A source, destinations, a ledger and a history that the test wrote: what the fault tests act upon."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coldchain.config.read import read_config
from coldchain.config.values import Config, Job
from coldchain.errors import ColdchainError
from coldchain.ledger.ledger import Ledger
from coldchain.model import Send, State
from coldchain.monitor import SILENT, Monitor, Surroundings
from coldchain.operate.check import CheckReport, Extent, check_job
from coldchain.operate.job import run_job
from coldchain.operate.opening import Wish, opened
from coldchain.operate.planning import make_draft
from coldchain.operate.rebuild import rebuild_job
from coldchain.steps.identify import Consent
from coldchain.steps.recollect import RebuildReport
from coldchain.steps.report import Report
from coldchain.testing.oracle import Evidence, read_tree, violations

COLDCHAIN = (sys.executable, "-m", "coldchain")
HOST = platform.node() or "unknown"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    report: Report | None
    error: ColdchainError | None
    troubles: Mapping[tuple[str, str], tuple[State, str]]
    """(path, destination) -> state and reason of what is not verified."""

    @property
    def said(self) -> str:
        return f"exit {self.code}: {self.error or dict(self.troubles)} {self.report.notes if self.report else ''}"


class World:
    """All paths are below ``folder``; ``write`` and its like keep the history for the oracle."""

    def __init__(
        self,
        folder: Path,
        destinations: Iterable[str] = ("nas",),
        *,
        source: Path | None = None,
        at: Mapping[str, Path] | None = None,
        job: str = "",
        host: str = HOST,
    ) -> None:
        self.folder, self.host = folder, host
        self.source = source or folder / "source"
        self.at = {name: (at or {}).get(name, folder / name) for name in destinations}
        for root in (self.source, *self.at.values()):
            root.mkdir(parents=True, exist_ok=True)
        self.history: dict[str, set[str]] = {}
        self.kept: dict[str, set[str]] = {}
        """Contents that must be found again whatever happens at the source."""
        self.strangers: dict[str, dict[str, str]] = {name: {} for name in self.at}
        self.monitor: Monitor = SILENT
        self.optional: tuple[str, ...] = ()
        self.now = datetime.now(UTC)
        self.configure(job)

    # --- the configuration -----------------------------------------------------------------------------------------

    def configure(self, job: str = "", **destination: str) -> None:
        """Write coldchain.toml; ``job`` and the values of ``destination`` are further lines."""
        lines = ["version = 1", "[jobs.j]", f"source = '{self.source}'", f"destinations = {list(self.at)}"]
        if "settle" not in job:
            lines.append('settle = "0 s"')
        if "datasets" not in job:
            lines.append('datasets = "whole"')
        lines.append(job)
        for name, root in self.at.items():
            lines += [f"[destinations.{name}]", f"url = '{root}'", destination.get(name, "")]
        self.file = self.folder / "coldchain.toml"
        self.file.write_text("\n".join(lines))

    @property
    def config(self) -> Config:
        return read_config(self.file, {})

    @property
    def job(self) -> Job:
        return self.config.jobs["j"]

    @property
    def ledger_file(self) -> Path:
        return self.config.state / "ledger.sqlite"

    # --- what the instrument and other people do -------------------------------------------------------------------

    def write(self, path: str, content: bytes, *, mtime_ns: int | None = None) -> Path:
        file = self.source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        if mtime_ns is not None:
            os.utime(file, ns=(mtime_ns, mtime_ns))
        self.knows(path, content)
        return file

    def knows(self, path: str, *contents: bytes) -> None:
        """Such a content stood at the source."""
        self.history.setdefault(path, set()).update(map(sha256, contents))

    def put(self, destination: str, key: str, content: bytes) -> Path:
        """Another person's file at a destination."""
        file = self.at[destination] / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.strangers[destination][key] = sha256(content)
        return file

    # --- what coldchain does ---------------------------------------------------------------------------------------

    def around(self) -> Surroundings:
        return Surroundings(self.host, lambda: self.now, self.monitor)

    def ledger(self) -> Ledger:
        return Ledger.open(self.config.ledger_url, now=self.now)

    def run(self, job: Job | None = None, *, init: bool = True, consent: Consent | None = None) -> Ended:
        """A run in this process."""
        report: Report | None = None
        raised: ColdchainError | None = None
        with self.ledger() as ledger:
            before = ledger.head()[0]
            try:
                report = run_job(job or self.job, ledger, Wish(consent or Consent(init=init)), self.around())
            except ColdchainError as error:
                raised = error
            assert ledger.head()[0] >= before
            assert report is None or not list(report.unaccounted()), list(report.unaccounted())
            code = report.exit_code if report else raised.exit_code if raised else 1
            return Ended(code, report, raised, self._troubles(ledger, report))

    @staticmethod
    def _troubles(ledger: Ledger, report: Report | None) -> dict[tuple[str, str], tuple[State, str]]:
        listed = [trouble for _, trouble in ledger.troubles(report.run)] if report else []
        found = {(trouble.path, trouble.destination): (trouble.state, trouble.reason) for trouble in listed}
        assert len(found) == len(listed), f"a file ended in two states: {listed}"
        return found

    def command(self, *words: str | Path, wrap: Collection[str] = ()) -> subprocess.CompletedProcess[str]:
        """The command line, in a process of its own; ``wrap`` comes before it."""
        call = [*wrap, *COLDCHAIN, *map(str, words), "--config", str(self.file)]
        return subprocess.run(call, capture_output=True, text=True, check=False, timeout=120, cwd=self.folder)

    def run_command(self, *words: str, wrap: Collection[str] = ()) -> Ended:
        """A run by the command line; what it says of each file is in the ledger."""
        done = self.command("run", "j", "--init", *words, wrap=wrap)
        return self.ended(done.returncode, done.stderr)

    def ended(self, code: int, said: str) -> Ended:
        """How a run of the command line ended that was started in some other way."""
        with self.ledger() as ledger:
            rows = ledger.runs("j", 1)
            troubles = {
                (trouble.path, trouble.destination): (trouble.state, trouble.reason)
                for _, trouble in (ledger.troubles(rows[0].id) if rows else ())
            }
        self.now = max(self.now, datetime.now(UTC))
        error = ColdchainError(said) if code and not troubles else None
        return Ended(code, None, error, troubles)

    def check(self, *, repair: bool = False, job: Job | None = None) -> CheckReport:
        with self.ledger() as ledger:
            extent = Extent(repair=repair)
            report = check_job(job or self.job, ledger, extent, Wish(command="check"), self.around())
        self.adopt_set_aside()
        return report

    def adopt_set_aside(self) -> None:
        """What a repair moved out of the way is kept, and belongs to nobody's history."""
        for name, root in self.at.items():
            aside = root / ".coldchain" / "set-aside"
            found = read_tree(aside)
            self.strangers[name].update({f".coldchain/set-aside/{key}": value for key, value in found.items()})

    def rebuild(self, *, quick: bool = False) -> RebuildReport:
        with self.ledger() as ledger:
            return rebuild_job(self.job, ledger, self.around(), quick=quick)

    def to_send(self, job: Job | None = None) -> set[tuple[str, str]]:
        """What a run would now read: (path, destination)."""
        with self.ledger() as ledger, opened(job or self.job, ledger, Wish(), self.around()) as opened_job:
            draft = make_draft(opened_job, ledger, Wish(), self.around())
            sends = [action for _, action in draft.actions() if isinstance(action, Send)]
            draft.close()
        return {(send.entry.path, target.destination) for send in sends for target in send.targets}

    def later(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    # --- the judgement ---------------------------------------------------------------------------------------------

    def told(self, ended: Ended) -> list[tuple[str, str, str]]:
        """(path, destination, state): all that stands at the source and is not in trouble is said to be verified."""
        paths = set(read_tree(self.source)) | {path for path, _ in ended.troubles}
        if ended.error is not None and not ended.troubles:
            return [(path, "", "failed") for path in paths] or [("", "", "failed")]
        return [
            (path, name, str(ended.troubles[path, name][0]) if (path, name) in ended.troubles else "verified")
            for path in paths
            for name in self.at
            if not path.endswith("/")
        ]

    def judge(self, ended: Ended, *, at_rest: bool = True, lost: Mapping[str, Collection[str]] | None = None) -> None:
        """Ask the oracle; ``lost`` allows contents to be gone; without it only those in ``kept`` must be there."""
        given_up = lost if lost is not None else {p: c - self.kept.get(p, set()) for p, c in self.history.items()}
        self.adopt_set_aside()
        evidence = Evidence(
            history=self.history,
            source=self.source,
            destinations=self.at,
            report=self.told(ended),
            exit_code=ended.code,
            given_up=given_up,
            strangers=self.strangers,
            optional=self.optional,
            source_at_rest=at_rest,
        )
        assert not violations(evidence), (violations(evidence), ended.said)
        with self.ledger() as ledger:
            chain = ledger.verify_chain()
            assert chain.first_broken is None, chain

    def verify_manifests(self) -> None:
        """As anybody would: sha256sum -c."""
        for root in self.at.values():
            for sums in sorted((root / ".coldchain" / "manifests").rglob("*.sha256")):
                command = ["sha256sum", "--quiet", "-c", str(sums)]
                done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
                assert done.returncode == 0, (sums, done.stdout, done.stderr)

    def leftovers(self) -> list[Path]:
        found = []
        for root in (self.source, *self.at.values()):
            found += [Path(top, name) for top, _, names in os.walk(root) for name in names if name.startswith(".~")]
        return found


def with_host(world: World, host: str) -> World:
    """The same places seen by another host, which has a ledger of its own."""
    (world.folder / host).mkdir()
    other = World(world.folder / host, (), source=world.source)
    other.at, other.host = world.at, host
    other.history, other.kept, other.strangers = world.history, world.kept, world.strangers
    other.configure()
    return other


def replaced(job: Job, **values: object) -> Job:
    return replace(job, **values)  # type: ignore[arg-type]
