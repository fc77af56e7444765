"""What is left when the program is killed at any system call that changes something?

COLDCHAIN_EVERY_CALL=1 kills at every single one; otherwise some are left out.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coldchain.testing.oracle import read_tree
from tests.faults.world import World

EVERY = os.environ.get("COLDCHAIN_EVERY_CALL") == "1"
CALLS = "write,pwrite64,fsync,fdatasync,syncfs,rename,renameat2,linkat,unlink,unlinkat,mkdir,mkdirat,ftruncate"
KILLED = {-signal.SIGKILL, 128 + signal.SIGKILL}
MEMORY = Path("/dev/shm")
LARGE = bytes(range(256)) * (3 << 12)

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs the Debian package strace")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a flush of a shared disk waits for everybody's writing."""
    folder = MEMORY / f"coldchain-{os.getpid()}-{tmp_path.name}" if MEMORY.is_dir() else tmp_path / "stage"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def prepared(folder: Path) -> World:
    """Stored: kept, old (which then changes).  To do: four new ones, one of 3 MiB, one that stands there already."""
    world = World(folder)
    world.write("kept", b"kept")
    world.write("d/old", b"the old version")
    assert world.run().code == 0
    world.write("d/old", b"the new version")
    world.write("a", b"a")
    world.write("d/large", LARGE)
    world.write("e/f", b"f")
    world.write("adopted", b"equal bytes")
    (world.at["nas"] / "adopted").write_bytes(b"equal bytes")
    return world


def killed_at_each(
    fresh: Callable[[Path], World], words: list[str], stage: Path, step: int, look: Callable[[World, int], None]
) -> int:
    """Kill the command at its k-th call, in a fresh world each; returns how often."""
    kills, when = 0, 1
    while True:
        shutil.rmtree(stage / "world", ignore_errors=True)
        world = fresh(stage / "world")
        inject = f"inject={CALLS}:signal=KILL:when={when}"
        wrap = ("strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={CALLS}", "-e", inject)
        done = world.command(*words, wrap=wrap)
        if done.returncode not in KILLED:
            assert done.returncode == 0, (when, done.stdout, done.stderr)
            return kills
        kills += 1
        look(world, when)
        when += 1 if EVERY else step


def whole(world: World, when: int, root: Path) -> None:
    """P3: every final name has a whole content that belongs there."""
    for key, content in read_tree(root).items():
        if not key.startswith(".coldchain/") and not key.rpartition("/")[2].startswith(".~"):
            assert content in world.history[key], f"killed at call {when}: {key} is half or wrong"


def recorded(world: World) -> dict[str, int]:
    with world.ledger() as ledger:
        sets = [ledger.stored("j", "nas", name) for name in ledger.datasets("j")]
        return {record.path: record.stored_at_us for found in sets for record in found}


def test_p11_a_run_killed_at_any_call_leaves_whole_files_and_the_next_one_finishes(stage: Path) -> None:
    def look(world: World, when: int) -> None:
        whole(world, when, world.at["nas"])
        before = recorded(world)
        current = set(before) - {path for path, _ in world.to_send()}
        ended = world.run_command()
        assert ended.code == 0, f"killed at call {when}: {ended.said}"
        world.judge(ended)
        world.verify_manifests()
        assert not world.leftovers(), f"killed at call {when}"
        assert not world.to_send()
        after = recorded(world)
        assert set(after) == set(read_tree(world.source))
        assert {path: after[path] for path in current} == {path: before[path] for path in current}, "sent twice"

    kills = killed_at_each(prepared, ["run", "j"], stage, 9, look)
    assert kills >= (60 if EVERY else 5)


def stored(folder: Path) -> World:
    world = prepared(folder)
    assert world.run().code == 0
    return world


def test_p11_a_restore_killed_at_any_call_leaves_whole_files_and_the_next_one_finishes(stage: Path) -> None:
    words = ["restore", "j", ".", "--to", str(stage / "world" / "back")]

    def look(world: World, when: int) -> None:
        back = world.folder / "back"
        whole(world, when, back)
        done = world.command(*words)
        assert done.returncode == 0, (when, done.stdout, done.stderr)
        assert read_tree(back) == read_tree(world.source), when

    assert killed_at_each(stored, words, stage, 7, look)


def rotten(folder: Path) -> World:
    world = stored(folder)
    for key in ("a", "d/large"):
        file = world.at["nas"] / key
        status = file.stat()
        file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    (world.at["nas"] / "kept").unlink()
    return world


def test_p11_a_repair_killed_at_any_call_is_finished_by_the_next_one(stage: Path) -> None:
    words = ["check", "j", "--repair"]

    def look(world: World, when: int) -> None:
        done = world.command(*words)
        assert done.returncode == 0, (when, done.stdout, done.stderr)
        ended = world.run_command()
        world.judge(ended)
        assert not world.leftovers(), when
        world.verify_manifests()

    assert killed_at_each(rotten, words, stage, 31, look)


def without_ledger(folder: Path) -> World:
    world = stored(folder)
    for file in world.ledger_file.parent.glob("ledger.sqlite*"):
        file.unlink()
    return world


def test_p08_a_rebuild_killed_at_any_call_is_finished_by_the_next_one(stage: Path) -> None:
    def look(world: World, when: int) -> None:
        done = world.command("rebuild", "j")
        assert done.returncode == 0, (when, done.stdout, done.stderr)
        assert not world.to_send(), when
        ended = world.run_command()
        assert ended.code == 0
        world.judge(ended)
        assert not world.leftovers(), when

    assert killed_at_each(without_ledger, ["rebuild", "j"], stage, 41, look)
