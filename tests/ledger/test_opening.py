"""What happens when the ledger is absent, damaged, newer, read-only, somebody else's, or out of room?"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coldchain.errors import ConfigurationError, LedgerDamaged, LedgerError, LedgerNewer, LedgerReadOnly
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.translating import explain
from coldchain.ledger.urls import parse
from coldchain.model import State, Trouble
from tests.ledger.making import DATASET, DISK, JOB, LATER, NOW, file_of, meet, tamper, verified

AS_NOBODY = """
import datetime, os, sys
from coldchain.errors import ColdchainError
from coldchain.ledger.ledger import Ledger
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    with Ledger.open(sys.argv[1], now=datetime.datetime.now(datetime.UTC)) as ledger:
        ledger.begin_run("job", "run", datetime.datetime.now(datetime.UTC))
except ColdchainError as error:
    print(type(error).__name__, error)
"""


def open_at(url: str) -> Ledger:
    return Ledger.open(url, now=NOW)


def looks_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything that a write would change."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


@pytest.fixture
def file(sqlite_url: str) -> Path:
    """A closed SQLite ledger with a few hundred records."""
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        run = meet(ledger)
        ledger.record(run, JOB, DATASET, [verified(f"{number:04d}") for number in range(400)], NOW)
    return file_of(sqlite_url)


def test_the_first_run_makes_a_private_ledger(sqlite_url: str) -> None:
    file = file_of(sqlite_url)
    with pytest.raises(LedgerError, match=f"there is no ledger yet at {file}; it is made by the first run"):
        Ledger.open(sqlite_url, create=False, now=NOW)
    with pytest.raises(LedgerError, match="there is no ledger yet"):
        Ledger.open_read_only(sqlite_url)
    assert not file.parent.exists()
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        assert len(bytes.fromhex(ledger.id)) == 16
        name = ledger.id
    assert (file.parent.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert sorted(path.name for path in file.parent.iterdir()) == ["ledger.db", "ledger.db.lock"]
    with Ledger.open(sqlite_url, create=False, now=LATER) as ledger:
        assert ledger.id == name


def test_what_was_recorded_is_there_after_closing(url: str) -> None:
    with Ledger.open(url, now=NOW) as ledger:
        run = meet(ledger)
        ledger.record(run, JOB, DATASET, [verified("a")], NOW)
        head, name = ledger.head(), ledger.id
    with Ledger.open(url, create=False, now=LATER) as again, Ledger.open_read_only(url) as reading:
        assert [one.head() for one in (again, reading)] == [head, head]
        assert [one.id for one in (again, reading)] == [name, name]
        assert len(list(reading.stored(JOB, DISK, DATASET))) == 1


def test_a_closed_ledger_says_so(ledger: Ledger) -> None:
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        ledger.head()
    with pytest.raises(LedgerError, match="closed"):
        ledger.begin_run(JOB, "run", NOW)


def test_a_ledger_that_was_killed_while_it_was_made_is_made_anew(sqlite_url: str) -> None:
    file = file_of(sqlite_url)
    file.parent.mkdir()
    Path(f"{file}.new").write_bytes(b"half a database")
    Path(f"{file}.new-journal").write_bytes(b"of another one")
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        assert ledger.runs() == []
    assert sorted(path.name for path in file.parent.iterdir()) == ["ledger.db", "ledger.db.lock"]


def test_p04_what_is_committed_would_survive_a_power_cut(sqlite_url: str) -> None:
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        asked = {
            name: ledger._database.read(lambda c, name=name: c.exec_driver_sql(f"PRAGMA {name}").scalar())  # type: ignore[misc]
            for name in ("synchronous", "journal_mode", "foreign_keys")
        }
    assert asked == {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1}


@pytest.mark.parametrize("name", ["what?now=#1", "100%25", "odd\udcff", "with space", "new\nline", "a&b;c"])
def test_a_ledger_may_lie_under_any_name(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/{name}/ledger.db"
    with Ledger.open(url, now=NOW) as ledger:
        meet(ledger)
    with Ledger.open_read_only(url) as ledger:
        assert len(ledger.runs()) == 1
    assert os.listdir(tmp_path) == [name]


def test_a_ledger_goes_on_after_its_connection_was_thrown_away(sqlite_url: str) -> None:
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        run = meet(ledger)
        ledger._database.connection.invalidate()  # what SQLAlchemy does when Ctrl-C comes while a statement runs
        ledger.record(run, JOB, DATASET, [verified("a")], NOW)
        ledger.end_run(run, NOW, 130, {})
        assert ledger.verify_chain().first_broken is None
        with pytest.raises(LedgerError, match="FOREIGN KEY"):
            ledger.add_troubles(999, JOB, DATASET, [Trouble(DISK, "a", 1, State.HELD, "")])


# --- reading only -----------------------------------------------------------------------------------------------------


def test_p12_reading_writes_nothing_at_all(file: Path, sqlite_url: str) -> None:
    before = looks_of(file.parent)
    with Ledger.open_read_only(sqlite_url) as ledger:
        assert len(list(ledger.stored(JOB, DISK, DATASET))) == 400
        assert ledger.tallies(JOB)
        with pytest.raises(LedgerReadOnly):
            ledger.begin_run(JOB, "plan", NOW)
        assert looks_of(file.parent) == before
    assert looks_of(file.parent) == before


def test_p12_reading_beside_a_writer_sees_all_that_is_recorded(file: Path, sqlite_url: str) -> None:
    with Ledger.open(sqlite_url, now=NOW) as writer:
        writer.begin_run(JOB, "run", NOW)
        with Ledger.open_read_only(sqlite_url) as reader:
            assert reader.head() == writer.head()
            writer.begin_run(JOB, "run", NOW)
            assert reader.head() == writer.head()


def test_a_writer_that_comes_while_we_read_is_noticed(file: Path, sqlite_url: str) -> None:
    with Ledger.open_read_only(sqlite_url) as reader:
        assert not Path(f"{file}-shm").exists()
        with Ledger.open(sqlite_url, now=NOW) as writer:
            run = writer.begin_run(JOB, "run", NOW)
            writer.record(run, JOB, DATASET, [verified("late")], NOW)
            assert reader.head() == writer.head()
        assert len(list(reader.stored(JOB, DISK, DATASET))) == 401
    with Ledger.open_read_only(sqlite_url) as reader:
        with Ledger.open(sqlite_url, now=NOW) as writer:
            writer.record(run, JOB, DATASET, [verified("later")], NOW)
        assert len(list(reader.stored(JOB, DISK, DATASET))) == 402  # it came and went between two questions


def test_what_a_killed_run_recorded_is_read(file: Path, sqlite_url: str) -> None:
    code = (
        "import datetime, os, sys\nfrom coldchain.ledger.ledger import Ledger\n"
        "now = datetime.datetime.now(datetime.UTC)\nledger = Ledger.open(sys.argv[1], now=now)\n"
        "ledger.begin_run('job', 'run', now)\nos.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, sqlite_url], check=False)
    assert Path(f"{file}-wal").exists()
    names = set(os.listdir(file.parent))
    with Ledger.open_read_only(sqlite_url) as reader:
        assert reader.unfinished("job")
        assert [row.job for row in reader.runs()] == ["job", JOB]
    assert set(os.listdir(file.parent)) == names
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        assert ledger.verify_chain().first_broken is None


# --- damage -----------------------------------------------------------------------------------------------------------


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 4096)


def overwrite(file: Path) -> None:
    file.write_bytes(b"\0" * 100_000)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def stump(file: Path) -> None:
    os.truncate(file, 60)


@pytest.mark.parametrize("spoil", [cut, overwrite, empty, stump], ids=lambda spoil: spoil.__name__)
def test_a_damaged_file_is_recognised_before_it_is_opened(
    file: Path, sqlite_url: str, spoil: Callable[[Path], None]
) -> None:
    spoil(file)
    before = looks_of(file.parent)
    for opening in (open_at, Ledger.open_read_only):
        with pytest.raises(
            LedgerDamaged, match=r"ledger\.db is damaged .*move it away and run `coldchain rebuild JOB`"
        ):
            opening(sqlite_url)
    assert looks_of(file.parent) == before


@pytest.mark.parametrize("seed", range(8))
def test_damage_inside_is_reported_as_damage_whenever_it_is_met(file: Path, sqlite_url: str, seed: int) -> None:
    content = bytearray(file.read_bytes())
    pages = len(content) // 4096
    for page in range(1 + seed % 2, pages, 1 + seed // 2):
        content[page * 4096 : page * 4096 + 200] = bytes(200 * [seed * 31])
    file.write_bytes(content)
    with pytest.raises(LedgerDamaged, match="coldchain rebuild JOB"), Ledger.open(sqlite_url, now=NOW) as ledger:
        run = ledger.begin_run(JOB, "run", NOW)
        ledger.record(run, JOB, DATASET, [verified("x")], NOW)
        list(ledger.stored(JOB, DISK, DATASET))
        list(ledger.events())
        ledger.find_path("a")


def test_a_ledger_whose_log_was_cut_off_with_its_end_is_damaged(file: Path, sqlite_url: str) -> None:
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        ledger.begin_run(JOB, "run", NOW)
        copy = file.parent / "copy.db"
        for end in ("", "-wal"):
            shutil.copy(f"{file}{end}", f"{copy}{end}")
    os.truncate(copy, copy.stat().st_size // 2)
    with pytest.raises(LedgerDamaged):
        Ledger.open(f"sqlite:///{copy}", now=NOW)
    with pytest.raises(LedgerDamaged):
        Ledger.open_read_only(f"sqlite:///{copy}")


@pytest.mark.parametrize("statement", ["DROP TABLE records", "DELETE FROM meta", "DROP TABLE alembic_version"])
def test_a_ledger_that_lacks_a_part_is_damaged(file: Path, sqlite_url: str, statement: str) -> None:
    tamper(sqlite_url, statement)
    with pytest.raises(LedgerDamaged), Ledger.open(sqlite_url, now=NOW) as ledger:
        list(ledger.stored(JOB, DISK, DATASET))


def test_p05_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "browser.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    before = looks_of(tmp_path)
    for opening in (open_at, Ledger.open_read_only):
        with pytest.raises(LedgerError, match="another program; coldchain leaves it alone"):
            opening(f"sqlite:///{file}")
    assert looks_of(tmp_path) == before


def test_a_folder_in_the_place_of_the_ledger_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="directory"):
        Ledger.open(f"sqlite:///{tmp_path}", now=NOW)
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="ledger"):
        Ledger.open(f"sqlite:///{tmp_path}/file/ledger.db", now=NOW)


def test_a_ledger_of_a_newer_coldchain_is_refused(url: str) -> None:
    Ledger.open(url, now=NOW).close()
    tamper(url, "UPDATE alembic_version SET version_num = '9999'")
    for opening in (open_at, Ledger.open_read_only):
        with pytest.raises(LedgerNewer, match=r"newer coldchain.*update coldchain"):
            opening(url)


# --- rights and room --------------------------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, which those of pytest are not."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="coldchain-ledger-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def as_nobody(url: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, url], capture_output=True, text=True, env=environment, check=True
    )
    return done.stdout


def test_a_ledger_that_may_not_be_written_says_so(open_folder: Path) -> None:
    state = open_folder / "state"
    url = f"sqlite:///{state}/ledger.db"
    Ledger.open(url, now=NOW).close()
    for folder_mode, file_mode in ((0o755, 0o644), (0o777, 0o444), (0o777, 0o000)):
        state.chmod(folder_mode)
        (state / "ledger.db").chmod(file_mode)
        assert as_nobody(url).startswith("LedgerReadOnly the ledger"), (folder_mode, file_mode)
    assert as_nobody(f"sqlite:///{open_folder}/new/ledger.db").startswith("LedgerReadOnly")
    assert not (open_folder / "new").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted: {mounted.stderr}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_reported_and_what_was_recorded_stays(small_disk: Path) -> None:
    url = f"sqlite:///{small_disk}/ledger.db"
    recorded = 0
    with Ledger.open(url, now=NOW) as ledger:
        run = meet(ledger)
        with pytest.raises(LedgerError, match=f"no room for the ledger at {small_disk}"):
            for batch in range(1000):
                ledger.record(run, JOB, DATASET, [verified(f"{batch:03d}/{one}") for one in range(50)], NOW)
                recorded += 50
        assert recorded
        assert sum(1 for _ in ledger.stored(JOB, DISK, DATASET)) == recorded
        with pytest.raises(LedgerError, match="no room"):
            ledger.record(run, JOB, DATASET, [verified(f"big/{one}") for one in range(5000)], NOW)
    with Ledger.open_read_only(url) as ledger:
        assert sum(1 for _ in ledger.stored(JOB, DISK, DATASET)) == recorded
        assert ledger.verify_chain().first_broken is None


def test_no_ledger_is_made_where_there_is_no_room(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(500 * 1024))
    with pytest.raises(LedgerError, match="no room for the ledger"):
        Ledger.open(f"sqlite:///{small_disk}/ledger.db", now=NOW)
    (small_disk / "filler").unlink()
    Ledger.open(f"sqlite:///{small_disk}/ledger.db", now=NOW).close()


def test_a_read_only_file_system_is_reported_and_can_still_be_read(small_disk: Path) -> None:
    url = f"sqlite:///{small_disk}/ledger.db"
    Ledger.open(url, now=NOW).close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(LedgerReadOnly, match="cannot be written"):
        Ledger.open(url, now=NOW)
    with pytest.raises(LedgerReadOnly, match="cannot be written"):
        Ledger.open(f"sqlite:///{small_disk}/new/ledger.db", now=NOW)
    with Ledger.open_read_only(url) as ledger:
        assert ledger.head() == (0, "")


@pytest.mark.parametrize(
    "url",
    ["mysql://u:geheim@h/d", "sqlite://", "sqlite:///:memory:", "geheim", "postgresql://u:ge@heim@h/d", "sqlite:"],
)
def test_p14_a_url_that_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Ledger.open(url, now=NOW)
    assert "heim" not in str(caught.value)


def test_p14_whatever_a_driver_says_its_secrets_are_blotted_out() -> None:
    url = "postgresql://lab:ge%2Dheim@db/lab?sslpassword=key-secret&sslmode=require"
    _, where = parse(url)
    for told in (str(explain(where, Exception("ge-heim, ge%2Dheim and key-secret\nare required"))), repr(where)):
        assert "heim" not in told
        assert "key-secret" not in told
    assert where.shown == "postgresql://db/lab"
