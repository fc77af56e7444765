"""What does a watcher leave beside its ledger, so that others see what it does?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from coldchain.content.private import make_private
from coldchain.errors import AlreadyRunning, LedgerReadOnly
from coldchain.ledger.quoting import quote_dataset
from coldchain.model import Tally

VERSION = 1
_MOMENTS = ("started", "written", "last_look", "last_success", "next_look")


@dataclass(frozen=True, slots=True)
class AgentState:
    """One watcher, at the moment ``written``; moments are aware and UTC."""

    job: str
    pid: int
    host: str
    version: str
    """Of coldchain."""
    started: datetime
    written: datetime
    phase: str = "looking"
    """``looking``, ``carrying``, ``waiting``, ``paused`` or ``stopping``."""
    how: str = ""
    """How it hears of changes: "events", "a look every 30 s", or its schedule."""
    why: str = ""
    """Why it is paused."""
    dataset: str = ""
    """What it looks at or carries; "" for everything."""
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    backlog: Mapping[str, Tally] = field(default_factory=dict)
    """By destination: what was selected, when it was last looked at, and is not verified there."""
    held: int = 0
    """Of those the files that wait because they may still be written."""
    last_look: datetime | None = None
    last_success: datetime | None = None
    """When everything that was looked at was last verified everywhere."""
    next_look: datetime | None = None
    """At everything; hints lead to earlier ones."""
    last_error: str = ""
    down: Mapping[str, datetime] = field(default_factory=dict)
    """Destinations that cannot be used, and since when."""


def state_file(folder: Path, job: str) -> Path:
    """Where the watcher of a job leaves its state; ``folder`` is ``<state>/agents``."""
    return folder / f"{quote_dataset(job)}.json"


def stop_file(folder: Path, job: str) -> Path:
    """The file whose being there asks the watcher of a job to end."""
    return folder / f"{quote_dataset(job)}.stop"


def write_state(folder: Path, state: AgentState) -> None:
    """Replace the state, whole or not at all; raises OSError."""
    values = asdict(state)
    values |= {name: _text(getattr(state, name)) for name in _MOMENTS}
    values["backlog"] = {name: [tally.files, tally.size_bytes] for name, tally in state.backlog.items()}
    values["down"] = {name: since.isoformat() for name, since in state.down.items()}
    file = state_file(folder, state.job)
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps({"state_version": VERSION, **values}), encoding="ascii")
    beside.replace(file)


def read_states(folder: Path) -> list[AgentState]:
    """The states of all watchers that ever were started here, by job; what cannot be read is left out.

    One of a watcher that died says what it did last: ``is_alive`` tells.
    """
    found = []
    for file in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            found.append(_read(json.loads(file.read_text(encoding="ascii"))))
    return sorted(found, key=lambda state: state.job)


def is_alive(folder: Path, job: str) -> bool:
    """Whether a watcher of the job holds its lock."""
    if not _lock_file(folder, job).exists():
        return False
    lock = FileLock(_lock_file(folder, job), timeout=0, mode=0o600, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except (Timeout, OSError):
        return True
    lock.release()
    return False


@contextmanager
def agent_lock(folder: Path, job: str) -> Iterator[None]:
    """Hold the lock of a job's watcher for life; it is the system's, so death releases it.

    Not that of its runs: ``coldchain run`` works while nothing is carried.  Raises AlreadyRunning after a second, for
    somebody may just be asking whether it is held.
    """
    lock = FileLock(_lock_file(folder, job), timeout=1, mode=0o600, thread_local=False, fallback_to_soft=False)
    try:
        make_private(folder)
        lock.acquire(poll_interval=0.05)
    except Timeout:
        raise AlreadyRunning(f"job {job} is watched already; see: coldchain status {job}") from None
    except OSError as error:
        raise LedgerReadOnly(f"{folder} cannot be written ({error.strerror}): give this account the right") from error
    try:
        with suppress(OSError):
            stop_file(folder, job).unlink(missing_ok=True)
        yield
    finally:
        with suppress(OSError):
            stop_file(folder, job).unlink(missing_ok=True)
        lock.release()


def forget_state(folder: Path, job: str) -> None:
    """A watcher that ended as it was asked to leaves no state: it is not dead."""
    with suppress(OSError):
        state_file(folder, job).unlink(missing_ok=True)


def ask_to_stop(folder: Path, job: str) -> None:
    """Leave the request; raises OSError."""
    stop_file(folder, job).write_text(str(os.getpid()), encoding="ascii")


def _lock_file(folder: Path, job: str) -> Path:
    return folder / f"{quote_dataset(job)}.lock"


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _read(values: dict[str, Any]) -> AgentState:
    if values.pop("state_version") != VERSION:
        raise ValueError("of another version")
    values |= {name: values[name] and datetime.fromisoformat(values[name]) for name in _MOMENTS}
    values["backlog"] = {name: Tally(*pair) for name, pair in values["backlog"].items()}
    values["down"] = {name: datetime.fromisoformat(since) for name, since in values["down"].items()}
    state = AgentState(**values)
    return replace(state, pid=int(state.pid))
