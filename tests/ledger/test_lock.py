"""Can one job run twice?"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from coldchain.errors import AlreadyRunning, LedgerError
from coldchain.ledger.ledger import Ledger
from tests.ledger.making import JOB, NOW
from tests.promises.tracing import needs_strace

HOLD = """
import sys, pathlib, datetime
from coldchain.ledger.ledger import Ledger
now = datetime.datetime.now(datetime.UTC)
with Ledger.open(sys.argv[1], now=now) as ledger, ledger.lock_job(sys.argv[2], pathlib.Path(sys.argv[3])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_job_runs_once_and_another_beside_it(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.lock_job(JOB, tmp_path / "state"):
        with pytest.raises(AlreadyRunning, match=rf"{JOB}.*process {os.getpid()} on .*since 20"):
            ledger.lock_job(JOB, tmp_path / "state").__enter__()
        with ledger.lock_job("another: job/\udcff", tmp_path / "state"):
            pass
    with ledger.lock_job(JOB, tmp_path / "state"):
        pass
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_lock_is_released_when_its_block_fails(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ledger.lock_job(JOB, tmp_path):
        raise KeyboardInterrupt
    with ledger.lock_job(JOB, tmp_path):
        pass


def test_p11_a_lock_is_held_for_life_and_released_by_death(ledger: Ledger, url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, url, JOB, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning, match=f"process {holder.pid} on"):
            ledger.lock_job(JOB, tmp_path).__enter__()
        holder.send_signal(signal.SIGKILL)
    with ledger.lock_job(JOB, tmp_path):
        pass


@pytest.mark.xdist_group("postgres")
def test_machines_that_share_a_ledger_share_its_locks(postgres_url: str, tmp_path: Path) -> None:
    here, there = Ledger.open(postgres_url, now=NOW), Ledger.open(postgres_url, now=NOW)
    with here, there:
        with (
            here.lock_job(JOB, tmp_path / "here"),
            there.lock_job("another", tmp_path / "there"),
            pytest.raises(AlreadyRunning, match="another machine"),
        ):
            there.lock_job(JOB, tmp_path / "there").__enter__()
        with there.lock_job(JOB, tmp_path / "there"):
            pass


@pytest.mark.xdist_group("postgres")
def test_p11_a_server_that_notices_late_that_somebody_died_is_asked_again(postgres_url: str, tmp_path: Path) -> None:
    with Ledger.open(postgres_url, now=NOW) as here, Ledger.open(postgres_url, now=NOW) as dead:
        held = dead.lock_job(JOB, tmp_path / "dead")
        held.__enter__()
        noticing = threading.Timer(0.5, dead.close)
        noticing.start()
        with here.lock_job(JOB, tmp_path / "here"):
            noticing.join()


def test_a_folder_that_is_a_file_is_reported(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=re.escape(str(tmp_path / "file"))):
        ledger.lock_job(JOB, tmp_path / "file").__enter__()


def test_the_folder_of_the_locks_is_private_and_nobody_holds_what_was_released(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "locks"
    with Ledger.empty(NOW) as ledger:
        with ledger.lock_job(JOB, folder):
            assert sorted(one.name for one in folder.iterdir()) == [f"{JOB}.holder", f"{JOB}.lock"]
        assert [one.name for one in folder.iterdir()] == [f"{JOB}.lock"], "a holder that is gone misleads people"
    modes = [one.stat().st_mode & 0o777 for one in (folder.parent, folder, folder / f"{JOB}.lock")]
    assert modes == [0o700, 0o700, 0o600]


def test_a_lock_of_which_nobody_wrote_who_holds_it_is_held_all_the_same(tmp_path: Path) -> None:
    with Ledger.empty(NOW) as ledger, ledger.lock_job(JOB, tmp_path):
        (tmp_path / f"{JOB}.holder").unlink()
        with pytest.raises(AlreadyRunning, match=f"^job {JOB} is running already; wait for it, or stop it$"):
            ledger.lock_job(JOB, tmp_path).__enter__()
        (tmp_path / f"{JOB}.holder").write_bytes(b"\xff")
        with pytest.raises(AlreadyRunning, match=f"^job {JOB} is running already; wait"):
            ledger.lock_job(JOB, tmp_path).__enter__()


def test_a_lock_is_released_by_whichever_thread_leaves_the_block(tmp_path: Path) -> None:
    with Ledger.empty(NOW) as ledger:
        held = ledger.lock_job(JOB, tmp_path)
        held.__enter__()
        leaving = threading.Thread(target=held.__exit__, args=(None, None, None))
        leaving.start()
        leaving.join()
        with ledger.lock_job(JOB, tmp_path):
            pass


def test_a_lock_is_released_although_somebody_keeps_the_error(tmp_path: Path) -> None:
    with Ledger.empty(NOW) as ledger:
        with pytest.raises(KeyboardInterrupt) as kept, ledger.lock_job(JOB, tmp_path):
            raise KeyboardInterrupt
        with ledger.lock_job(JOB, tmp_path):
            assert kept.value.__traceback__ is not None


def test_a_lock_that_cannot_be_had_for_its_name_is_no_lock(tmp_path: Path) -> None:
    with Ledger.empty(NOW) as ledger, pytest.raises(LedgerError, match=r"\(File name too long\): keep the ledger"):
        ledger.lock_job(JOB, tmp_path / ("x" * 300)).__enter__()


@needs_strace
def test_p11_where_the_system_has_no_locks_a_file_is_none(sqlite_url: str, tmp_path: Path) -> None:
    Ledger.open(sqlite_url, now=NOW).close()
    without = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=flock", "-e", "inject=flock:error=ENOSYS"]
    done = subprocess.run(
        [*without, sys.executable, "-c", HOLD, sqlite_url, JOB, str(tmp_path)],
        input="", capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "no lock can be had" in done.stderr
    assert "held" not in done.stdout
