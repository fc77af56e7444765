"""What does an error of the database mean for the person?  The one place that knows (P13, P14)."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import exc

from coldchain.errors import LedgerDamaged, LedgerError, LedgerReadOnly

REBUILD = (
    "move it away and run `coldchain rebuild JOB`, which makes a new one from the manifests at the destinations; "
    "no data are lost"
)


_BUSY = "another process has been writing to it for too long; try again when it is done"
_SERVER = "check that the server runs, and user, password and database in the ledger's URL"


@dataclass(frozen=True, slots=True)
class Where:
    """Which ledger is spoken of, in words that hold no secret."""

    shown: str
    file: Path | None = None
    """None for PostgreSQL."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must never be shown, whatever a driver says."""

    def clean(self, error: object) -> str:
        """What the driver said, on one line, without secrets."""
        said = " ".join(str(error).split())
        for secret in self.secrets:
            said = said.replace(secret, "***")
        return said

    def damaged(self, why: str) -> LedgerDamaged:
        """The ledger cannot be trusted."""
        return LedgerDamaged(f"the ledger {self.shown} is damaged ({why}): {REBUILD}")

    def read_only(self, why: str) -> LedgerReadOnly:
        """The ledger cannot be written."""
        advice = "give this account the right to write the file and its folder, and see that their disk is writable"
        if self.file is None:
            advice = "give the user in the ledger's URL the right to write"
        return LedgerReadOnly(f"the ledger {self.shown} cannot be written ({why}): {advice}")

    def full(self) -> LedgerError:
        """Its disk is full."""
        return LedgerError(f"no room for the ledger at {self.shown}: free some space there, then run again")

    def unusable(self, why: str) -> LedgerError:
        """Anything else."""
        return LedgerError(f"the ledger {self.shown} cannot be used: {why}")


@contextmanager
def translated(where: Where) -> Iterator[None]:
    """Let only ``ColdchainError`` out for whatever the database, its driver or its content does."""
    try:
        yield
    except exc.DBAPIError as error:
        raise explain(where, error.orig or error) from None
    except (exc.SQLAlchemyError, sqlite3.Error) as error:
        raise explain(where, error) from None
    except UnicodeEncodeError as error:
        raise where.unusable(f"{error.object!r} cannot be written as text") from error
    except (UnicodeDecodeError, OverflowError) as error:
        raise where.damaged(f"a value is not what was written: {where.clean(error)}") from error
    except Exception as error:
        if not type(error).__module__.startswith("psycopg"):  # it is installed only where it is used
            raise
        raise explain(where, error) from None


def explain(where: Where, error: BaseException) -> LedgerError:
    """Make the fitting error; it never carries the original, whose text could hold a secret or a whole statement."""
    state = getattr(error, "sqlstate", None)
    name = getattr(error, "sqlite_errorname", None)
    if name:
        return _of_sqlite(where, str(name), error)
    if isinstance(error, sqlite3.Error):
        return where.damaged(where.clean(error))
    if state:
        return _of_postgres(where, str(state), error)
    if where.file is None:  # libpq gives no code for what goes wrong before there is a session
        return where.unusable(f"{where.clean(error)}; {_SERVER}")
    return where.unusable(where.clean(error))


def _of_sqlite(where: Where, name: str, error: BaseException) -> LedgerError:
    said = where.clean(error)
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")) or _lacks_table(said):
        return where.damaged(said)
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM")):
        return where.read_only(said)
    if name == "SQLITE_FULL" or (name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) and _is_full(where)):
        return where.full()
    if name.startswith("SQLITE_CANTOPEN"):
        return where.read_only(said) if where.file and where.file.exists() else where.unusable(said)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return where.unusable(_BUSY)
    if name.startswith("SQLITE_IOERR"):
        return where.unusable(f"{said}; look after the disk it lies on, then run again")
    return where.unusable(said)


def _lacks_table(said: str) -> bool:
    return said.startswith(("no such table", "no such column"))


def _is_full(where: Where) -> bool:
    """SQLite cannot always tell a full disk from another error (its -shm file, for one)."""
    if where.file is None or not hasattr(os, "statvfs"):
        return False
    try:
        room = os.statvfs(where.file.parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < 1 << 16


_BY_SQLSTATE: dict[str, Callable[[Where, str], LedgerError]] = {
    "25006": Where.read_only,
    "42501": Where.read_only,
    "53100": lambda where, _said: where.full(),
    "XX001": Where.damaged,
    "XX002": Where.damaged,
    "42P01": Where.damaged,
    "42703": Where.damaged,
    "55P03": lambda where, _said: where.unusable(_BUSY),
}


def _of_postgres(where: Where, state: str, error: BaseException) -> LedgerError:
    make = _BY_SQLSTATE.get(state, Where.unusable)
    return make(where, where.clean(error))
