"""When files are brought back: is it all of them, the right version of each, and is what happened said?"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from coldchain.config.values import Destination, Job
from coldchain.errors import StoreError, UsageError
from coldchain.model import State, Tally, Trouble
from coldchain.monitor import Monitor, SilentMonitor
from coldchain.operate.restore import RestoreReport, Wanted, restore_dataset
from coldchain.steps.transfer import Batch, BatchResult, process_batch
from tests.faults.world import World

CONTENTS = {"run/a": b"a" * 10, "run/b": b"b" * 20, "run/sub/c": b"c" * 30}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Three files at two destinations."""
    world = World(tmp_path / "world", ("nas", "tape"))
    for path, content in CONTENTS.items():
        world.write(path, content)
    assert world.run().code == 0
    return world


@pytest.fixture
def back(tmp_path: Path) -> Path:
    return tmp_path / "deep/back"


def restore(world: World, back: Path, *, job: Job | None = None, dataset: str = "", **wanted: object) -> RestoreReport:
    with world.ledger() as ledger:
        name = dataset or ledger.datasets("j")[0]
        return restore_dataset(job or world.job, ledger, Wanted(name, back, **wanted), world.around())  # type: ignore[arg-type]


def found(back: Path) -> dict[str, bytes]:
    return {str(file.relative_to(back)): file.read_bytes() for file in back.rglob("*") if file.is_file()}


def reasons(report: RestoreReport) -> dict[str, str]:
    return {path: trouble.reason for path, trouble in report.troubles.items()}


def test_everything_comes_back_and_is_counted(world: World, back: Path) -> None:
    report = restore(world, back)
    assert found(back) == CONTENTS
    assert report.exit_code == 0
    assert report.wanted == report.restored == Tally(3, 60)
    assert report.origins == {"nas": 3}
    assert report.troubles == {}
    for path in CONTENTS:
        was, now = (world.source / path).stat(), (back / path).stat()
        assert (was.st_mtime_ns, was.st_mode) == (now.st_mtime_ns, now.st_mode)
    said = report.as_json()
    assert (said["format"], said["version"]) == ("coldchain-restore", 1)
    assert (said["wanted"], said["restored"]) == ({"files": 3, "size_bytes": 60}, {"files": 3, "size_bytes": 60})
    assert (said["exit_code"], said["from"], said["troubles"]) == (0, {"nas": 3}, [])


def test_only_what_fits_the_patterns_comes_back(world: World, back: Path) -> None:
    report = restore(world, back, patterns=("sub/",))
    assert list(found(back)) == ["run/sub/c"]
    assert report.wanted == Tally(1, 30)
    with pytest.raises(UsageError, match=r"\*\.tif"):
        restore(world, back, patterns=("*.tif",))


def test_only_the_destination_that_was_named_is_asked(world: World, back: Path) -> None:
    (world.at["nas"] / "run/a").unlink()
    assert restore(world, back, origin="tape").origins == {"tape": 3}
    report = restore(world, back.parent / "again", origin="nas")
    assert report.exit_code == 3
    assert list(reasons(report)) == ["run/a"]
    with pytest.raises(UsageError, match="there are: nas, tape"):
        restore(world, back, origin="moon")


def test_a_dataset_that_nobody_knows_is_an_error(world: World, back: Path) -> None:
    with pytest.raises(UsageError, match="knows no dataset"):
        restore(world, back, dataset="another")


@pytest.mark.parametrize("damage", ["rotten", "shorter", "gone"])
def test_a_copy_that_is_no_good_is_taken_from_the_next_destination(world: World, back: Path, damage: str) -> None:
    copy = world.at["nas"] / "run/b"
    copy.unlink() if damage == "gone" else copy.write_bytes(bytes(20 if damage == "rotten" else 5))
    report = restore(world, back)
    assert found(back) == CONTENTS
    assert (report.exit_code, report.troubles) == (0, {}), "nothing is left to be said of it"
    assert report.origins == {"nas": 2, "tape": 1}
    assert report.restored == Tally(3, 60)


def test_what_nobody_has_whole_is_said_and_is_not_there(world: World, back: Path) -> None:
    for root in world.at.values():
        (root / "run/b").write_bytes(bytes(20))
    report = restore(world, back)
    assert sorted(found(back)) == ["run/a", "run/sub/c"]
    assert report.exit_code == 4
    assert report.restored == Tally(2, 40)
    assert reasons(report)["run/b"].startswith("tape: "), "the last that was asked"
    assert [one["path"] for one in report.as_json()["troubles"]] == ["run/b"]  # type: ignore[attr-defined]


def test_p15_another_file_in_the_way_is_left_alone_and_asking_elsewhere_would_not_help(
    world: World, back: Path
) -> None:
    (back / "run").mkdir(parents=True)
    (back / "run/a").write_bytes(b"mine")
    (back / "run/b").write_bytes(CONTENTS["run/b"])
    report = restore(world, back)
    assert found(back) == CONTENTS | {"run/a": b"mine"}
    assert report.exit_code == 3
    assert reasons(report)["run/a"].startswith("nas: ")
    assert report.restored == Tally(2, 50), "what is there and equal counts"


def test_with_overwrite_another_file_gives_way_and_a_new_one_is_written(world: World, back: Path) -> None:
    (back / "run").mkdir(parents=True)
    (back / "run/a").write_bytes(b"mine")
    report = restore(world, back, overwrite=True)
    assert found(back) == CONTENTS
    assert report.exit_code == 0


def test_of_two_versions_the_one_that_was_stored_last_comes_back(tmp_path: Path, back: Path) -> None:
    world = World(tmp_path / "world", ("nas", "tape"))
    world.write("run/a", b"first")
    assert world.run().code == 0
    world.later(days=1)
    world.write("run/a", b"second version")
    tape = tuple(one for one in world.job.destinations if one.name == "tape")
    assert world.run(with_destinations(world.job, tape)).code == 0
    assert {name: (root / "run/a").read_bytes() for name, root in world.at.items()} == {
        "nas": b"first", "tape": b"second version"
    }  # fmt: skip
    report = restore(world, back)
    assert found(back) == {"run/a": b"second version"}
    assert (report.wanted, report.origins) == (Tally(1, 14), {"tape": 1})


def with_destinations(job: Job, destinations: tuple[Destination, ...]) -> Job:
    return Job(**{name: getattr(job, name) for name in Job.__slots__} | {"destinations": destinations})


def test_what_a_killed_restore_left_is_swept_and_nothing_else(world: World, back: Path) -> None:
    back.mkdir(parents=True)
    left, other = back / ".~restore-01234567.coldchain", back / ".~another-01234567.coldchain"
    for file in (left, other):
        file.write_bytes(b"half")
    assert restore(world, back).exit_code == 0
    assert not left.exists()
    assert other.exists()


def test_a_file_is_no_folder_to_restore_into(world: World, back: Path) -> None:
    back.parent.write_bytes(b"a file")
    with pytest.raises(StoreError):
        restore(world, back)


class Stopping(SilentMonitor):
    stopping = True


def test_a_restore_that_was_stopped_says_so(world: World, back: Path) -> None:
    world.monitor = Stopping()
    assert restore(world, back).exit_code == 130


def test_copies_with_digests_of_two_kinds_come_back_together(world: World, back: Path) -> None:
    world.later(hours=1)
    world.write("run/b2", b"with another digest")
    world.configure('digest = "blake3"')
    assert world.run().code == 0
    world.now += timedelta(hours=1)
    report = restore(world, back)
    assert report.exit_code == 0
    assert found(back) == CONTENTS | {"run/b2": b"with another digest"}


@pytest.mark.parametrize(
    ("only", "failures", "asked"),
    [
        ("", 1, ["nas", "tape"]),
        ("", 3, ["nas", "tape", "nas", "tape"]),
        ("", 99, ["nas", "tape", "nas", "tape"]),
        ("nas", 1, ["nas", "nas"]),
        ("nas", 2, ["nas", "nas", "nas"]),
        ("nas", 99, ["nas", "nas", "nas"]),
    ],
)
def test_where_trouble_may_pass_the_same_place_is_asked_again_after_the_others(
    world: World, back: Path, monkeypatch: pytest.MonkeyPatch, only: str, failures: int, asked: list[str]
) -> None:
    names: list[str] = []

    def failing(batch: Batch, monitor: Monitor) -> BatchResult:
        names.append(batch.source.name)
        if len(names) > failures:
            return process_batch(batch, monitor)
        sends = (send.entry for send in batch.sends)
        return BatchResult(
            [Trouble("restore", one.path, one.size_bytes, State.FAILED, "it broke", again=True) for one in sends]
        )

    monkeypatch.setattr("coldchain.operate.restore.process_batch", failing)
    report = restore(world, back, origin=only)
    assert names == asked
    assert report.exit_code == (0 if failures < len(asked) else 3)
    assert found(back) == (CONTENTS if failures < len(asked) else {})
    assert set(reasons(report).values()) == (set() if failures < len(asked) else {f"{asked[-1]}: it broke"})
