"""Rows of the fault matrix about the program itself: killed, stopped, short of memory, its ledger hurt (6 to 13)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldchain.errors import StoreError
from coldchain.monitor import SilentMonitor
from coldchain.testing.oracle import read_tree
from tests.faults.world import COLDCHAIN, World
from tests.stores.local.carrying import Mounts, needs_root

LIMIT_S = 180


def started(world: World) -> subprocess.Popen[bytes]:
    command = [*COLDCHAIN, "run", "j", "--init", "--config", str(world.file)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def acquire(world: World, count: int, size_bytes: int, *, folder: str = "d") -> None:
    noise = random.Random(folder)
    for number in range(count):
        world.write(f"{folder}/f{number:03}", noise.randbytes(size_bytes))


@pytest.mark.faults
def test_row6_forty_kills_at_random_moments_lose_nothing_and_leave_nothing_behind(tmp_path: Path) -> None:
    world = World(tmp_path, ("nas", "tape"))
    noise, killed = random.Random(6), 0
    for round_ in range(40):
        acquire(world, 8, 300_000, folder=f"d{round_:02}")
        process = started(world)
        try:
            process.communicate(timeout=noise.uniform(0.3, 2.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
        for root in world.at.values():
            for key, content in read_tree(root).items():
                if key in world.history:
                    assert content in world.history[key], f"{key} is half after kill {killed}"
    assert killed > 2, "the moments were too late"
    ended = world.run_command()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})
    assert not world.leftovers()
    world.verify_manifests()


def in_mid_file(world: World) -> subprocess.Popen[bytes]:
    """A run of which something lies at the destination under a temporary name."""
    world.write("large", os.urandom(64 << 20))
    acquire(world, 5, 1000)
    process = started(world)
    deadline = time.monotonic() + LIMIT_S
    while not world.leftovers():
        assert process.poll() is None, "it ended before anybody could stop it"
        assert time.monotonic() < deadline
    return process


def test_row7_a_polite_end_in_mid_file_says_130_and_the_next_run_finishes(world: World) -> None:
    process = in_mid_file(world)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=LIMIT_S)[0].decode()
    assert process.returncode == 130, said
    assert not world.leftovers()
    ended = world.run_command()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})


def test_row8_a_machine_that_sleeps_in_mid_file_goes_on_where_it_was(world: World) -> None:
    """Nothing but the clock moved meanwhile, so this sleeps: three seconds are longer than any of its patience."""
    process = in_mid_file(world)
    process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    process.send_signal(signal.SIGCONT)
    said = process.communicate(timeout=LIMIT_S)[0].decode()
    assert process.returncode == 0, said
    ended = world.run_command()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})


def test_row9_a_gigabyte_is_carried_in_little_memory(world: World) -> None:
    """The limit is on addresses, of which threads and libraries take most; the file has three times as many bytes."""
    with (world.source / "large").open("wb") as file:
        file.truncate(1 << 30)
    world.knows("large")
    done = world.command("run", "j", "--init", wrap=["prlimit", f"--as={400 << 20}"])
    assert done.returncode == 0, done.stderr
    assert (world.at["nas"] / "large").stat().st_size == 1 << 30


def test_row9_where_memory_gives_out_it_is_said_and_nothing_half_is_left(world: World) -> None:
    acquire(world, 20, 500_000)
    codes = set()
    for mebibytes in (60, 100, 140):
        done = world.command("run", "j", "--init", wrap=["prlimit", f"--as={mebibytes << 20}"])
        codes.add(done.returncode)
        for key, content in read_tree(world.at["nas"]).items():
            assert key not in world.history or content in world.history[key], f"{key} is half at {mebibytes} MiB"
    assert codes - {0}, "memory never gave out"
    ended = world.run_command()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})
    assert not world.leftovers()


@pytest.fixture
def filled(world: World) -> Iterator[World]:
    acquire(world, 12, 2000)
    assert world.run().code == 0
    yield world


@pytest.mark.parametrize("seed", range(3))
def test_row11_a_ledger_with_torn_pages_is_said_and_rebuilt_and_costs_no_copy(filled: World, seed: int) -> None:
    before, noise = read_tree(filled.at["nas"]), random.Random(seed)
    size = filled.ledger_file.stat().st_size
    with filled.ledger_file.open("r+b") as file:
        for page in noise.sample(range(1, size // 4096), 6):
            file.seek(page * 4096)
            file.write(noise.randbytes(4096))
    for words in (("run", "j"), ("check", "j"), ("plan", "j")):
        done = filled.command(*words)
        assert done.returncode in {0, 3}, (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
    there = {key: content for key, content in read_tree(filled.at["nas"]).items() if not key.startswith(".coldchain/")}
    assert there == {key: content for key, content in before.items() if not key.startswith(".coldchain/")}
    for file_ in filled.ledger_file.parent.glob("ledger.sqlite*"):
        file_.unlink()
    assert filled.command("rebuild", "j").returncode == 0
    assert not filled.to_send()
    filled.judge(filled.run_command(), lost={})


@needs_root
def test_row12_a_ledger_whose_disk_fills_in_mid_run_stops_it_and_nothing_is_said_of_what_is_not_recorded(
    tmp_path: Path, mounts: Mounts
) -> None:
    place = mounts.tmpfs("size=3m")
    world = World(tmp_path)
    text = world.file.read_text()
    world.file.write_text(text.replace("version = 1", f"version = 1\nstate = '{place}'"))
    world.write("first", b"first")
    assert world.run_command().code == 0
    acquire(world, 3000, 10)
    stopper = place / "fills"

    class Filling(SilentMonitor):
        def moved(self, size_bytes: int) -> None:
            if not stopper.exists():
                free = os.statvfs(place)
                stopper.write_bytes(bytes(max(0, free.f_bavail * free.f_bsize - 8192)))

    world.monitor = Filling()
    try:
        ended = world.run()
    except StoreError as error:  # the ledger's own trouble is one of these
        pytest.fail(f"not told in the way of a run: {error}")
    finally:
        stopper.unlink(missing_ok=True)
    world.monitor = SilentMonitor()
    assert ended.code == 3, ended.said
    ended = world.run_command()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})
    assert not world.leftovers()


def test_row13_a_ledger_of_last_week_sends_nothing_over_what_was_stored_since(filled: World) -> None:
    """More of it: tests/promises/test_p08_a_lost_ledger_costs_reading.py."""
    old = filled.ledger_file.read_bytes()
    filled.write("d/f000", b"another version")
    acquire(filled, 5, 3000, folder="e")
    assert filled.run().code == 0
    stored = read_tree(filled.at["nas"])
    filled.ledger_file.write_bytes(old)
    assert filled.command("run", "j").returncode == 3, "an older ledger is noticed"
    assert {k: v for k, v in read_tree(filled.at["nas"]).items() if k in filled.history} == {
        k: v for k, v in stored.items() if k in filled.history
    }
    assert filled.command("rebuild", "j").returncode == 0
    ended = filled.run_command()
    assert ended.code == 0, ended.said
    filled.judge(ended)
