"""What stays on disk of a run, also of one that did not come to its end?"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIGURATION, Desk


def log(desk: Desk) -> Path:
    return desk.folder / "coldchain-state" / "logs" / "rig.log"


def lines(desk: Desk) -> list[str]:
    return log(desk).read_text(encoding="utf-8").splitlines()


def logs(desk: Desk, values: str) -> None:
    desk.configure(CONFIGURATION + f"\n[logs]\n{values}\n")


def test_a_run_has_a_line_for_its_begin_each_dataset_and_its_end(desk: Desk) -> None:
    assert desk.type("run", "--init").code == 0
    begun, one, two, ended = lines(desk)
    assert "run 1 begins: rig from " in begun
    assert "run 1 one 2 files 400 bytes: near: verified 2" in one
    assert "two" in two
    assert "run 1 ended: 4 files, 800 B in" in ended
    assert ended.endswith("all verified (exit code 0)")


def test_a_dataset_that_is_as_it_was_is_counted_only(stored: Desk) -> None:
    assert stored.type("run").code == 0
    assert len(lines(stored)) == 6
    assert lines(stored)[-1].endswith("; 2 datasets as they were")


def test_a_run_that_could_not_begin_says_why(stored: Desk) -> None:
    stored.source.rename(stored.folder / "unplugged")
    assert stored.type("run").code == 3
    assert "no run stopped: rig: the source" in lines(stored)[-1]
    assert lines(stored)[-1].endswith("(exit code 3)")


def test_json_lines_are_of_the_described_form(desk: Desk) -> None:
    logs(desk, "json = true")
    assert desk.type("run", "--init").code == 0
    values = [json.loads(line) for line in lines(desk)]
    assert [value["event"] for value in values] == ["begun", "dataset", "dataset", "ended"]
    assert {value["format"] for value in values} == {"coldchain-log"}
    assert values[1]["destinations"] == {"near": {"verified": 2}}
    assert values[-1]["exit_code"] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows names cannot hold these")
@pytest.mark.parametrize("manner", ["json = false", "json = true"])
def test_no_name_can_forge_a_line(desk: Desk, manner: str) -> None:
    logs(desk, manner)
    folder = (
        os.fsencode(desk.source)
        + "/x\n2026-01-01T00:00:00Z run 1 ended: all verified\u2028\x85\x1b[2J".encode()
        + b"\xff"
    )
    os.mkdir(folder)
    Path(os.fsdecode(folder + b"/f")).write_bytes(b"x")
    assert desk.type("run", "--init").code == 0
    content = log(desk).read_bytes()
    assert content.count(b"\n") == 5
    assert len(content.decode("utf-8").splitlines()) == 5  # which also ends lines at U+2028 and U+0085
    assert b"\x1b" not in content


def test_a_log_that_is_long_gives_way_and_so_many_are_kept(desk: Desk) -> None:
    logs(desk, 'keep = 2\nsize = "10 kB"')
    for _ in range(4):
        assert desk.type("run", "--init").code == 0
        with log(desk).open("a", encoding="utf-8") as file:
            file.write("x" * (9_990 - log(desk).stat().st_size) + "\n")
    assert desk.type("run", "--init").code == 0
    names = sorted(path.name for path in log(desk).parent.iterdir())
    assert names == ["rig.log", "rig.log.1", "rig.log.2"]
    assert all((log(desk).parent / name).stat().st_size <= 10_000 for name in names)
    assert "run 5 ended" in lines(desk)[-1]


def test_a_log_that_cannot_be_written_changes_nothing(desk: Desk) -> None:
    log(desk).mkdir(parents=True)
    ended = desk.type("run", "--init")
    assert ended.code == 0
    assert ended.err.count("could not be written") == 1


def test_half_a_line_does_not_spoil_the_next_one(stored: Desk) -> None:
    with log(stored).open("ab") as file:
        file.write(b"2026-01-01T00:00:00Z run 1 en")
    assert stored.type("run").code == 0
    assert "begins: rig" in lines(stored)[5]
    assert lines(stored)[5].startswith("20")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_what_was_done_before_a_kill_is_in_the_log_and_the_next_run_says_that_it_was_killed(desk: Desk) -> None:
    """Datasets that are small travel together, a hundred at once; these are two such lots."""
    assert desk.type("init").code == 0
    for number in range(110):
        (desk.source / f"a{number:03}").mkdir()
        (desk.source / f"a{number:03}" / "file").write_bytes(b"small")
    big = desk.source / "zbig"
    big.mkdir()
    for number in range(4):
        with (big / f"{number}.bin").open("wb") as file:
            file.truncate(200 << 20)
    run = desk.start("run", "--workers", "1")
    limit = time.monotonic() + 60
    while not (log(desk).exists() and len(lines(desk)) >= 80):
        assert run.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    before = lines(desk)
    assert "begins" in before[0]
    assert all("1 files 5 bytes: near: verified 1" in line for line in before[1:80])
    assert not any("zbig" in line for line in before)
    assert desk.type("run").code == 0
    assert "run 1 did not end: it was killed" in lines(desk)[len(before)]
    assert "run 2 begins" in lines(desk)[len(before) + 1]
