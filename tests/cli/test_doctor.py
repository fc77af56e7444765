"""``coldchain doctor`` at the command line."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from coldchain.config.read import read_config
from coldchain.ledger.ledger import Ledger
from coldchain.monitor import Surroundings
from coldchain.operate.doctor import examine_job
from tests.cli.conftest import Desk


def test_a_machine_that_can_run_the_job_is_well(stored: Desk) -> None:
    before = sorted(stored.near.rglob("*"))
    ended = stored.type("doctor")
    assert ended.code == 0
    assert "all is well" in ended.out
    assert "written, flushed, listed and read back" in ended.out
    assert sorted(stored.near.rglob("*")) == before


def test_what_does_not_work_is_named_once_and_ends_with_3(stored: Desk) -> None:
    (stored.near / ".coldchain" / "destination.json").unlink()
    ended = stored.type("doctor")
    assert ended.code == 3
    assert "NO    rig: near: " in ended.out
    assert "near: near: " not in ended.out
    assert "coldchain run rig --accept-destination near" in ended.out


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such rights")
def test_a_folder_that_everybody_may_write_is_remarked_on(stored: Desk) -> None:
    stored.near.chmod(0o777)
    ended = stored.type("doctor")
    assert ended.code == 0
    assert "look  rig: near: every account of this machine may change and remove what lies here" in ended.out


def test_a_clock_there_that_is_not_that_of_this_machine_is_remarked_on(stored: Desk) -> None:
    config = read_config(stored.folder / "coldchain.toml", {})

    def said(behind: timedelta) -> list[str]:
        around = Surroundings(platform.node(), lambda: datetime.now(UTC) - behind)
        with Ledger.open_read_only(config.ledger_url) as ledger:
            return [advice.said for advice in examine_job(config.jobs["rig"], ledger, around) if advice.ok is None]

    assert said(timedelta()) == []
    assert said(timedelta(days=3)) == ["its clock is 3 days ahead of that of this machine; set the wrong one right"]
    assert said(timedelta(minutes=-5)) == ["its clock is 5 min behind that of this machine; set the wrong one right"]


def test_a_destination_that_is_a_file_is_named(stored: Desk) -> None:
    (stored.folder / "file").write_bytes(b"x")
    ended = stored.type("doctor", "--set", f"destinations.near.url={stored.folder / 'file'}")
    assert ended.code == 3
    assert "not a folder" in ended.out


def test_a_folder_of_ones_own_can_be_put_through_the_contract(desk: Desk) -> None:
    place = desk.folder / "mine"
    place.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "coldchain", "doctor", "--conformance", str(place)],
        capture_output=True, text=True, check=False, cwd=desk.folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "this place keeps the contract" in done.stdout
    assert "passed" in done.stdout
    assert not list(place.iterdir())


def test_a_destination_can_be_named_and_one_that_does_not_keep_the_contract_is_told(desk: Desk) -> None:
    desk.near.mkdir()
    (desk.near / "read-only").write_text("x")
    ended = desk.type("doctor", "--conformance", "nowhere")
    assert (ended.code, "neither a URL" in ended.err) == (2, True)
    done = subprocess.run(
        [sys.executable, "-m", "coldchain", "doctor", "--conformance", "/proc/self"],
        capture_output=True, text=True, check=False, cwd=desk.folder,
    )  # fmt: skip
    assert done.returncode == 3
    assert "does not keep the whole contract" in done.stdout
