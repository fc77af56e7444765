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


class Incomplete(StrEnum):
    """What happens to a dataset that its instrument does not call complete."""

    SEND = "send"
    """What is whole is carried, file by file; what is not is held."""
    WAIT = "wait"
    """Nothing of it is carried until it is complete."""
    FLAG = "flag"
    """Everything is carried, what is not whole too, and said to be so."""


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
    """The key of a file; ends in ``{path}`` and may name ``{job}``, ``{dataset}``, ``{part}`` and what the instrument
    knows of a dataset before that.  ``{path}`` is the path below the source, or below the dataset in a layout that
    names it."""
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
    datasets: str = ""
    """What one dataset is, in the words of the instrument; "" for its usual one."""
    parts: tuple[str, ...] = ()
    """Only these parts of each dataset; none for all."""
    plates: tuple[str, ...] = ()
    """Only the datasets of this name, or with this plate; none for all."""
    flag: str = ""
    """The name of the file by which a rig says that a session is over; "" for none."""
    growing: tuple[str, ...] = ()
    """gitignore patterns of files that are never closed and only ever appended to: carried as long as they are."""
    incomplete: Incomplete = Incomplete.SEND
    max_open: timedelta | None = None
    """A dataset that is not complete after so long is warned of."""
    personal: bool = False
    """Whether the catalogue may hold what concerns people: operators, users, free comments."""
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    settle: timedelta | None = None
    """None: as the instrument says."""
    verify: ProofKind = ProofKind.READBACK
    on_change: OnChange | None = None
    """None: as the instrument says."""
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
