"""What becomes of a copy that a check cannot read: it may be whole, and only its disk or its network in trouble?"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldchain.model import DISPROVED
from tests.faults.world import World
from tests.operate.test_check import CONTENTS, Listener, check, counted, records
from tests.stores.local.carrying import Faulted, Mounts, needs_root

pytestmark = needs_root
UNREADABLE = {"faults": [{"op": "read", "errno": errno.EIO, "match": "run/a"}]}


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Faulted]:
    with Mounts(tmp_path) as mounts:
        yield mounts.fuse({}, "--direct")


@pytest.fixture
def world(tmp_path: Path, faulty: Faulted) -> World:
    """Two destinations; of one nobody can read ``run/a`` from now on."""
    world = World(tmp_path, ("nas", "tape"), at={"nas": faulty.place})
    for path, content in CONTENTS.items():
        world.write(path, content)
    assert world.run().code == 0
    world.later(days=1)
    faulty.rules(UNREADABLE)
    world.monitor = Listener()
    return world


def behind(faulty: Faulted) -> bytes:
    return (faulty.backing / "run/a").read_bytes()


def test_it_is_neither_good_nor_wrong_and_the_check_ends_with_3(world: World, faulty: Faulted) -> None:
    report = check(world)
    assert counted(report) == (5, 0, 0, 1, 3)
    assert [(name, finding.state, done) for name, finding, done in report.shown] == [("nas", "unreadable", "")]
    assert records(world)["run/a"].proof_how != DISPROVED
    faulty.rules({})
    assert counted(check(world)) == (6, 0, 0, 0, 0)


def test_a_repair_writes_it_anew_from_the_source(world: World, faulty: Faulted) -> None:
    (faulty.backing / "run/a").write_bytes(b"scratched")
    report = check(world, repair=True)
    assert counted(report) == (5, 1, 1, 0, 0)
    assert [(name, done) for name, _, done in report.shown] == [("nas", "mended from the source")]
    faulty.rules({})
    assert behind(faulty) == CONTENTS["run/a"]


def test_p06_a_repair_takes_it_away_only_when_its_bytes_were_read_whole_elsewhere(
    world: World, faulty: Faulted
) -> None:
    world.write("run/a", b"other bytes")
    (world.at["tape"] / "run/a").write_bytes(b"rotten now")
    report = check(world, repair=True)
    assert report.exit_code == 4
    assert behind(faulty) == CONTENTS["run/a"], "the only whole copy"
