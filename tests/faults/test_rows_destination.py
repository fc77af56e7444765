"""Rows of the fault matrix that are about a destination: full, read-only, lying, confusing names, shared (41 to 79)."""

from __future__ import annotations

import os
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest

from coldchain.config.values import OnChange
from coldchain.errors import ConfigurationError, DestinationAbsent
from coldchain.model import State
from coldchain.monitor import SilentMonitor
from tests.faults.test_rows_source import needs_strace, strace
from tests.faults.world import COLDCHAIN, World, replaced, sha256, with_host
from tests.stores.local.carrying import Mounts, needs_root, run

FINAL_NAMES = "nothing half stands under a final name"


@needs_root
def test_row41_a_full_disk_is_told_and_the_other_destination_is_complete(tmp_path: Path, mounts: Mounts) -> None:
    world = World(tmp_path, ("small", "big"), at={"small": mounts.tmpfs("size=8m")})
    for number in range(12):
        world.write(f"f{number:02}", bytes([number]) * (1 << 20))
    ended = world.run()
    assert ended.code == 3, ended.said
    assert not [path for path, name in ended.troubles if name == "big"]
    world.judge(ended, lost={})
    assert not world.leftovers(), FINAL_NAMES
    run("mount", "-o", "remount,size=32m", world.at["small"])
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})


@needs_root
def test_row41_a_file_that_changes_while_the_disk_fills_ends_in_one_state(tmp_path: Path, mounts: Mounts) -> None:
    """Both the reader and the destination have trouble with the same file; ``World.run`` counts the states."""
    world = World(tmp_path, ("small", "big"), at={"small": mounts.tmpfs("size=1m")})
    file = world.write("log", bytes(8 << 20))
    done = []

    class Appending(SilentMonitor):
        def moved(self, size_bytes: int) -> None:
            done.append(size_bytes)
            if len(done) == 6:
                with file.open("ab") as opened:
                    opened.write(b"more")
                world.knows("log", file.read_bytes())

    world.monitor = Appending()
    ended = world.run()
    assert ended.code == 3, ended.said
    assert {name for path, name in ended.troubles} == {"small"}
    world.judge(ended)


@needs_root
def test_row43_a_disk_without_inodes_is_told(tmp_path: Path, mounts: Mounts) -> None:
    world = World(tmp_path, at={"nas": mounts.tmpfs("size=8m,nr_inodes=20")})
    for number in range(40):
        world.write(f"f{number:02}", b"x")
    ended = world.run()
    assert ended.code == 3, ended.said
    world.judge(ended, lost={})
    run("mount", "-o", "remount,nr_inodes=200", world.at["nas"])
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})


@needs_root
def test_row43_a_quota_that_is_met_at_close_is_told(tmp_path: Path, mounts: Mounts) -> None:
    faulty = mounts.fuse({})
    world = World(tmp_path, at={"nas": faulty.place})
    world.write("a", b"a")
    assert world.run().code == 0
    world.write("b", b"b")
    faulty.rules({"faults": [{"op": "flush", "errno": 122, "match": ".~"}]})
    ended = world.run()
    assert ended.code == 3, ended.said
    faulty.rules({})
    world.judge(ended, lost={})
    assert world.run().code == 0


@needs_strace
def test_row45_after_a_failed_flush_the_file_is_written_again_and_not_flushed_again(world: World) -> None:
    """strace counts in each thread by itself: the worker's first flush fails, and that of the manifest."""
    world.write("before", b"b")
    assert world.run().code == 0
    world.write("f", b"content" * 100)
    trace = world.folder / "trace"
    wrap = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=syncfs,openat,renameat2"]
    ended = world.run_command(wrap=[*wrap, "-e", "inject=syncfs:error=EIO:when=1"])
    lines = trace.read_text().splitlines()
    failed = next(number for number, line in enumerate(lines) if "INJECTED" in line)
    written = [number for number, line in enumerate(lines) if '.coldchain"' in line and "O_EXCL" in line]
    named = [number for number, line in enumerate(lines) if "renameat2" in line and '"f"' in line]
    assert min(written) < failed
    again = [number for number in written if number > failed]
    assert again, "nothing was written again"
    assert len(named) == 1
    assert named[0] > again[0], "the name appeared on the strength of the flush that failed"
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})
    world.verify_manifests()


@needs_root
def test_row45_a_file_whose_fsync_failed_is_written_again(tmp_path: Path, mounts: Mounts) -> None:
    faulty = mounts.fuse({})
    world = World(tmp_path, at={"nas": faulty.place})
    world.write("f", b"content")
    faulty.rules({"faults": [{"op": "fsync", "errno": 5, "match": ".~", "skip": 1, "times": 1}]})
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})
    assert not world.leftovers()


@needs_root
def test_row44_and_45_a_name_whose_flush_failed_is_not_taken_on_trust(tmp_path: Path, mounts: Mounts) -> None:
    """The rename was done, the flush of its folder failed: the next attempt finds the name, and must flush it."""
    faulty = mounts.fuse({})
    world = World(tmp_path, at={"nas": faulty.place})
    world.write("before", b"b")
    assert world.run().code == 0
    world.write("d/f", b"content")
    faulty.rules({"faults": [{"op": "fsyncdir", "errno": 5, "match": "/d"}]})
    ended = world.run()
    assert ended.code == 3, "the folder d was never flushed, and the copy in it is said to be verified"
    world.judge(ended, lost={})
    faulty.rules({})
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})


@needs_root
@pytest.mark.parametrize("code", [22, 38])
def test_row46_a_place_without_any_flush_is_used(tmp_path: Path, mounts: Mounts, code: int) -> None:
    faulty = mounts.fuse({"faults": [{"op": "fsync", "errno": code}, {"op": "fsyncdir", "errno": code}]})
    world = World(tmp_path, at={"nas": faulty.place})
    world.write("f", b"f")
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})


@needs_strace
@pytest.mark.parametrize("lie", ["retval=5000", "poke_enter=@arg2=42"])
@pytest.mark.parametrize("always", [False, True])
def test_row47_and_48_what_is_acknowledged_and_dropped_or_altered_is_caught_by_reading_back(
    world: World, lie: str, always: bool
) -> None:
    world.write("f", b"A" * 5000)
    world.write("before", b"b")
    assert world.run(replaced(world.job, include=("before",))).code == 0
    nas = world.at["nas"]
    wrap = [COLDCHAIN[0], "-c", _LIAR, lie, "1+" if always else "1", str(nas)]
    ended = world.run_command(wrap=wrap)
    if always:
        assert ended.code == 4, ended.said
        assert ended.troubles["f", "nas"][0] is State.FAILED
        assert not (nas / "f").exists()
    else:
        assert ended.code == 0, ended.said
        assert (nas / "f").read_bytes() == b"A" * 5000
    world.judge(ended, lost={})
    assert not world.leftovers()


_LIAR = """
import os, sys
lie, when, nas, *command = sys.argv[1:]
code = '''
import os, runpy, sys
true, size = os.write, 5000
count = 0
def write(fd, data):
    global count
    if len(data) != size or not os.readlink(f"/proc/self/fd/{fd}").startswith(NAS):
        return true(fd, data)
    count += 1
    if count > 1 and WHEN == "1":
        return true(fd, data)
    if LIE.startswith("retval"):
        return os.lseek(fd, size, 1) and len(data) and os.ftruncate(fd, size) or size
    return true(fd, b"B" + bytes(data)[1:])
os.write = write
sys.argv = ["coldchain", *ARGS]
runpy.run_module("coldchain", run_name="__main__")
'''
head = f"NAS, WHEN, LIE, ARGS = {nas!r}, {when!r}, {lie!r}, {command[3:]!r}\\n"
os.execv(command[0], [command[0], "-c", head + code])
"""
"""Plays a disk that drops or alters what it acknowledged: strace cannot tell one thread's file from another's."""


@needs_root
def test_row52_short_writes_lose_nothing(tmp_path: Path, mounts: Mounts) -> None:
    faulty = mounts.fuse({"short": 999}, "--direct")
    world = World(tmp_path, at={"nas": faulty.place})
    world.write("f", bytes(range(256)) * 400)
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})


@needs_root
@pytest.mark.parametrize("code", [5, 16])
def test_row53_a_rename_that_fails_leaves_the_old_version(tmp_path: Path, mounts: Mounts, code: int) -> None:
    faulty = mounts.fuse({})
    world = World(tmp_path, at={"nas": faulty.place})
    world.write("f", b"old")
    assert world.run().code == 0
    world.write("f", b"the new one")
    world.kept["f"] = {sha256(b"old")}
    faulty.rules({"faults": [{"op": "rename", "errno": code, "match": "f"}]})
    ended = world.run()
    assert ended.code == 3, ended.said
    assert (faulty.backing / "f").read_bytes() == b"old"
    faulty.rules({})
    world.judge(ended)
    assert not world.leftovers()
    world.kept.clear()
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended)


@needs_root
def test_row54_refused_modes_and_times_do_not_cost_the_data(tmp_path: Path, mounts: Mounts) -> None:
    faulty = mounts.fuse({"faults": [{"op": "chmod", "errno": 1}, {"op": "utimens", "errno": 1}]})
    world = World(tmp_path, at={"nas": faulty.place})
    world.write("f", b"f", mtime_ns=10**18)
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})
    assert not world.to_send(), "a time that the place did not keep is no change"


@needs_root
def test_row55_a_destination_that_is_read_only_is_told(tmp_path: Path, mounts: Mounts) -> None:
    world = World(tmp_path, ("ro", "nas"), at={"ro": mounts.tmpfs()})
    world.write("a", b"a")
    assert world.run().code == 0
    world.write("b", b"b")
    run("mount", "-o", "remount,ro", world.at["ro"])
    ended = world.run()
    assert ended.code == 3, ended.said
    assert {name for _, name in ended.troubles} == {"ro"}
    world.judge(ended, lost={})


@needs_root
def test_row57_a_destination_that_lists_nothing_for_a_while_is_not_overwritten(tmp_path: Path, mounts: Mounts) -> None:
    faulty = mounts.fuse({})
    world = World(tmp_path, at={"nas": faulty.place})
    world.write("d/f", b"f")
    assert world.run().code == 0
    world.put("nas", "d/g", b"theirs")
    world.write("d/g", b"ours")
    faulty.rules({"faults": [{"op": "readdir", "errno": 2, "match": "/d"}]})
    ended = world.run()
    faulty.rules({})
    world.judge(ended, lost={})
    assert ended.code != 0


@needs_root
@pytest.mark.parametrize("kind", ["exfat", "fold"])
def test_row58_names_that_differ_by_case_are_refused_and_not_merged(tmp_path: Path, mounts: Mounts, kind: str) -> None:
    place = mounts.exfat() if kind == "exfat" else mounts.fuse({"fold": True}).place
    world = World(tmp_path, at={"nas": place})
    for path in ("F", "f", "D/x", "d/x", "d/y"):
        world.write(path, path.encode())
    ended = world.run()
    assert ended.code == 3, ended.said
    assert {path for path, _ in ended.troubles} == {"f", "d/x", "d/y"}
    assert {state for state, _ in ended.troubles.values()} == {State.REFUSED}
    world.judge(ended, lost={})


@needs_root
def test_row58_twins_in_two_datasets_are_refused(tmp_path: Path, mounts: Mounts) -> None:
    """A hundred folders lie between the two, more than are remembered one by one."""
    world = World(tmp_path, at={"nas": mounts.fuse({"fold": True}).place}, job='datasets = "*/q*"')
    world.write("p/Q1", b"a file")
    world.write("p/q1/x", b"in a dataset")
    for number in range(100):
        world.write(f"z{number}/{number}/f", b"z")
    ended = world.run()
    assert ended.code == 3, ended.said
    assert ended.troubles["p/q1/x", "nas"][0] is State.REFUSED
    assert "cannot tell it from p/Q1" in ended.troubles["p/q1/x", "nas"][1]
    world.judge(ended, lost={})


@needs_root
def test_row59_two_spellings_of_one_text_are_refused_and_not_merged(tmp_path: Path, mounts: Mounts) -> None:
    world = World(tmp_path, at={"nas": mounts.fuse({"nfd": True}).place})
    for form in ("NFC", "NFD"):
        world.write(unicodedata.normalize(form, "é"), form.encode())
    ended = world.run()
    assert ended.code == 3, ended.said
    assert len(ended.troubles) >= 1
    assert {state for state, _ in ended.troubles.values()} <= {State.REFUSED, State.FAILED}
    told = {path for path, _ in ended.troubles}
    verified = [unicodedata.normalize("NFC", path) for path in world.history if path not in told]
    names = [name for name in os.listdir(world.at["nas"]) if name != ".coldchain"]
    assert [unicodedata.normalize("NFC", name) for name in names] == verified
    assert len(verified) <= 1


@pytest.mark.parametrize("inside", ["source/nas", "."])
def test_row63_a_destination_inside_of_its_source_is_refused(tmp_path: Path, inside: str) -> None:
    (tmp_path / inside).mkdir(parents=True, exist_ok=True)
    world = World(tmp_path, at={"nas": tmp_path / inside})
    world.write("f", b"f")
    with pytest.raises(ConfigurationError):
        world.job  # noqa: B018


def test_row78_two_hosts_on_one_prefix_overwrite_nothing_of_one_another(tmp_path: Path) -> None:
    one = World(tmp_path / "one", host="a")
    one.write("f", b"of a")
    assert one.run().code == 0
    other = World(tmp_path / "two", at={"nas": one.at["nas"]}, host="b")
    other.write("f", b"of b")
    ended = other.run(init=False)
    assert isinstance(ended.error, DestinationAbsent), "another writer needs consent"
    ended = other.run()
    assert ended.code == 3, ended.said
    assert ended.troubles["f", "nas"][0] is State.REFUSED
    assert (one.at["nas"] / "f").read_bytes() == b"of a"
    one.write("f", b"of a, newer")
    ended = one.run(replaced(one.job, on_change=OnChange.KEEP_BOTH))
    assert ended.code == 0, ended.said
    one.judge(ended, lost={})


def test_row78_another_host_that_sees_the_same_source_adopts(tmp_path: Path) -> None:
    world = World(tmp_path, host="a")
    world.write("f", b"same")
    assert world.run().code == 0
    other = with_host(world, "b")
    ended = other.run()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs the Debian package strace")
def test_row79_the_same_job_twice_at_once_ends_with_5(world: World) -> None:
    world.write("f", b"f")
    slow = strace("syncfs:delay_enter=3000000:when=1")
    first = subprocess.Popen(
        [*slow, *COLDCHAIN, "run", "j", "--init", "--config", str(world.file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    holder = world.config.state / "locks" / "j.holder"
    while not holder.exists():
        assert first.poll() is None, first.communicate()
    second = world.command("run", "j", "--init")
    assert second.returncode == 5, second.stderr
    output = first.communicate(timeout=60)[0]
    assert first.returncode == 0, output
    ended = world.run_command()
    assert ended.code == 0
    world.judge(ended, lost={})


def test_keep_both_never_gives_one_name_to_two_files(world: World) -> None:
    """A new file of the source has just the name that a changed one would be kept under."""
    world.write("plate.tif", b"one")
    job = replaced(world.job, on_change=OnChange.KEEP_BOTH)
    assert world.run(job).code == 0
    world.write("plate.tif", b"another")
    world.write("plate~v2.tif", b"of its own")
    world.run(job)
    ended = world.run(job)
    assert ended.code in {0, 3}, ended.said
    there = {path.name: path.read_bytes() for path in world.at["nas"].iterdir() if path.is_file()}
    assert there["plate.tif"] == b"one"
    assert b"another" in there.values()
    if not ended.code:
        assert b"of its own" in there.values()
    else:
        assert ended.troubles["plate~v2.tif", "nas"][0] is State.REFUSED
    assert not world.leftovers()


def test_a_replacement_that_was_not_recorded_any_more_is_recognised_as_the_new_version(world: World) -> None:
    """Killed between the rename and the record, with size and mtime of the old version: the next run finishes."""
    stamp = 10**18
    world.write("f", b"old", mtime_ns=stamp)
    assert world.run().code == 0
    world.write("f", b"new", mtime_ns=stamp)
    (world.at["nas"] / "f").write_bytes(b"new")
    os.utime(world.at["nas"] / "f", ns=(stamp, stamp))
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended)
