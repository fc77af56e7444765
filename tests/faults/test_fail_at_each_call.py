"""Row 5: what is said when any one system call fails, with EIO or for want of room?

Never a traceback, and never "verified" of what is not.
"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from coldchain.testing.oracle import read_tree
from tests.faults.each_call import command, each_call, prepared, rotten, state, stored, whole, without_ledger
from tests.faults.gate import Ended, Gate, needs_gate
from tests.faults.test_kill_at_each_call import every, finishes, undisturbed, without_set_aside

pytestmark = needs_gate
errors = pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])


def in_words(failed: Ended) -> None:
    """P13: whatever fails, it is said in a sentence, and the exit code is one of the list."""
    assert "Traceback" not in failed.said, failed
    assert "this is a bug" not in failed.said, failed
    assert failed.code in {0, 2, 3, 4}, failed


@errors
@every(some=37)
def test_p02_a_run_in_which_any_call_fails_never_says_verified_of_what_is_not(
    gate: Gate, stage: Path, error: int, step: int
) -> None:
    words = ("run", "j", "--init")
    expected = undisturbed(gate, prepared, words, stage)
    for world, failed in each_call(gate, prepared, words, stage, step, error=error):
        in_words(failed)
        whole(world, world.at["nas"], failed)
        world.judge(world.ended(failed.code, failed.said))
        finishes(gate, world, failed, expected)


@every(some=37, each=5)
def test_p15_a_restore_in_which_any_call_fails_says_so_and_the_next_one_finishes(
    gate: Gate, stage: Path, step: int
) -> None:
    back = stage / "world" / "back"
    words = ("restore", "j", ".", "--to", str(back))
    for world, failed in each_call(gate, stored, words, stage, step, error=errno.EIO):
        in_words(failed)
        whole(world, back, failed)
        if not failed.code:
            assert read_tree(back) == read_tree(world.source), failed
        ended = command(gate, world, *words)
        assert ended.code == 0, (failed, ended)
        assert read_tree(back) == read_tree(world.source), failed


@every(some=61, each=7)
def test_p02_a_repair_in_which_any_call_fails_says_so_and_the_next_one_finishes(
    gate: Gate, stage: Path, step: int
) -> None:
    words = ("check", "j", "--repair")
    expected = without_set_aside(undisturbed(gate, rotten, words, stage))
    for world, failed in each_call(gate, rotten, words, stage, step, error=errno.EIO):
        in_words(failed)
        ended = command(gate, world, *words)
        assert ended.code == 0, (failed, ended)
        ended = command(gate, world, "run", "j")
        assert ended.code == 0, (failed, ended)
        assert without_set_aside(state(world)) == expected, failed


@every(some=61, each=7)
def test_p08_a_rebuild_in_which_any_call_fails_says_so_and_the_next_one_finishes(
    gate: Gate, stage: Path, step: int
) -> None:
    words = ("rebuild", "j")
    expected = undisturbed(gate, without_ledger, words, stage)
    for world, failed in each_call(gate, without_ledger, words, stage, step, error=errno.EIO):
        in_words(failed)
        ended = command(gate, world, *words)
        assert ended.code == 0, (failed, ended)
        finishes(gate, world, failed, expected)
