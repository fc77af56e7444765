"""What does a configuration say, once it is read and checked?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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


class When(StrEnum):
    """Which ends of a run are told."""

    ALWAYS = "always"
    PROBLEMS = "problems"
    CHANGE = "change"
    """A job that was well and is not, or the other way round."""


class Security(StrEnum):
    """How the line to a mail server is kept from listeners."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Mail:
    """An account of a mail server, and who is written to."""

    host: str
    sender: str
    to: tuple[str, ...]
    problems_to: tuple[str, ...] = ()
    """Those who hear of trouble, in place of ``to``; none for the same."""
    port: int = 0
    """0: the usual one of ``security``."""
    security: Security = Security.STARTTLS
    user: str = ""
    credentials: str = ""
    """``env:PREFIX`` or ``keyring:SERVICE``, as for stores; never the password itself."""


@dataclass(frozen=True, slots=True)
class Channel:
    """``[notify.NAME]``: by which ways people are told, and of what."""

    name: str
    urls: tuple[str, ...] = ()
    """Apprise URLs; may hold secrets: never print them."""
    mail: Mail | None = None
    when: When = When.ALWAYS
    digest: str = ""
    """Cron text of a summary at times, "" for none."""
    recount: bool = False
    """Whether both sides are counted again by other code, for each message of a run."""


@dataclass(frozen=True, slots=True)
class Logs:
    """``[logs]``: what stays on disk of runs."""

    json: bool = False
    """One JSON object a line, instead of text."""
    keep: int = 10
    """So many old files of each job."""
    size_bytes: int = 10 << 20
    """A file that is longer gives way to a new one."""


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
    schedule: str = ""
    """Cron text of five fields, or ``@daily`` and its like; "" for a job that is carried as files settle."""
    timezone: str = ""
    """IANA name in which ``schedule`` is meant; "" for that of the machine."""
    notify: tuple[Channel, ...] = ()
    poll: timedelta | None = None
    """How often a source without events is looked at; None: events where the file system gives them."""
    look_every: timedelta = timedelta(hours=1)
    """How often everything is looked at while the job is watched, whatever events say."""
    pause_while: tuple[str, ...] = ()
    """Names of processes (shell patterns) while which nothing is carried; the word ``acquiring`` for while a dataset
    is acquired."""
    priority: str = "low"
    """Of a watched job, for processor and disk: ``low`` or ``normal``."""
    ping: str = ""
    """URL that is asked for after each run, as health checks want it; may hold a secret."""
    expect: timedelta | None = None
    """How long it may be silent before ``coldchain fleet`` calls it late; None: by its schedule."""


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
    channels: Mapping[str, Channel] = field(default_factory=dict)
    logs: Logs = Logs()
    listen: str = ""
    """``host:port`` at which ``coldchain start`` answers ``/metrics`` and ``/healthz``; "" for nowhere."""
