"""Is a file taken for a whole ledger only if it is one, and for a damaged one only if it is that?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from coldchain.errors import LedgerDamaged, LedgerError
from coldchain.ledger.ledger import Ledger
from tests.ledger.making import DATASET, DISK, JOB, LATER, NOW, file_of, meet, tamper, verified
from tests.promises.tracing import needs_strace, read

MANY = [verified(f"{number:04d}") for number in range(300)]
HEADER_BYTES, PAGE_BYTES = 100, 4096


def to_write(url: str) -> Ledger:
    return Ledger.open(url, create=False, now=LATER)


OPENINGS: list[Callable[[str], Ledger]] = [to_write, Ledger.open_read_only]
each_opening = pytest.mark.parametrize("opening", OPENINGS, ids=["to write", "to read"])


@pytest.fixture
def killed(tmp_path: Path) -> tuple[str, bytes]:
    """A ledger whose log holds what the file lacks, as after a kill, and the first page that the file would get."""
    whole, copy = tmp_path / "ledger.db", tmp_path / "killed.db"
    with Ledger.open(f"sqlite:///{whole}", now=NOW) as ledger:
        ledger.record(meet(ledger), JOB, DATASET, MANY, NOW)
        for end in ("", "-wal"):
            shutil.copy(f"{whole}{end}", f"{copy}{end}")
    assert whole.stat().st_size > copy.stat().st_size
    return f"sqlite:///{copy}", whole.read_bytes()[:PAGE_BYTES]


def count(ledger: Ledger) -> int:
    return sum(1 for _ in ledger.stored(JOB, DISK, DATASET))


def overwrite(url: str, place: int, content: bytes) -> None:
    with file_of(url).open("r+b") as file:
        file.seek(place)
        file.write(content)


# --- new --------------------------------------------------------------------------------------------------------------


def test_a_new_ledger_and_all_beside_it_is_private(sqlite_url: str) -> None:
    Ledger.open(sqlite_url, now=NOW).close()
    folder = file_of(sqlite_url).parent
    assert {one.name: one.stat().st_mode & 0o777 for one in (folder, *folder.iterdir())} == {
        folder.name: 0o700,
        "ledger.db": 0o600,
        "ledger.db.lock": 0o600,
    }


MAKE = """
import sys, datetime
from coldchain.ledger.ledger import Ledger
Ledger.open(sys.argv[1], now=datetime.datetime.now(datetime.UTC)).close()
"""


@needs_strace
def test_p04_a_new_ledger_is_whole_and_durable_before_it_has_its_name(sqlite_url: str, tmp_path: Path) -> None:
    calls, file = tmp_path / "calls", file_of(sqlite_url)
    tracing = ["strace", "-f", "-y", "-o", str(calls), "-e", "trace=rename,fsync,fdatasync", "-e", "signal=none"]
    subprocess.run([*tracing, sys.executable, "-c", MAKE, sqlite_url], check=True, timeout=120)
    found = read(calls)
    [named] = [call for call in found if call.name == "rename" and f'"{file}"' in call.arguments]
    flushed = [call for call in found if call.name in {"fsync", "fdatasync"} and call.result == 0]
    assert any(f"<{file}.new>" in call.arguments and call.ended < named.begun for call in flushed)
    assert any(f"<{file.parent}>" in call.arguments and call.begun > named.ended for call in flushed)


# --- whole ------------------------------------------------------------------------------------------------------------


@each_opening
def test_p11_a_ledger_that_was_killed_while_its_log_was_written_back_is_whole(
    killed: tuple[str, bytes], opening: Callable[[str], Ledger]
) -> None:
    url, first_page = killed
    overwrite(url, 0, first_page)  # of all that the log holds only the first page came back
    with opening(url) as ledger:
        assert count(ledger) == len(MANY)
        assert ledger.verify_chain().first_broken is None


@each_opening
def test_a_file_that_says_nothing_of_its_length_or_is_longer_is_whole(
    sqlite_url: str, opening: Callable[[str], Ledger]
) -> None:
    Ledger.open(sqlite_url, now=NOW).close()
    file = file_of(sqlite_url)
    os.truncate(file, file.stat().st_size + PAGE_BYTES)
    with opening(sqlite_url) as ledger:
        assert ledger.runs() == []
    os.truncate(file, file.stat().st_size - PAGE_BYTES)
    # An SQLite older than 3.7.0 leaves the length as it was, and says so by another number at 92.
    overwrite(sqlite_url, 28, (1 << 20).to_bytes(4))
    overwrite(sqlite_url, 92, (99).to_bytes(4))
    with opening(sqlite_url) as ledger:
        assert ledger.runs() == []


# --- damaged ----------------------------------------------------------------------------------------------------------


@each_opening
def test_a_file_that_is_short_by_more_than_its_log_holds_is_damaged(
    tmp_path: Path, opening: Callable[[str], Ledger]
) -> None:
    whole, copy = tmp_path / "ledger.db", tmp_path / "short.db"
    with Ledger.open(f"sqlite:///{whole}", now=NOW) as ledger:
        ledger.record(meet(ledger), JOB, DATASET, MANY, NOW)
    with Ledger.open(f"sqlite:///{whole}", now=NOW) as ledger:
        ledger.begin_run(JOB, "run", NOW)
        for end in ("", "-wal"):
            shutil.copy(f"{whole}{end}", f"{copy}{end}")
    os.truncate(copy, copy.stat().st_size // 2)
    with pytest.raises(LedgerDamaged, match="it is cut short"):
        opening(f"sqlite:///{copy}")


@each_opening
def test_a_file_of_which_only_the_last_byte_is_missing_is_damaged(
    sqlite_url: str, opening: Callable[[str], Ledger]
) -> None:
    Ledger.open(sqlite_url, now=NOW).close()
    file = file_of(sqlite_url)
    size_bytes = file.stat().st_size
    os.truncate(file, size_bytes - 1)
    Path(f"{file}-wal").write_bytes(b"")  # an empty log holds nothing
    with pytest.raises(LedgerDamaged, match=rf"it is cut short: {size_bytes - 1} bytes of {size_bytes}\)"):
        opening(sqlite_url)


@each_opening
@pytest.mark.parametrize(
    ("content", "why"), [(b"", "the file is empty"), (None, "not a whole one"), (b"notes\n" * 99, "no SQLite database")]
)
def test_what_is_no_database_at_all_is_damaged(
    sqlite_url: str, opening: Callable[[str], Ledger], content: bytes | None, why: str
) -> None:
    Ledger.open(sqlite_url, now=NOW).close()
    file = file_of(sqlite_url)
    file.write_bytes(file.read_bytes()[: HEADER_BYTES - 1] if content is None else content)
    with pytest.raises(LedgerDamaged, match=why):
        opening(sqlite_url)


@each_opening
@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("INSERT INTO alembic_version VALUES ('0002')", "several versions at once"),
        ("DELETE FROM alembic_version", "does not say its version"),
        ("DELETE FROM meta WHERE name = 'id'", "it has no name"),
        ("DROP TABLE meta", "no such table: meta"),
    ],
)
def test_a_ledger_that_belies_itself_is_damaged(
    sqlite_url: str, opening: Callable[[str], Ledger], statement: str, why: str
) -> None:
    Ledger.open(sqlite_url, now=NOW).close()
    tamper(sqlite_url, statement)
    with pytest.raises(LedgerDamaged, match=why):
        opening(sqlite_url)


# --- nobody can say ---------------------------------------------------------------------------------------------------


@each_opening
def test_a_place_that_cannot_be_looked_at_is_no_absent_ledger(tmp_path: Path, opening: Callable[[str], Ledger]) -> None:
    with pytest.raises(LedgerError, match="cannot be used: File name too long; give this account the right"):
        opening(f"sqlite:///{tmp_path}/{'x' * 300}/ledger.db")


def test_what_leaves_no_trace_is_known_as_such(sqlite_url: str) -> None:
    with Ledger.empty(NOW) as nowhere, Ledger.open(sqlite_url, now=NOW) as somewhere:
        assert nowhere.in_memory
        assert not somewhere.in_memory
