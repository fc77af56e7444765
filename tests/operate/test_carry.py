"""What is tried again within a run, and what waits for the next one?"""

from __future__ import annotations

from pathlib import Path

from coldchain.model import State
from coldchain.monitor import SilentMonitor
from tests.faults.world import World


class Instrument(SilentMonitor):
    """Writes to a file while it is read, the first so many times."""

    def __init__(self, world: World, path: str, times: int) -> None:
        self.world, self.path, self.times = world, path, times

    def moved(self, size_bytes: int) -> None:
        if self.times:
            self.times -= 1
            content = (self.world.source / self.path).read_bytes() + b"+"
            self.world.write(self.path, content)


class Impatient(SilentMonitor):
    """Asks to stop once some bytes were carried."""

    def moved(self, size_bytes: int) -> None:
        self.stopping = True


def test_p02_a_file_that_changed_once_while_it_was_read_is_read_again_in_the_same_run(tmp_path: Path) -> None:
    world = World(tmp_path, ("nas", "tape"))
    world.write("f", b"x" * 100)
    world.monitor = Instrument(world, "f", 1)
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended)


def test_p01_a_file_that_changes_each_time_is_held_and_the_next_run_carries_it(tmp_path: Path) -> None:
    world = World(tmp_path, ("nas", "tape"))
    world.write("f", b"x" * 100)
    world.monitor = Instrument(world, "f", 100)
    ended = world.run()
    assert ended.code == 3
    assert {state for state, _ in ended.troubles.values()} == {State.HELD}
    world.judge(ended)
    assert not world.leftovers()
    world.monitor = SilentMonitor()
    ended = world.run()
    assert ended.code == 0
    world.judge(ended)


def test_p11_a_run_that_is_stopped_says_so_and_the_next_one_finishes(tmp_path: Path) -> None:
    world = World(tmp_path, ("nas", "tape"))
    for number in range(20):
        world.write(f"f{number:02}", bytes([number]) * (3 << 20))
    world.monitor = Impatient()
    ended = world.run()
    assert ended.code == 130
    world.judge(ended, lost={})
    assert not world.leftovers()
    world.monitor = SilentMonitor()
    ended = world.run()
    assert ended.code == 0
    world.judge(ended, lost={})
    assert not world.to_send()
