"""What does a run still owe of earlier ones, and is it paid?"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from coldchain.operate.job import run_job
from coldchain.operate.opening import Wish
from coldchain.steps.identify import Writer
from tests.faults.world import World
from tests.soak.places import Share
from tests.stores.local.carrying import needs_root

_FOLDERS = 'datasets = "folders"'


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two destinations, one of them optional, that hold two datasets."""
    world = World(tmp_path, ("nas", "usb"))
    world.configure(_FOLDERS, usb="required = false")
    for path in ("day1/a", "day2/a"):
        world.write(path, path.encode())
    assert world.run().code == 0
    return world


def _sums(world: World, destination: str, dataset: str = "day1") -> Path:
    return world.at[destination] / ".coldchain" / "manifests" / "j" / f"{dataset}.sha256"


@contextmanager
def _unwritable(file: Path) -> Iterator[None]:
    """Let another program's folder be in the way."""
    before = file.read_bytes()
    file.unlink()
    (file / "in the way").mkdir(parents=True)
    yield
    shutil.rmtree(file)
    file.write_bytes(before)


@contextmanager
def _away(world: World, destination: str) -> Iterator[None]:
    aside = world.at[destination].rename(world.folder / "aside")
    yield
    aside.rename(world.at[destination])


def _owes_usb(world: World) -> None:
    """A run stores a file at both, and can say so in the manifest of one only."""
    world.write("day1/b", b"late")
    with _unwritable(_sums(world, "usb")):
        ended = world.run()
    assert ended.report is not None
    assert (ended.code, ended.report.manifests_due) == (3, ["day1"])
    assert "day1/b" not in _sums(world, "usb").read_text()


def test_p08_a_manifest_that_is_owed_to_a_disk_is_written_when_the_disk_is_back(world: World) -> None:
    _owes_usb(world)
    with _away(world, "usb"):
        assert world.run(init=False).code == 0, "it is optional"
    assert world.run().code == 0
    world.verify_manifests()
    assert "day1/b" in _sums(world, "usb").read_text()
    assert "day1/b" in _sums(world, "nas").read_text()


def test_p08_a_check_between_two_runs_does_not_forget_what_the_first_one_owes(world: World) -> None:
    _owes_usb(world)
    _sums(world, "usb", "day2").unlink()
    with world.ledger() as ledger:
        ledger.end_run(ledger.begin_run("j", "check", world.now), world.now, 0, {"format": "coldchain-check"})
    ended = world.run()
    assert ended.code == 0, ended.said
    assert "day1/b" in _sums(world, "usb").read_text()
    assert not _sums(world, "usb", "day2").exists(), "of the others nothing was owed"


@pytest.mark.parametrize("rebuilt", [True, False])
def test_p09_a_list_that_was_owed_when_the_ledger_was_lost_is_written_by_who_learns_anew(
    world: World, rebuilt: bool
) -> None:
    """Found by `make soak`: the JSON was new, the list for sha256sum the one before, and only the lost ledger knew."""
    _owes_usb(world)
    world.ledger_file.unlink()
    if rebuilt:
        assert world.rebuild().exit_code == 0
    assert world.run().code == 0
    assert "day1/b" in _sums(world, "usb").read_text()
    world.verify_manifests()


def test_p08_a_disk_that_was_away_after_a_kill_gets_every_manifest_when_it_is_back(world: World) -> None:
    for dataset in ("day1", "day2"):
        _sums(world, "usb", dataset).unlink()
    with world.ledger() as ledger:
        ledger.begin_run("j", "run", world.now)  # killed when files were recorded, and no manifest written yet
    with _away(world, "usb"):
        assert world.run(init=False).code == 0
    with world.ledger() as ledger:
        assert run_job(world.job, ledger, Wish(datasets=frozenset({"day1"})), world.around()).exit_code == 0
    assert [_sums(world, "usb", dataset).exists() for dataset in ("day1", "day2")] == [True, True]


def test_p08_a_disk_that_was_away_for_long_gets_every_manifest_when_it_is_back(world: World) -> None:
    _owes_usb(world)
    summary = {"manifests_due": [], "datasets": [{"destinations": {"nas": {"failed": {"files": 0}}}}]}
    with world.ledger() as ledger:
        for _ in range(20):  # without the disk
            ledger.end_run(ledger.begin_run("j", "run", world.now), world.now, 0, summary)
    assert world.run().code == 0
    assert "day1/b" in _sums(world, "usb").read_text()


@needs_root
@pytest.mark.parametrize(("lie", "verify"), [("drop", "readback"), ("flip", "readback"), ("drop", "size")])
def test_p08_a_manifest_that_a_disk_forgets_is_owed_until_it_keeps_one(tmp_path: Path, lie: str, verify: str) -> None:
    """Found by `make soak`: the copies were sound, and of the manifests nothing was left but their names."""
    with ExitStack() as undo:
        share = Share(tmp_path, undo)
        world = World(tmp_path, ("nas",), at={"nas": share.place})
        world.configure(f'{_FOLDERS}\nverify = "{verify}"')
        world.write("day1/a", b"a")
        assert world.run().code == 0
        world.write("day1/b", b"")  # of an empty file nothing is written, and nothing forgotten
        share.rules["lies"] = {"lies": [{"op": "write", "do": lie, "every": 1}]}
        share.tell()
        ended = world.run()
        assert ended.report is not None
        assert (ended.code, ended.troubles, ended.report.manifests_due) == (3, {}, ["day1"])
        if verify == "readback":
            assert _sums(world, "nas").read_text().splitlines()[-1].endswith("  day1/a"), "the one before it stays"
        share.rules.clear()
        share.tell()
        assert world.run().code == 0
        world.verify_manifests()
        assert "day1/b" in _sums(world, "nas").read_text()


_ONCE = {"errno": errno.EIO, "times": 1}
_TRIED_AGAIN = [
    {"op": "write", "match": "day1/"},
    {"op": "fsync", "match": ".~"},
    {"op": "write", "match": ".coldchain/m"},
]


@needs_root
@pytest.mark.parametrize(
    ("faults", "code", "due", "swept"),
    [
        *(([fault | _ONCE], 0, ["nas"], True) for fault in _TRIED_AGAIN),
        ([{"op": "write", "errno": errno.ENAMETOOLONG, "match": "day1/"}], 3, [], True),
        ([], 0, [], False),
    ],
    ids=["copy", "flush", "manifest", "failed", "nothing"],
)
def test_p11_what_a_first_try_may_have_left_is_looked_for_by_the_next_run(
    tmp_path: Path, faults: list[Mapping[str, object]], code: int, due: list[str], *, swept: bool
) -> None:
    """A server may notice late that a connection broke, and bring back what was removed already."""
    with ExitStack() as undo:
        share = Share(tmp_path, undo)
        world = World(tmp_path, ("nas",), at={"nas": share.place})
        world.configure(_FOLDERS)
        world.write("day1/a", b"a")
        assert world.run().code == 0
        world.write("day1/b", b"b")
        share.rules["faults"] = {"faults": faults}
        share.tell()
        ended = world.run()
        assert ended.report is not None
        assert (ended.code, ended.report.sweep_due) == (code, due), ended.said
        share.rules.clear()
        share.tell()
        late = share.medium() / f"day1/.~{Writer('j', world.host).owner}-01234567.coldchain"
        late.write_bytes(b"half")
        with world.ledger() as ledger:  # a check between the two forgets nothing
            ledger.end_run(ledger.begin_run("j", "check", world.now), world.now, 0, {"format": "coldchain-check"})
        ended = world.run()
        assert ended.report is not None
        assert (ended.code, ended.report.sweep_due) == (0, []), ended.said
        assert late.exists() != swept, "where nothing was tried again, nobody lists a place with a million files"


def test_nothing_is_written_anew_of_what_is_owed_to_nobody(world: World) -> None:
    with _away(world, "usb"):
        assert world.run(init=False).code == 0
    before = [_sums(world, name, day).stat().st_ino for name in world.at for day in ("day1", "day2")]
    for _ in range(2):
        assert world.run().code == 0
    assert [_sums(world, name, day).stat().st_ino for name in world.at for day in ("day1", "day2")] == before
