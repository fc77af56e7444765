"""``coldchain run`` at the command line."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Desk


def test_a_run_ends_with_0_when_everything_is_verified(desk: Desk) -> None:
    ended = desk.type("run", "--init")
    assert (ended.code, ended.err) == (0, "")
    assert "run 1: 4 files" in ended.out
    assert "all verified" in ended.out
    assert (desk.near / "one" / "0.tif").read_bytes() == (desk.source / "one" / "0.tif").read_bytes()


def test_a_destination_that_was_never_marked_gets_nothing_and_the_command_that_marks_it_is_named(desk: Desk) -> None:
    ended = desk.type("run")
    assert ended.code == 3
    assert "coldchain init rig" in ended.err or "cannot be opened" in ended.err
    assert not desk.near.exists()


def test_what_is_still_being_written_is_held_and_the_run_ends_with_3(desk: Desk) -> None:
    ended = desk.type("run", "--init", "--set", "jobs.rig.settle=1 h")
    assert ended.code == 3
    assert "it must be left alone for" in ended.out
    assert "not everything is verified" in ended.out


def test_json_is_one_object_a_line_and_nothing_else(desk: Desk) -> None:
    ended = desk.type("run", "--init", "--json")
    assert [one["format"] for one in ended.objects] == ["coldchain-report"]
    assert ended.objects[0]["exit_code"] == 0


def test_an_error_is_a_json_object_too(desk: Desk) -> None:
    ended = desk.type("run", "--json", "--dataset", "three", "--init")
    (error,) = ended.objects
    assert (ended.code, error["format"], error["job"], error["exit_code"]) == (2, "coldchain-error", "rig", 2)
    assert "'three'" in error["error"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rigg",), "did you mean 'rig'?"),
        (("--only", "neer"), "did you mean 'near'?"),
        (("--accept-destination", "neer"), "did you mean 'near'?"),
        (("--set", "jobs.rig.setle=1 s"), "did you mean 'settle'?"),
        (("--set", "nonsense"), "KEY=VALUE"),
        (("--set", "jobs.rig.digest=blake4"), "did you mean 'blake3'?"),
        (("--set", "jobs.rig.instrument=filez"), "did you mean 'files'?"),
        (("--workers", "0"), "coldchain run --help"),
        (("--dryrun",), "--dry-run"),
        (("--only",), "requires an argument"),
        (("-c", "nowhere.toml"), "there is no such file"),
    ],
)
def test_a_slip_of_the_finger_is_named_and_ends_with_2(stored: Desk, words: tuple[str, ...], said: str) -> None:
    ended = stored.type("run", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_an_unknown_dataset_is_an_error_that_names_the_others(desk: Desk) -> None:
    ended = desk.type("run", "--init", "--dataset", "three")
    assert ended.code == 2
    assert "one, two" in ended.err


def test_a_source_that_is_a_file_is_named_with_its_path(stored: Desk) -> None:
    file = stored.source / "one" / "0.tif"
    ended = stored.type("run", "--set", f"jobs.rig.source={file}")
    assert ended.code == 3
    assert str(file) in ended.err


def test_a_source_that_is_gone_is_no_empty_source(stored: Desk) -> None:
    stored.source.rename(stored.folder / "elsewhere")
    ended = stored.type("run")
    assert ended.code == 3
    assert "Is the disk plugged in" in ended.err


def test_one_job_in_trouble_does_not_keep_the_others_from_running(desk: Desk) -> None:
    text = (desk.folder / "coldchain.toml").read_text(encoding="utf-8")
    (desk.folder / "other").mkdir()
    (desk.folder / "other" / "x").write_bytes(b"x")
    more = '[jobs.bad]\nsource = "gone"\ndestinations = ["near"]\nsettle = "0 s"\n\n[jobs.rig]'
    desk.configure(text.replace("[jobs.rig]", more))
    ended = desk.type("run", "--init")
    assert ended.code == 3
    assert "bad: the source" in ended.err
    assert "all verified" in ended.out


def test_two_runs_at_once_end_with_5(stored: Desk) -> None:
    from coldchain.cli.session import load, now
    from coldchain.ledger.ledger import Ledger

    config = load(None, [])
    with Ledger.open(config.ledger_url, now=now()) as ledger, ledger.lock_job("rig", config.state / "locks"):
        ended = stored.type("run")
    assert ended.code == 5
    assert "running already" in ended.err


def test_a_lost_ledger_is_learnt_again_even_if_the_first_command_was_a_slip(stored: Desk) -> None:
    (stored.folder / "coldchain-state").rename(stored.folder / "lost")
    assert stored.type("run", "--dataset", "three").code == 2
    assert stored.type("list").out.count("2 files, 400 B") == 2
    assert stored.type("run").code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_half_written_and_the_next_run_completes(stored: Desk, number: int) -> None:
    big = stored.source / "big"
    big.mkdir()
    for file_number in range(4):
        with (big / f"{file_number}.bin").open("wb") as file:
            file.truncate(100 << 20)
    run = stored.start("run", "--workers", "1")
    _wait_until(lambda: any((stored.near / "big").glob("*")) if (stored.near / "big").is_dir() else False, run.poll)
    begun = time.monotonic()
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    assert time.monotonic() - begun < 10
    assert run.returncode == 130, (out, err)
    assert b"stopping" in err
    for copy in (path for path in stored.near.rglob("*.bin") if path.is_file()):
        assert copy.stat().st_size == 100 << 20
    assert stored.type("run").code == 0


def _wait_until(there: Callable[[], bool], ended: Callable[[], int | None]) -> None:
    limit = time.monotonic() + 30
    while not there():
        assert ended() is None, "it ended too early"
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix device")
def test_a_terminal_shows_files_bytes_rate_and_the_bar_goes_away(desk: Desk) -> None:
    import pty

    with (desk.source / "one" / "big.bin").open("wb") as file:
        file.truncate(100 << 20)
    own, screen = pty.openpty()
    run = desk.start(
        "run", "--init", stdout=screen, stderr=screen, env={**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    )
    os.close(screen)
    shown = b""
    while True:
        try:
            chunk = os.read(own, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(own)
    run.communicate()
    assert run.returncode == 0
    assert b"carrying" in shown
    assert b"/5 files" in shown
    assert b"MiB" in shown
    after = shown.rpartition(b"\x1b[2K")[2]  # what was printed since the bar was wiped away
    assert b"carrying" not in after
    assert b"all verified" in after


@pytest.mark.skipif(sys.platform == "win32", reason="Windows names cannot hold these")
def test_a_hostile_name_cannot_steer_the_terminal(desk: Desk) -> None:
    folder = os.fsencode(desk.source) + b"/\x1b[31mred\nrig: all verified\xff"
    os.mkdir(folder)
    Path(os.fsdecode(folder + b"/\x1b]0;title\x07.tif")).write_bytes(b"x")
    Path(os.fsdecode(folder + "/\u202etif.exe".encode())).write_bytes(b"x")
    name = os.fsdecode(folder).removeprefix(f"{desk.source}/")
    for words in (
        ("plan",), ("run", "--init", "--set", "jobs.rig.settle=1 h"), ("run",), ("list", "--long"), ("check",),
        ("report",), ("history",), ("doctor",), ("rebuild",), ("restore", "rig", name, "--to", "back\x1b[7m"),
        ("why", f"{name}/\x1b]0;title\x07.tif"), ("why", "no\x1b[1m"), ("run", "--dataset", "no\x1b[1m"),
        ("run", "no\x1b[1m"), ("no\x1b[1m",), ("-c", "no\x1b[1m"),
    ):  # fmt: skip
        ended = desk.type(*words)  # asserts that no escape is shown
        assert "\u202e" not in ended.out + ended.err
        assert not any(line.startswith("rig: all verified") for line in (ended.out + ended.err).splitlines())
