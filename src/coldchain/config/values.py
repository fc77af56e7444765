"""What does a configuration say, once it is read and checked?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from coldchain.model import Place, ProofKind


class OnChange(StrEnum):
    """What happens when a file that was stored changed at the source (P5)."""

    REPLACE = "replace"
    KEEP_BOTH = "keep-both"
    REFUSE = "refuse"


class Symlinks(StrEnum):
    """What happens to symbolic links at the source; they are never followed."""

    REFUSE = "refuse"
    """Each is reported as refused: somebody decides."""
    IGNORE = "ignore"
    """They are counted as excluded."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a job sends to, and in which manner."""

    place: Place
    layout: str = "{path}"
    """The key of a file; ends in ``{path}`` and may name ``{job}`` and ``{dataset}`` before that.  ``{path}`` is the
    path below the source, or below the dataset in a layout that names ``{dataset}``."""
    marker: bool = True
    """Whether ``.coldchain/destination.json`` is kept at the destination (else only in the ledger)."""
    required: bool = True
    """An optional destination never holds the others up, and does not decide the exit code."""

    @property
    def name(self) -> str:
        """The name that the configuration gives it."""
        return self.place.name


@dataclass(frozen=True, slots=True)
class Brake:
    """When does a change look like an accident: more than ``share`` of at least ``least`` stored files changed."""

    share: float = 0.5
    least: int = 100


@dataclass(frozen=True, slots=True)
class Job:
    """One source, one instrument, the destinations, and the policy."""

    name: str
    source: Place
    destinations: tuple[Destination, ...]
    instrument: str = "files"
    datasets: str = "folders"
    """For the ``files`` instrument: ``folders`` (each top-level folder), ``whole``, or a pattern like ``*/*``."""
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    settle: timedelta = timedelta(minutes=10)
    verify: ProofKind = ProofKind.READBACK
    on_change: OnChange = OnChange.REPLACE
    digest: str = "sha256"
    symlinks: Symlinks = Symlinks.REFUSE
    brake: Brake = Brake()


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that one ``coldchain.toml`` says."""

    path: Path
    """The file, absolute."""
    state: Path
    """Folder of the ledger, the locks and the logs; default ``coldchain-state`` beside the file."""
    ledger_url: str
    """``sqlite:///<absolute path>`` or ``postgresql+psycopg://...`` (may hold a secret: never print it)."""
    jobs: Mapping[str, Job]
