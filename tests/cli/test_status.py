"""Is it shown what watchers do, in text and for programs?"""

from __future__ import annotations

from datetime import UTC, datetime

from coldchain.model import Tally
from coldchain.operate.watching.agent import AgentState, read_states, write_state
from tests.cli.conftest import Desk

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STATE = AgentState(
    "rig",
    4711,
    "host",
    "1",
    NOW,
    NOW,
    phase="carrying",
    how="events",
    dataset="one",
    files_done=1,
    files_total=3,
    backlog={"near": Tally(2, 2048)},
    held=1,
    last_error="bad \x1b[31m thing",
    down={"near": NOW},
)


def left_behind(desk: Desk, state: AgentState) -> None:
    folder = desk.folder / "coldchain-state" / "agents"
    folder.mkdir(parents=True, exist_ok=True)
    write_state(folder, state)
    assert read_states(folder) == [state]


def test_what_was_never_started_is_no_trouble(stored: Desk) -> None:
    ended = stored.type("status")
    assert (ended.code, ended.out) == (0, "rig  not started\n")


def test_one_that_left_a_state_and_holds_no_lock_is_dead(stored: Desk) -> None:
    left_behind(stored, STATE)
    ended = stored.type("status")
    assert ended.code == 3
    assert "DEAD: it was last heard of at 2026-01-02 03:04:05 UTC" in ended.out
    assert "near: 2 files, 2.0 KiB" in ended.out
    assert "\\x1b[31m" in ended.out


def test_programs_get_all_of_it(stored: Desk) -> None:
    left_behind(stored, STATE)
    ended = stored.type("status", "--json")
    (said,) = ended.objects
    assert (said["format"], said["state"]) == ("coldchain-status", "dead")
    assert said["agent"]["backlog"] == {"near": {"files": 2, "size_bytes": 2048}}
    assert said["agent"]["down"] == {"near": "2026-01-02T03:04:05+00:00"}


def test_a_state_that_is_damaged_is_no_state(stored: Desk) -> None:
    left_behind(stored, STATE)
    (stored.folder / "coldchain-state" / "agents" / "rig.json").write_text('{"state_version": 1')
    assert stored.type("status").code == 0
