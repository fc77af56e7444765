"""Is an acquisition carried rightly while it goes on: nothing half-written, nothing called complete too early?

Every simulated instrument is played step by step in this process, with its files open as the real one keeps them, and
a run is repeated between the steps, without any time to settle: what then keeps a half-written file from the
destination is that it is open, or that the instrument's own arithmetic does not hold.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coldchain.config.values import Incomplete
from coldchain.model import State
from coldchain.simulate.base import Options, open_simulator
from coldchain.simulate.play import play
from coldchain.simulate.steps import Append, Close, Mark, Open, Opening, Step
from coldchain.testing.oracle import read_tree
from coldchain.verdict import Condition
from tests.faults.world import Ended, World
from tests.stores.local.carrying import Mounts

SCALES = {"ifcb": 0.05, "merscope": 0.02, "cellpainting": 0.05, "cytof": 0.02, "rig": 0.05}
KINDS = {**SCALES, "cellpainting-imagexpress": 0.05, "cellpainting-cv8000": 0.05}
JUDGED = [kind for kind in KINDS if kind.partition("-")[0] in ("ifcb", "merscope", "cellpainting")]
LOOKS = 12
GROWING = 'growing = ["Monitor*.txt"]'
START = datetime.now(UTC).replace(hour=3, minute=0, second=0, microsecond=0) - timedelta(days=2)


def instrument_of(kind: str) -> str:
    return kind.partition("-")[0]


class Play:
    """One acquisition, and which bytes each file had whenever it was closed."""

    def __init__(self, kind: str, fault: str = "") -> None:
        simulator = open_simulator(kind)
        options = Options(START, seed=5, scale=KINDS[kind], fault=fault)
        self._steps: Callable[[], Iterator[Step]] = lambda: simulator.steps(options)
        self.total = sum(1 for _ in self._steps())
        self.finished = False

    def stops(self, world: World, looks: int = LOOKS) -> Iterator[None]:
        """Play it all, and pause so often, in between and at the end."""
        pauses = {self.total * number // looks for number in range(1, looks + 1)} - {self.total}
        with closing(play(self._watched(world), world.source, None, lambda _: None, lambda: 0.0)) as playing:
            for number, _ in enumerate(playing, 1):
                if number in pauses:
                    yield
        self.finished = True
        yield

    def _watched(self, world: World) -> Iterator[Step]:
        """The history that the oracle judges by: of a file that is rewritten every closed version, else the last."""
        rewritten = {step.path for step in self._steps() if isinstance(step, Open) and step.how is Opening.REWRITE}
        content: dict[str, bytes] = {}
        for step in self._steps():
            match step:
                case Open(path, _, how):
                    content[path] = b"" if how is not Opening.APPEND else content.get(path, b"")
                case Append(path, make):
                    content[path] += make()
                    if path.rpartition("/")[2].startswith("Monitor"):  # grows for ever, and is carried as it is
                        world.knows(path, content[path])
                case Close(path) if path in rewritten:
                    world.knows(path, content[path])
                case Mark(path, marked):
                    content[path] = marked
            yield step
        for path, whole in content.items():
            world.knows(path, whole)


def world_of(kind: str, folder: Path, more: str = "", **places: Path) -> World:
    job = f'instrument = "{instrument_of(kind)}"\ndatasets = ""\n{GROWING if kind == "rig" else ""}\n{more}'
    world = World(folder, places or ("nas", "tape"), at=places)
    world.configure(job.replace('datasets = ""\n', "# datasets: as the instrument says\n"))
    return world


def conditions(world: World) -> dict[str, Condition]:
    with world.ledger() as ledger:
        return ledger.conditions("j")


def published(world: World, name: str) -> dict[str, str]:
    tree = read_tree(world.at[name])
    return {key: digest for key, digest in tree.items() if not key.startswith(".coldchain/") and not key.endswith("/")}


@pytest.mark.parametrize("kind", KINDS)
def test_p03_p18_no_half_written_file_and_no_early_complete_while_an_instrument_acquires(
    tmp_path: Path, kind: str
) -> None:
    world, playing = world_of(kind, tmp_path), Play(kind)
    seen: list[tuple[str, str, str]] = []
    early: list[dict[str, Condition]] = []
    for _ in playing.stops(world):
        world.now = datetime.now(UTC)
        ended = world.run()
        assert ended.code in (0, 3, 6), ended.said
        seen += [(name, key, digest) for name in world.at for key, digest in published(world, name).items()]
        if not playing.finished:
            early.append(conditions(world))
    assert len(early) >= LOOKS - 2
    half = {(name, key) for name, key, digest in seen if digest not in world.history[key]}
    assert not half, "stood at a destination with bytes that it never rested with"
    if kind in JUDGED:
        complete = [told for told in early if Condition.COMPLETE in told.values()]
        assert not complete, "called complete before its end"
    ended = at_the_end(world)
    assert ended.code == 0, ended.said
    for name in world.at:
        assert published(world, name) == {k: v for k, v in read_tree(world.source).items() if not k.endswith("/")}
    if kind in JUDGED:
        told = {name: condition for name, condition in conditions(world).items() if name != "."}
        assert set(told.values()) == {Condition.COMPLETE}, told


def at_the_end(world: World) -> Ended:
    """Two days later the instrument is silent."""
    world.now = datetime.now(UTC) + timedelta(days=2)
    world.run()
    return world.run()


@pytest.mark.parametrize("kind", SCALES)
def test_p11_the_same_with_a_destination_that_fails_half_of_the_time(tmp_path: Path, kind: str, mounts: Mounts) -> None:
    faulted = mounts.fuse({})
    world, playing = world_of(kind, tmp_path, nas=tmp_path / "nas", weak=faulted.place), Play(kind)
    assert world.run().code in (0, 3, 6)  # marks the destinations while all is well
    troubled = 0
    for number, _ in enumerate(playing.stops(world, 8)):
        op = ("write", "fsync", "rename", "create")[number % 4]
        faulted.rules({"faults": [{"op": op, "errno": errno.EIO, "every": 2}]})
        world.now = datetime.now(UTC)
        ended = world.run()
        troubled += any(state is State.FAILED for state, _ in ended.troubles.values()) or ended.error is not None
        for name in world.at:
            half = {k for k, digest in published(world, name).items() if digest not in world.history.get(k, {digest})}
            assert not half
    assert troubled, "the destination never failed"
    faulted.rules({})
    ended = at_the_end(world)
    assert ended.code == 0, ended.said
    want = {k: v for k, v in read_tree(world.source).items() if not k.endswith("/")}
    for name in world.at:
        assert published(world, name) == want
        for key, digest in published(world, name).items():
            assert digest in world.history[key]


@pytest.mark.parametrize("kind", JUDGED)
@pytest.mark.parametrize("fault", ["crash", "missing", "truncate"])
def test_a_faulty_acquisition_is_never_complete_and_what_is_whole_arrives(
    tmp_path: Path, kind: str, fault: str
) -> None:
    world, playing = world_of(kind, tmp_path), Play(kind, fault)
    for _ in playing.stops(world, 2):
        pass
    ended = at_the_end(world)
    told = {name: condition for name, condition in conditions(world).items() if name != "."}
    assert Condition.INCOMPLETE in told.values(), told
    assert ended.report is not None
    for dataset in ended.report.datasets:
        if dataset.verdict.condition is Condition.INCOMPLETE:
            assert dataset.verdict.summary
    troubled = {path for path, _ in ended.troubles}
    for name in world.at:
        there = published(world, name)
        want = {k: v for k, v in read_tree(world.source).items() if not k.endswith("/") and k not in troubled}
        assert there == want
    flagged = world.run(replace(world.job, incomplete=Incomplete.FLAG))
    assert flagged.code == 0, flagged.said
