"""Which errors are there, and what is the exit code of each?

One class per reaction of the caller::

    ColdchainError                 1   a bug, when it reaches the person
    ├─ UsageError                  2   the command line is wrong
    ├─ ConfigurationError          2   coldchain.toml, an environment variable or a .env file is wrong
    ├─ NothingSelected             6   no dataset, no file: not a success (P1)
    ├─ AlreadyRunning              5   another process holds the job's lock
    ├─ Interrupted               130   Ctrl-C, SIGTERM
    ├─ WorkerLost                  3   somebody killed a part of the run
    ├─ Unsafe                      3   stop before anything is written; a person must decide
    │  ├─ SourceAbsent                 missing, unmounted, emptied or another volume (P10)
    │  ├─ DestinationAbsent            not marked, not mounted, another disk, another writer (P10)
    │  └─ SuspiciousChange             more changed than is plausible: the brake
    ├─ LedgerError                 3   the ledger cannot be used
    │  ├─ LedgerAbsent                 there is none yet
    │  ├─ LedgerDamaged                truncated, no database, broken chain
    │  ├─ LedgerNewer                  written by a newer coldchain
    │  ├─ LedgerReadOnly               cannot be written
    │  └─ LedgerStale                  older than what it wrote itself at a destination
    ├─ ManifestDamaged             4   a manifest that does not add up
    └─ StoreError                  3   one key of one store; ``temporary`` ones are worth another try
       ├─ NotFound                     (a FileNotFoundError)
       ├─ Occupied                     something stands under the name already (a FileExistsError)
       ├─ Denied                       no right (a PermissionError)
       ├─ NameRefused                  this store cannot keep this name
       ├─ NotAFile                     a link, a pipe, a folder where a file was expected
       ├─ ChangedUnderway              the source changed while it was read
       ├─ BusyWriting                  some program has it open for writing
       ├─ StoreFull                    no space, quota; the whole store is out of this run
       ├─ StoreGone                    disconnected, read-only: the whole store is out of this run
       ├─ Unreliable                   input or output error; another try may succeed
       └─ FlushFailed                  what was written may not be durable: write it again from the source
"""

from __future__ import annotations

import errno
from typing import ClassVar, Self


class ColdchainError(Exception):
    """The root; its text says what is wrong, where, and what to do next."""

    exit_code: ClassVar[int] = 1


class UsageError(ColdchainError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = 2


class ConfigurationError(ColdchainError):
    """The configuration is wrong; the text names file, table and key."""

    exit_code = 2


class NothingSelected(ColdchainError):
    """The job selects no file at all."""

    exit_code = 6


class AlreadyRunning(ColdchainError):
    """Another process runs this job."""

    exit_code = 5


class Interrupted(ColdchainError):
    """The person asked to stop; what was recorded stays recorded."""

    exit_code = 130


class WorkerLost(ColdchainError):
    """A process that carried files for the run was killed; the run is left unfinished, as if it had been killed."""

    exit_code = 3


class Unsafe(ColdchainError):
    """Going on could do harm; nothing was written."""

    exit_code = 3


class SourceAbsent(Unsafe):
    """The source is not the place that it was."""


class DestinationAbsent(Unsafe):
    """The destination is not the place that it was, or was never marked."""


class SuspiciousChange(Unsafe):
    """Too many stored files changed at once."""


class LedgerError(ColdchainError):
    """The ledger cannot be used as it is."""

    exit_code = 3


class LedgerAbsent(LedgerError):
    """There is no ledger yet; the first run makes it."""


class LedgerDamaged(LedgerError):
    """The ledger is no database, is cut short, or its event chain is broken."""


class LedgerNewer(LedgerError):
    """The ledger was written by a newer coldchain."""


class LedgerReadOnly(LedgerError):
    """The ledger cannot be written."""


class LedgerStale(LedgerError):
    """A destination knows of later runs of this very ledger: it was restored from an older copy."""


class ManifestDamaged(ColdchainError):
    """A manifest at a destination cannot be trusted."""

    exit_code = 4


class StoreError(ColdchainError):
    """One key of one store."""

    exit_code = 3
    temporary: ClassVar[bool] = False
    """Worth another try within the run."""
    ends_store: ClassVar[bool] = False
    """Nothing more can be written to this store in this run."""

    def __init__(self, reason: str, *, url: str = "", key: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.url = url
        self.key = key

    def kept(self) -> Self:
        """Itself, to be remembered: the frames of its traceback would hold open what they held, as a disk's folder."""
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.reason, self.url, self.key))


def _rebuild(kind: type[StoreError], reason: str, url: str, key: str) -> StoreError:
    return kind(reason, url=url, key=key)


class NotFound(StoreError, FileNotFoundError):
    """Nothing stands under this key."""


class Occupied(StoreError, FileExistsError):
    """Something already stands under this key, and nobody said that it may be replaced."""


class Denied(StoreError, PermissionError):
    """The store says no."""


class NameRefused(StoreError, ValueError):
    """The store cannot keep this name as it is."""


class NotAFile(StoreError):
    """A link, a pipe, a device or a folder."""


class ChangedUnderway(StoreError):
    """The file is not the one that was seen, or changed while it was read."""

    temporary = True


class BusyWriting(StoreError):
    """Some program has the file open for writing."""


class StoreFull(StoreError):
    """No space or quota left."""

    ends_store = True


class StoreGone(StoreError):
    """The store cannot be reached or written any more."""

    ends_store = True


class FlushFailed(StoreError):
    """The store could not make durable what was written.

    A failed fsync clears the error and may drop the data (Rebello et al., USENIX ATC '20): never flush again, write
    again from the source.
    """

    temporary = True


_BY_ERRNO: dict[int, type[StoreError]] = {
    errno.ENOENT: NotFound,
    errno.EEXIST: Occupied,
    errno.EISDIR: Occupied,
    errno.ENOTDIR: Occupied,
    errno.ENOTEMPTY: Occupied,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
    errno.ENAMETOOLONG: NameRefused,
    errno.EILSEQ: NameRefused,
    errno.ELOOP: NotAFile,
    errno.ENOSPC: StoreFull,
    errno.EDQUOT: StoreFull,
    errno.EROFS: StoreGone,
    errno.ENOTCONN: StoreGone,
    errno.ESTALE: StoreGone,
    errno.EHOSTDOWN: StoreGone,
    errno.ENODEV: StoreGone,
    errno.ENXIO: StoreGone,
}


class Unreliable(StoreError):
    """An input or output error; another try may succeed."""

    temporary = True


def from_os_error(error: OSError, *, url: str, key: str) -> StoreError:
    """Translate what the operating system said about one key."""
    kind = _BY_ERRNO.get(error.errno or 0, Unreliable)
    return kind(error.strerror or str(error), url=url, key=key)
