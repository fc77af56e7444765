"""What stays on disk of a run, for those who were not there?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from coldchain.cli import session
from coldchain.cli.printing import complain, duration, name, tally
from coldchain.content.private import make_private
from coldchain.errors import ColdchainError
from coldchain.model import State

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job, Logs
    from coldchain.ledger.ledger import Ledger
    from coldchain.monitor import Monitor
    from coldchain.steps.report import DatasetReport, Report


def log_file(config: Config, job: str) -> Path:
    """Where the log of a job is; older ones lie beside it under ``.1`` (the newest), ``.2`` and so on."""
    return config.state / "logs" / f"{job}.log"


@contextmanager
def logged(config: Config, job: Job, ledger: Ledger, monitor: Monitor) -> Iterator[Monitor]:
    """Write the log of one run of a job while it goes on; yields the monitor with which it must run.

    Each line is in the file as soon as it is known: it is all there when the run is killed, and then the next run says
    so first.  Nothing that becomes of the log changes what becomes of the run.
    """
    before = ledger.runs(job.name, 1)
    killed = before[0].id if before and before[0].ended is None else 0
    log = _RunLog(_Lines(log_file(config, job.name), config.logs), job.name, monitor, killed)
    try:
        yield log
    except ColdchainError as error:
        log.run_stopped(error)
        raise
    except BaseException as error:
        log.broken_off(error)
        raise
    finally:
        log.close()


class _RunLog:
    """Listens to one run, and passes on what it hears; implements ``Monitor`` and ``Chronicler``."""

    def __init__(self, lines: _Lines, job: str, monitor: Monitor, killed: int) -> None:
        self._lines, self._job, self._monitor, self._killed = lines, job, monitor, killed
        self._report: Report | None = None
        self._unchanged = 0
        self._over = False

    @property
    def stopping(self) -> bool:
        return self._monitor.stopping

    def looked(self, files: int) -> None:
        self._monitor.looked(files)

    def planned(self, files: int, size_bytes: int) -> None:
        self._monitor.planned(files, size_bytes)

    def moved(self, size_bytes: int) -> None:
        self._monitor.moved(size_bytes)

    def finished(self, files: int) -> None:
        self._monitor.finished(files)

    def note(self, sentence: str) -> None:
        self._say("note", f"note: {name(sentence)}", {"note": sentence})
        self._monitor.note(sentence)

    def run_begun(self, report: Report) -> None:
        """Say so; and of the run before, if it never came to its end."""
        if self._killed:
            why = "did not end: it was killed, or the power failed"
            self._say("killed", why, {"run": self._killed})
        self._report = report
        self._say("begun", f"begins: {self._job} from {name(report.source)}", {"source": report.source})

    def dataset_ended(self, dataset: DatasetReport) -> None:
        """One line, unless it is as it was: a watcher looks at thousands of those every hour."""
        if not dataset.troubles and not any(lot.sent.files for lot in dataset.lots.values()):
            self._unchanged += bool(dataset.selected.files)
            return
        lots = {
            destination: {state.value: lot.tally(state).files for state in State if lot.tally(state).files}
            for destination, lot in dataset.lots.items()
        }
        told = ", ".join(
            f"{destination}: {' '.join(f'{state} {count}' for state, count in lot.items())}"
            for destination, lot in lots.items()
        )
        selected = dataset.selected
        self._say(
            "dataset",
            f"{name(dataset.name)} {selected.files} files {selected.size_bytes} bytes: {told}",
            {"dataset": dataset.name, "files": selected.files, "size_bytes": selected.size_bytes, "destinations": lots},
        )

    def run_ended(self, report: Report) -> None:
        """The last line."""
        from coldchain.cli.summary import verdict

        self._over = True
        total, took = report.selected, duration(report.duration_s)
        said = f"{tally(total)} in {took}: {verdict(report)} (exit code {report.exit_code})"
        unchanged = f"; {self._unchanged} datasets as they were" if self._unchanged else ""
        values = {"files": total.files, "size_bytes": total.size_bytes, "duration_s": round(report.duration_s, 3)}
        self._say(
            "ended",
            f"ended: {said}{unchanged}",
            values | {"exit_code": report.exit_code, "unchanged_datasets": self._unchanged},
        )

    def run_stopped(self, error: ColdchainError) -> None:
        """The last line of a run that could not begin, or go on; said once."""
        if not self._over:
            self._over = True
            why, code = str(error), error.exit_code
            self._say("stopped", f"stopped: {name(why)} (exit code {code})", {"error": why, "exit_code": code})

    def broken_off(self, error: BaseException) -> None:
        """The last line of a run that somebody or a bug broke off."""
        if not self._over:
            why = f"broken off ({type(error).__name__})"
            self._say("stopped", f"stopped: {why}", {"error": why, "exit_code": None})

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()

    def _say(self, event: str, sentence: str, values: Mapping[str, object]) -> None:
        run = values.get("run", self._report.run if self._report else None)
        stamp = session.now()
        head = {"format": "coldchain-log", "version": 1, "at": stamp.isoformat(), "job": self._job, "run": run}
        text = f"{stamp:%Y-%m-%dT%H:%M:%SZ} {f'run {run}' if run else 'no run'} {sentence}"
        self._lines.write(text, {**head, "event": event, **values})


class _Lines:
    """A file of lines that gives way to a new one when it is long; after trouble, said once, nothing is written."""

    def __init__(self, file: Path, manner: Logs) -> None:
        self._path, self._manner = file, manner
        self._file: BinaryIO | None = None
        self._size_bytes = 0
        self._broken = False

    def write(self, text: str, values: Mapping[str, object]) -> None:
        """Append a line, as text or as JSON; neither can hold a line break."""
        if self._broken:
            return
        line = (json.dumps(values) if self._manner.json else text).encode("utf-8", "backslashreplace") + b"\n"
        try:
            file = self._file or self._open()
            if self._size_bytes and self._size_bytes + len(line) > self._manner.size_bytes:
                file.close()
                self._rotate()
                file = self._open()
            file.write(line)  # in one piece, and not buffered: whoever is killed afterwards has said it
            self._size_bytes += len(line)
        except OSError as error:
            self._broken = True
            complain(f"the log {self._path} could not be written: {error.strerror or error}")

    def close(self) -> None:
        """Let go of it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> BinaryIO:
        make_private(self._path.parent)
        self._file = file = self._path.open("ab", buffering=0)
        self._size_bytes = file.tell()
        if self._size_bytes and not self._ends_whole():
            self._size_bytes += file.write(b"\n")  # a power cut left half a line, which must not spoil the next one
        return file

    def _ends_whole(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def _rotate(self) -> None:
        def old(number: int) -> Path:
            return self._path.with_name(f"{self._path.name}.{number}" if number else self._path.name)

        keep = self._manner.keep
        for number in range(keep, 0, -1):
            if old(number - 1).exists():
                old(number - 1).replace(old(number))
        if not keep:
            self._path.unlink(missing_ok=True)
