"""Do datasets that travel together keep their own rules and their own records?"""

from __future__ import annotations

from pathlib import Path

from coldchain.model import State
from coldchain.monitor import SilentMonitor
from tests.faults.world import World

_FOLDERS = 'datasets = "folders"'


class Instrument(SilentMonitor):
    """Writes to one file whenever something is read, the first so many times."""

    def __init__(self, world: World, path: str, times: int) -> None:
        self.world, self.path, self.times = world, path, times

    def moved(self, size_bytes: int) -> None:
        if self.times:
            self.times -= 1
            self.world.write(self.path, (self.world.source / self.path).read_bytes() + b"+")


def _many(tmp_path: Path, datasets: int) -> World:
    world = World(tmp_path, ("nas", "tape"), job=_FOLDERS)
    for number in range(datasets):
        for name in ("a", "b"):
            world.write(f"day{number:03}/{name}", f"{number} {name}".encode())
    return world


def test_every_dataset_of_a_convoy_has_its_own_records_and_manifests(tmp_path: Path) -> None:
    world = _many(tmp_path, 103)  # more than travel at once
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended)
    with world.ledger() as ledger:
        for number in range(103):
            for name in ("nas", "tape"):
                records = ledger.stored("j", name, f"day{number:03}")
                assert [record.path for record in records] == [f"day{number:03}/a", f"day{number:03}/b"]
    assert len(list((world.at["nas"] / ".coldchain" / "manifests" / "j").glob("*.json"))) == 103


def test_trouble_in_one_dataset_is_counted_there_and_spares_the_others_of_its_convoy(tmp_path: Path) -> None:
    world = _many(tmp_path, 5)
    world.put("nas", "day002/a", b"of somebody else")
    ended = world.run()
    assert ended.code == 3
    assert {address: state for address, (state, _) in ended.troubles.items()} == {
        ("day002/a", "nas"): State.REFUSED,
    }
    assert ended.report is not None
    assert [one.name for one in ended.report.datasets if one.troubles] == ["day002"]
    world.judge(ended)


def test_a_file_that_changed_underway_goes_again_as_one_of_its_own_dataset(tmp_path: Path) -> None:
    world = _many(tmp_path, 5)
    world.monitor = Instrument(world, "day004/b", 1)
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended)
    with world.ledger() as ledger:
        (_, record) = ledger.stored("j", "nas", "day004")
        assert record.size_bytes == len(b"4 b+")
