"""Rows of the fault matrix that are about a source: it vanishes, lies, grows, moves or is locked (10, 16 to 34)."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from coldchain.errors import SourceAbsent
from coldchain.model import State
from tests.faults.world import World, sha256
from tests.stores.local.carrying import Mounts, needs_root

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs the Debian package strace")


def strace(*inject: str, path: Path | None = None) -> list[str]:
    """Wrap a command so that system calls (on one file) fail."""
    only = ["-P", str(path)] if path else []
    return [
        "strace",
        "-f",
        "-qq",
        "-o",
        os.devnull,
        *only,
        *(word for one in inject for word in ("-e", f"inject={one}")),
    ]


def test_row10_running_out_of_file_descriptors_is_no_success(world: World) -> None:
    for number in range(40):
        world.write(f"{number:02}/f", f"{number}".encode())
    assert world.run_command().code == 0
    for number in range(40):
        world.write(f"{number:02}/g", f"g{number}".encode())
    ended = world.run_command(wrap=["prlimit", "--nofile=24"])
    if ended.code == 0:
        world.judge(ended)
    else:
        assert ended.code in {1, 3}
    ended = world.run_command()
    assert ended.code == 0
    world.judge(ended)


@needs_root
@pytest.mark.parametrize("code", [5, 116, 107])
def test_row16_and_19_a_folder_that_cannot_be_listed_for_a_while_is_told_and_nothing_is_lost(
    tmp_path: Path, mounts: Mounts, code: int
) -> None:
    faulty = mounts.fuse({})
    world = World(tmp_path, source=faulty.place)
    for path in ("a", "d/b", "d/c", "e/f"):
        world.write(path, path.encode())
    ended = world.run()
    assert ended.code == 0, ended.said
    faulty.rules({"faults": [{"op": "readdir", "errno": code, "match": "/d"}]})
    ended = world.run()
    assert ended.code == 3, ended.said
    assert ended.error is not None or ended.troubles["d/", "nas"][0] is State.FAILED
    faulty.rules({})
    ended = world.run()
    assert ended.code == 0
    world.judge(ended, lost={})


@needs_root
def test_row16_a_source_whose_root_lists_empty_stops_the_run(tmp_path: Path, mounts: Mounts) -> None:
    faulty = mounts.fuse({})
    world = World(tmp_path, source=faulty.place)
    world.write("a", b"a")
    assert world.run().code == 0
    (faulty.backing / "a").rename(tmp_path / "elsewhere")
    ended = world.run(init=False)
    assert isinstance(ended.error, SourceAbsent)
    (tmp_path / "elsewhere").rename(faulty.backing / "a")
    ended = world.run()
    assert ended.code == 0
    world.judge(ended, lost={})


@needs_strace
def test_row18_a_file_that_cannot_be_read_in_the_middle_is_told_and_the_others_go_on(world: World) -> None:
    bad = world.write("bad", bytes(3 << 20))
    world.write("good", b"good")
    ended = world.run_command(wrap=strace("read:error=EIO:when=2+", path=bad))
    assert ended.code == 3, ended.said
    assert ended.troubles["bad", "nas"][0] is State.FAILED
    assert not (world.at["nas"] / "bad").exists()
    world.judge(ended, lost={})
    ended = world.run_command()
    assert ended.code == 0
    world.judge(ended, lost={})


def test_row20_a_file_that_grows_while_it_is_read_never_arrives_in_half(world: World) -> None:
    """The history cannot know every state of a file that somebody appends to: what is there must be a prefix."""
    path = world.source / "log"
    path.write_bytes(b"0" * (4 << 20))
    stop = threading.Event()

    def append() -> None:
        while not stop.is_set():
            with path.open("ab") as file:
                file.write(b"1" * 4096)
            time.sleep(0.0005)

    writer = threading.Thread(target=append)
    writer.start()
    ended = world.run()
    stop.set()
    writer.join()
    there = world.at["nas"] / "log"
    if ("log", "nas") in ended.troubles:
        assert ended.code == 3
        assert ended.troubles["log", "nas"][0] is State.HELD
        assert not there.exists()
    world.knows("log", path.read_bytes())
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended)


@pytest.mark.parametrize("between_runs", [False, True])
def test_row21_and_22_a_rewrite_with_the_same_size_and_mtime_is_noticed(world: World, between_runs: bool) -> None:
    size = 8 << 20
    file = world.write("f", b"a" * size)
    status = file.stat()
    if between_runs:
        assert world.run().code == 0
        world.write("f", b"b" * size, mtime_ns=status.st_mtime_ns)
        ended = world.run()
        assert ended.code == 0
        world.judge(ended)
        return
    stop = threading.Event()

    def rewrite() -> None:
        for number in range(10_000):
            if stop.is_set():
                return
            letter = b"bc"[number % 2 : number % 2 + 1]
            with file.open("r+b") as opened:
                opened.write(letter * size)
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    world.knows("f", b"b" * size, b"c" * size)
    writer = threading.Thread(target=rewrite)
    writer.start()
    ended = world.run()
    stop.set()
    writer.join()
    there = world.at["nas"] / "f"
    if there.exists():
        assert sha256(there.read_bytes()) in world.history["f"], "a mixture of two versions was stored"
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended)


def test_row24_a_file_stamped_in_the_future_is_held_and_then_carried(tmp_path: Path) -> None:
    world = World(tmp_path, job='settle = "10 min"')
    world.later(hours=1)
    file = world.write("camera", b"with a wrong year")
    os.utime(file, ns=(time.time_ns(), time.time_ns() + 400 * 86_400 * 10**9))
    for minutes in (0, 6):
        world.later(minutes=minutes)
        ended = world.run()
        assert ended.code == 3, ended.said
        state, reason = ended.troubles["camera", "nas"]
        assert state is State.HELD
        assert "in the future" in reason
        world.judge(ended)
    world.later(minutes=6)
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})


def test_row24_a_future_stamp_that_moves_begins_to_wait_anew(tmp_path: Path) -> None:
    world = World(tmp_path, job='settle = "10 min"')
    world.later(hours=1)
    future = time.time_ns() + 400 * 86_400 * 10**9
    world.write("camera", b"one", mtime_ns=future)
    assert world.run().code == 3
    world.later(minutes=9)
    world.write("camera", b"two", mtime_ns=future + 1)
    assert world.run().code == 3
    world.later(minutes=9)
    assert world.run().code == 3
    world.later(minutes=2)
    assert world.run().code == 0


@pytest.mark.parametrize("deed", ["delete", "rename"])
def test_row26_a_file_that_goes_away_while_the_run_is_under_way_is_told_and_leaves_no_ghost(
    world: World, deed: str
) -> None:
    files = [world.write(f"f{number:03}", b"x" * number) for number in range(300)]
    done = threading.Event()

    def remove() -> None:
        for file in files[::-1]:
            if deed == "delete":
                file.unlink()
            else:
                world.knows(f"moved-{file.name}", file.read_bytes())
                file.rename(file.with_name(f"moved-{file.name}"))
        done.set()

    thread = threading.Thread(target=remove)
    thread.start()
    ended = world.run()
    thread.join()
    told = {path for path, _ in ended.troubles}
    assert (ended.code == 0) == (not told and ended.report is not None)
    world.write("last", b"last")
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended)


def test_row28_names_that_are_changed_again_and_again_lose_nothing(world: World) -> None:
    content = b"the one file"
    world.write("n0", content)
    for number in range(1, 40):
        world.knows(f"n{number}", content)
    stop = threading.Event()

    def rename() -> None:
        number = 0
        while not stop.is_set() and number < 39:
            (world.source / f"n{number}").rename(world.source / f"n{number + 1}")
            number += 1
            time.sleep(0.002)

    thread = threading.Thread(target=rename)
    thread.start()
    for _ in range(3):
        world.run()
    stop.set()
    thread.join()
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended)


def test_row30_and_31_links_are_refused_by_name_and_hard_links_are_carried(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    world.write("f", b"f")
    os.link(world.source / "f", world.source / "hard")
    world.knows("hard", b"f")
    for name, target in (
        ("link", "f"),
        ("loop", "loop"),
        ("dangling", "nowhere"),
        ("out", str(outside)),
        ("dir", ".."),
    ):
        (world.source / name).symlink_to(target)
        world.knows(name)
    ended = world.run()
    assert ended.code == 3
    assert {path for path, _ in ended.troubles} == {"link", "loop", "dangling", "out", "dir"}
    assert {state for state, _ in ended.troubles.values()} == {State.REFUSED}
    world.judge(ended, lost={})


def test_row29_pipes_and_sockets_never_block(world: World) -> None:
    world.write("f", b"f")
    os.mkfifo(world.source / "pipe")
    world.knows("pipe")
    begun = time.monotonic()
    ended = world.run()
    assert time.monotonic() - begun < 5
    assert ended.code == 3
    assert ended.troubles["pipe", "nas"][0] is State.REFUSED
    world.judge(ended, lost={})


def test_row32_a_sparse_file_arrives_as_the_zeros_that_it_means(world: World) -> None:
    file = world.source / "sparse"
    with file.open("wb") as opened:
        opened.truncate(5 << 20)
        opened.seek(3 << 20)
        opened.write(b"data")
    world.knows("sparse", file.read_bytes())
    ended = world.run()
    assert ended.code == 0
    world.judge(ended, lost={})


@needs_strace
def test_row34_a_bit_that_flips_while_the_source_is_read_again_is_not_verified(world: World) -> None:
    """A flip in the one read is stored and proved as it was read: only a second read can differ (check against it)."""
    file = world.write("f", b"A" * 5000)
    assert world.run().code == 0
    (world.at["nas"] / "f").unlink()
    before = world.history["f"]
    ended = world.run_command(wrap=strace("read:poke_exit=@arg2=42:when=1", path=file))
    there = world.at["nas"] / "f"
    if ended.code == 0 and sha256(there.read_bytes()) not in before:
        pytest.xfail("the source is read once: what a cable alters on the way in is not seen")


def test_row23_a_slow_writer_with_an_old_mtime_is_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    code = (
        "import os, sys\nname = sys.argv[1]\nf = open(name, 'wb', 0)\nf.write(b'half')\nos.utime(name, (1, 1))\n"
        "print(flush=True)\nsys.stdin.read()\nf.write(b'whole')\nos.utime(name, (1, 1))"
    )
    writer = subprocess.Popen(
        ["python3", "-c", code, str(world.source / "slow")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    world.knows("slow", b"half")
    ended = world.run()
    assert ended.code == 3
    assert ended.troubles["slow", "nas"][0] is State.HELD
    assert not (world.at["nas"] / "slow").exists()
    writer.communicate()
    world.knows("slow", b"halfwhole")
    world.later(seconds=5)
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended)
