"""Row 5: what is left when the program is killed at any system call that changes something?

Each commit kills at some calls, the second tier at every one: before the call, in whichever thread makes it.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from coldchain.testing.oracle import read_tree
from tests.faults.each_call import (
    Fresh,
    command,
    each_call,
    prepared,
    recorded,
    rotten,
    state,
    stored,
    untouched,
    whole,
    without_ledger,
)
from tests.faults.gate import Ended, Gate, needs_gate
from tests.faults.world import World

pytestmark = needs_gate


def every(some: int, each: int = 1) -> pytest.MarkDecorator:
    """One of ``some`` calls; in the second tier every call, or one of ``each``."""
    second = pytest.param(each, id="every" if each == 1 else f"one of {each}", marks=pytest.mark.faults)
    return pytest.mark.parametrize("step", [pytest.param(some, id=f"one of {some}"), second])


def finishes(gate: Gate, world: World, stopped: Ended, undisturbed: dict[str, object]) -> None:
    """The same command again ends with 0, and all is as if nothing had happened."""
    ended = command(gate, world, "run", "j", "--init")
    assert ended.code == 0, (stopped, ended.said)
    found = state(world)
    assert found == undisturbed, (stopped, {name: found[name] for name in found if found[name] != undisturbed[name]})
    assert not world.leftovers(), stopped
    world.verify_manifests()


def undisturbed(gate: Gate, fresh: Fresh, words: tuple[str, ...], stage: Path) -> dict[str, object]:
    world = fresh(stage / "undisturbed")
    assert command(gate, world, *words).code == 0
    assert command(gate, world, "run", "j", "--init").code == 0
    return state(world)


@every(some=23)
@pytest.mark.parametrize("fresh", [untouched, prepared])
def test_p11_a_run_killed_at_any_call_leaves_whole_files_and_the_next_one_finishes(
    gate: Gate, stage: Path, fresh: Fresh, step: int
) -> None:
    words, kills = ("run", "j", "--init"), 0
    expected = undisturbed(gate, fresh, words, stage)
    for world, stopped in each_call(gate, fresh, words, stage, step):
        assert stopped.code == -signal.SIGKILL, stopped
        kills += 1
        whole(world, world.at["nas"], stopped)
        before = recorded(world)
        assert all((world.at["nas"] / path).exists() for path in before), f"{stopped}: recorded, and not there"
        current = set(before) - {path for path, _ in world.to_send()} if before else set()
        finishes(gate, world, stopped, expected)
        after = recorded(world)
        assert {path: after[path] for path in current} == {path: before[path] for path in current}, "sent twice"
    assert kills * step > 60, "so few calls were seen that some are not asked about any more"


@every(some=23)
@pytest.mark.parametrize("fresh", [untouched, prepared])
def test_p11_it_finishes_also_when_every_file_was_written_anew_after_the_kill(
    gate: Gate, stage: Path, fresh: Fresh, step: int
) -> None:
    """What was published and never recorded is coldchain's own; nobody has to take it away by hand."""
    words, kills = ("run", "j", "--init"), 0
    for world, stopped in each_call(gate, fresh, words, stage, step):
        kills += 1
        for number, path in enumerate(sorted(read_tree(world.source).keys() - {"adopted"})):  # that is a stranger's
            file = world.source / path
            old = file.read_bytes()
            file.write_bytes(bytes(byte ^ 1 for byte in old) if number % 2 and old else old + b"anew")
        ended = command(gate, world, *words)
        assert ended.code == 0, (stopped, ended.said)
        found = {key: digest for key, digest in read_tree(world.at["nas"]).items() if not key.startswith(".coldchain/")}
        assert found == read_tree(world.source), stopped
        assert not world.leftovers(), stopped
        assert not list(world.folder.rglob("begun/*/*")), stopped
        world.verify_manifests()
    assert kills


@every(some=23)
def test_p11_a_restore_killed_at_any_call_leaves_whole_files_and_the_next_one_finishes(
    gate: Gate, stage: Path, step: int
) -> None:
    back = stage / "world" / "back"
    words, kills = ("restore", "j", ".", "--to", str(back)), 0
    for world, stopped in each_call(gate, stored, words, stage, step):
        kills += 1
        whole(world, back, stopped)
        ended = command(gate, world, *words)
        assert ended.code == 0, (stopped, ended)
        assert read_tree(back) == read_tree(world.source), stopped
    assert kills


@every(some=61)
def test_p11_a_repair_killed_at_any_call_is_finished_by_the_next_one(gate: Gate, stage: Path, step: int) -> None:
    words, kills = ("check", "j", "--repair"), 0
    expected = without_set_aside(undisturbed(gate, rotten, words, stage))
    for world, stopped in each_call(gate, rotten, words, stage, step):
        kills += 1
        ended = command(gate, world, *words)
        assert ended.code == 0, (stopped, ended)
        assert command(gate, world, "run", "j").code == 0
        assert without_set_aside(state(world)) == expected, stopped
        assert not world.leftovers(), stopped
        world.verify_manifests()
    assert kills


def without_set_aside(found: dict[str, object]) -> dict[str, object]:
    """What a repair moved out of the way bears a number, which counts the attempts."""
    names = {name for name in read_names(found) if not name.startswith(".coldchain/set-aside/")}
    return found | {"names": names}


def read_names(found: dict[str, object]) -> set[str]:
    names = found["names"]
    assert isinstance(names, set)
    return names


@every(some=61)
def test_p08_a_rebuild_killed_at_any_call_is_finished_by_the_next_one(gate: Gate, stage: Path, step: int) -> None:
    words, kills = ("rebuild", "j"), 0
    expected = undisturbed(gate, without_ledger, words, stage)
    for world, stopped in each_call(gate, without_ledger, words, stage, step):
        kills += 1
        ended = command(gate, world, *words)
        assert ended.code == 0, (stopped, ended)
        assert not world.to_send(), stopped
        finishes(gate, world, stopped, expected)
    assert kills
