"""Can one job run twice?"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coldchain.errors import AlreadyRunning, LedgerError
from coldchain.ledger.ledger import Ledger
from tests.ledger.making import JOB, NOW

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


def test_a_folder_that_is_a_file_is_reported(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=re.escape(str(tmp_path / "file"))):
        ledger.lock_job(JOB, tmp_path / "file").__enter__()
