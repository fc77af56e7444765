"""Row 80, at each moment: is a connection that breaks once made again, with nothing lost, doubled or left lying about?

The moments of a run in which nothing happens are counted first.  Every run has a new place, so that what is done there
for the first time, by ``--init``, is broken off as well.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from coldchain.errors import ColdchainError
from coldchain.operate.restore import Wanted, restore_dataset
from coldchain.testing.oracle import read_tree
from tests.faults.world import Ended, World
from tests.promises.lab import Lab, data, reasons
from tests.stores.together.brittle import Brittle
from tests.stores.together.worlds import KINDS, New

SMALL_BYTES, LARGE_BYTES, IN_PARTS_BYTES = 2000, (2 << 20) + 1, (9 << 20) + 1
FILES = 4
FEW, MORE = 4, 8
"""So many moments are tried, as far from one another as can be; all of them where COLDCHAIN_MOMENTS is "all"."""


def moments(total: int, few: int) -> list[int]:
    """Where the link breaks."""
    if os.environ.get("COLDCHAIN_MOMENTS") == "all":
        return list(range(1, total + 1))
    return sorted({1 + n * (total - 1) // (few - 1) for n in range(few)})


def acquired(world: World, large_bytes: int) -> World:
    for number in range(FILES - 1):
        World.write(world, f"run/{number}.tif", os.urandom(SMALL_BYTES))
    World.write(world, "run/large.tif", os.urandom(large_bytes))
    return world


Act = Callable[[World, Path], None]
"""With a folder for what comes of it; asserts that it succeeds."""


def checked(world: World, folder: Path) -> None:
    report = world.check()
    assert (report.exit_code, report.good.files) == (0, FILES), [*report.shown]


def restored(world: World, folder: Path) -> None:
    with world.ledger() as ledger:
        report = restore_dataset(world.job, ledger, Wanted(".", folder), world.around())
    assert report.exit_code == 0, report.troubles
    assert read_tree(folder) == read_tree(world.source)


def fetched(world: World, folder: Path) -> None:
    """By a job whose source is the place."""
    lab = Lab(folder)
    place = world.job.destinations[0].place
    report = lab.run(lab.job(source=replace(place, name="lab"), exclude=("/.coldchain/",)))
    assert report.exit_code == 0, reasons(report)
    assert data(lab.nas) == data(world.source)


def adopted(world: World, folder: Path) -> None:
    """By a run whose ledger was lost."""
    for file in world.config.state.glob("ledger.sqlite*"):
        file.unlink()
    ended = world.run(init=False)
    assert ended.code == 0, ended.said
    world.judge(ended)


def rules(world: World) -> object:
    """What the place was found to do to names."""
    return json.loads((world.at["nas"] / ".coldchain/destination.json").read_bytes())["names"]


@pytest.mark.parametrize("few", [FEW, pytest.param(MORE, marks=pytest.mark.faults)])
@pytest.mark.parametrize("kind", KINDS)
def test_row_80_a_connection_that_breaks_at_any_moment(
    kind: str, few: int, link: Brittle, request: pytest.FixtureRequest
) -> None:
    new: New = request.getfixturevalue(f"over_{kind}")
    large_bytes = IN_PARTS_BYTES if kind in {"s3", "az"} else LARGE_BYTES  # fake-gcs-server ends broken uploads itself
    whole = acquired(new("whole"), large_bytes)
    ended = whole.run()
    assert ended.code == 0, ended.said
    whole.judge(ended)
    wrong = {}
    for moment in moments(link.moments, few):
        world = acquired(new(f"{moment:05}"), large_bytes)
        link.break_at(moment)
        ended = world.run()
        try:
            assert ended.code == 0, ended.said
            world.judge(ended)
            assert rules(world) == rules(whole)
        except AssertionError as error:
            wrong[moment] = str(error)
    assert not wrong, "\n".join(f"{moment}: {what}" for moment, what in wrong.items())


@pytest.mark.parametrize("kind", KINDS)
def test_row_80_a_server_that_notices_a_broken_upload_late(
    kind: str, link: Brittle, request: pytest.FixtureRequest
) -> None:
    """What was removed by then it may bring back, or remove only then: at the latest the next run takes it away."""
    new: New = request.getfixturevalue(f"over_{kind}")
    large_bytes = IN_PARTS_BYTES if kind in {"s3", "az"} else LARGE_BYTES
    assert acquired(new("whole"), large_bytes).run().code == 0
    amid, soon_s, late_s = link.amid_content, 0.3, 2.0

    def broken(noticed_after_s: float) -> tuple[World, Ended]:
        world = acquired(new(f"after {noticed_after_s} s"), large_bytes)
        link.break_at(amid, noticed_after_s)
        ended = world.run()
        assert ended.code == 0, ended.said
        time.sleep(noticed_after_s + 1)  # a busy server takes its time to clean up
        return world, ended

    world, ended = broken(soon_s)
    world.judge(ended)
    world, _ = broken(late_s)
    ended = world.run(init=False)
    assert ended.code == 0, ended.said
    world.judge(ended)


@pytest.mark.parametrize("few", [FEW // 2, pytest.param(MORE // 2, marks=pytest.mark.faults)])
@pytest.mark.parametrize("act", [checked, restored, fetched, adopted])
@pytest.mark.parametrize("kind", KINDS)
def test_row_80_a_connection_that_breaks_while_copies_are_read(
    kind: str, act: Act, few: int, link: Brittle, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    new: New = request.getfixturevalue(f"over_{kind}")
    world = acquired(new("whole"), LARGE_BYTES)
    ended = world.run()
    assert ended.code == 0, ended.said
    link.break_at(0)
    act(world, tmp_path / "unbroken")
    wrong = {}
    for moment in moments(link.moments, few):
        link.break_at(moment)
        try:
            act(world, tmp_path / f"broken-{moment}")
        except (AssertionError, ColdchainError) as error:
            wrong[moment] = str(error)
    assert not wrong, "\n".join(f"{moment}: {what}" for moment, what in wrong.items())
