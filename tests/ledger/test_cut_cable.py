"""Does a machine that vanished without a word hold up the others, or the run that was cut off, for hours?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.conftest import served
from tests.ledger.making import JOB
from tests.links import Cable, laid

HOLD_AND_WRITE = """
import sys, pathlib, datetime
from coldchain.errors import ColdchainError
from coldchain.ledger.ledger import Ledger
now = datetime.datetime.now(datetime.UTC)
url, job, folder = sys.argv[1:]
with Ledger.open(url, now=now) as ledger, ledger.lock_job(job, pathlib.Path(folder)):
    print("held", flush=True)
    sys.stdin.readline()
    try:
        ledger.begin_run(job, "run", now)
    except ColdchainError as error:
        print(error, flush=True)
"""
TRY_UNTIL_HELD = """
import sys, pathlib, datetime, time
from coldchain.errors import AlreadyRunning
from coldchain.ledger.ledger import Ledger
now = datetime.datetime.now(datetime.UTC)
url, job, folder = sys.argv[1:]
until, refused = time.monotonic() + 120, 0
with Ledger.open(url, now=now) as ledger:
    while time.monotonic() < until:
        try:
            with ledger.lock_job(job, pathlib.Path(folder)):
                print(f"held after {refused} refusals")
                break
        except AlreadyRunning as error:
            refused += 1
            print(error, flush=True)
"""
QUICK = (
    "?keepalives_idle=6&keepalives_interval=1&keepalives_count=2&tcp_user_timeout=8000"
    "&options=-c%20tcp_keepalives_idle%3D6%20-c%20tcp_keepalives_interval%3D1"
    "%20-c%20tcp_keepalives_count%3D2%20-c%20tcp_user_timeout%3D8000"
)
"""Eight seconds; the rival asks for five before it gives up, so that it is refused once."""


@pytest.fixture
def cable() -> Iterator[Cable]:
    yield from laid()


@pytest.fixture
def far_url(cable: Cable) -> Iterator[str]:
    """A server at the other end of the wire."""
    with served(cable.address, wrap=cable.there) as url:
        yield f"{url}/postgres"


@pytest.mark.parametrize(
    "settings", [pytest.param("", id="as shipped", marks=pytest.mark.faults), pytest.param(QUICK, id="as the URL says")]
)
def test_p11_a_machine_without_power_lets_go_of_its_lock(
    cable: Cable, far_url: str, settings: str, tmp_path: Path
) -> None:
    arguments = (f"{far_url}{settings}", JOB)
    here = [*cable.here, sys.executable, "-c", HOLD_AND_WRITE, *arguments, str(tmp_path / "here")]
    there = [*cable.there, sys.executable, "-c", TRY_UNTIL_HELD, *arguments, str(tmp_path / "there")]
    with subprocess.Popen(here, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        cable.cut()
        with subprocess.Popen(there, stdout=subprocess.PIPE, text=True) as rival:
            try:
                said, _ = holder.communicate("write\n", timeout=120)
                tried, _ = rival.communicate(timeout=120)
            finally:
                holder.kill()
                rival.kill()
    assert "the ledger postgresql://" in said
    assert "cannot be used" in said
    *refusals, at_last = tried.splitlines()
    assert at_last == f"held after {len(refusals)} refusals"
    assert refusals
    assert all("of one that died the lock is free within a minute" in one for one in refusals)
