"""Do datasets that travel together keep their own rules and their own records?"""

from __future__ import annotations

from pathlib import Path

from coldchain.errors import SourceAbsent
from coldchain.model import Dataset, State, Tally
from coldchain.monitor import SilentMonitor
from coldchain.operate.convoy import convoys
from coldchain.operate.job import run_job
from coldchain.operate.opening import Wish
from coldchain.steps.draft import Draft
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


class Unplugged(SilentMonitor):
    """The source is unplugged when a piece of this size was read."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes

    def moved(self, size_bytes: int) -> None:
        if size_bytes == self.size_bytes:
            raise SourceAbsent("it was unplugged")


def _listed(world: World, dataset: str) -> str:
    file = world.at["nas"] / ".coldchain" / "manifests" / "j" / f"{dataset}.sha256"
    return file.read_text() if file.exists() else ""


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


def test_p08_a_run_that_had_to_stop_leaves_word_of_the_manifests_that_it_owes(tmp_path: Path) -> None:
    world = _many(tmp_path, 100)
    assert world.run().code == 0
    world.write("day000/c", b"new, and carried")
    world.write("day100/a", b"carried in the next convoy, and the last that was read")
    world.monitor = Unplugged(len(b"carried in the next convoy, and the last that was read"))
    assert isinstance(world.run().error, SourceAbsent)
    assert "day000/c" not in _listed(world, "day000")
    world.monitor = SilentMonitor()
    (world.source).rename(tmp_path / "aside")
    assert world.run().code != 0  # it cannot even begin, and must not forget either
    (tmp_path / "aside").rename(world.source)
    ended = world.run()
    assert ended.code == 0, ended.said
    assert "day000/c" in _listed(world, "day000")
    world.judge(ended)


def test_p08_after_a_kill_a_run_of_one_dataset_writes_the_manifests_of_the_others(tmp_path: Path) -> None:
    world = _many(tmp_path, 3)
    assert world.run().code == 0
    for file in (world.at["nas"] / ".coldchain" / "manifests" / "j").glob("day001.*"):
        file.unlink()
    with world.ledger() as ledger:
        ledger.begin_run("j", "run", world.now)  # killed when files were recorded, and no manifest written yet
    with world.ledger() as ledger:
        report = run_job(world.job, ledger, Wish(datasets=frozenset({"day000"})), world.around())
    assert report.exit_code == 0
    assert "day001/a" in _listed(world, "day001")


def test_p17_a_large_dataset_travels_alone_so_that_nobody_remembers_whose_each_file_is() -> None:
    draft = Draft(("nas",))
    for name, files in (("a", 5), ("b", 19_000), ("large", 20_000), ("c", 5)):
        draft.begin(Dataset(name)).sending.add_all(Tally(files, files))
    together = [[planned.dataset.name for planned, _ in convoy] for convoy in convoys(draft)]
    assert together == [["a", "b"], ["large"], ["c"]]
    draft.close()
