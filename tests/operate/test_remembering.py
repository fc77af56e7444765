"""What does a run remember for the next one, and leave at its destinations?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from coldchain.content.batches import BATCH_FILES
from coldchain.errors import SourceAbsent, UsageError
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import manifest_keys
from coldchain.model import Entry
from coldchain.operate.job import run_job
from coldchain.operate.opening import Wish
from coldchain.steps.identify import Writer
from coldchain.steps.publish import read_agent
from coldchain.verdict import Condition
from tests.operate.scope import START, Bench, Listening, manifest
from tests.operate.test_whole_runs import bench

__all__ = ["bench"]


def test_p10_only_a_run_over_everything_says_how_full_the_source_is(bench: Bench) -> None:
    def seen() -> tuple[int, object]:
        found = bench.ledger.source("j")
        assert found is not None
        return found.tally.files, found.at

    assert seen() == (3, START + timedelta(hours=1))
    bench.run("p1")
    assert seen()[0] == 3
    bench.monitor.stopping = True
    bench.write("p1/new")
    assert bench.run().exit_code == 130
    assert seen()[0] == 3
    bench.monitor = Listening()
    bench.run()
    assert seen() == (4, bench.now)


def test_a_run_that_was_stopped_by_trouble_says_which_and_when(bench: Bench) -> None:
    with pytest.raises(UsageError):
        bench.run("nonsense")
    (row,) = bench.ledger.runs("j", 1)
    assert (row.exit_code, row.ended) == (UsageError.exit_code, bench.now)
    assert row.summary["exit_code"] == UsageError.exit_code
    assert "holds no dataset 'nonsense'" in str(row.summary["notes"])
    assert bench.run().exit_code == 0


def test_p11_what_a_killed_run_began_is_remembered_until_a_whole_run_went_well(bench: Bench, tmp_path: Path) -> None:
    left = tmp_path / "begun" / "x.0"
    left.parent.mkdir()
    left.write_bytes(b"")

    def run(*datasets: str, **wish: object) -> int:
        bench.now += timedelta(hours=1)
        around = replace(bench.around(), begun=left.parent)
        return run_job(bench.job, bench.ledger, Wish(datasets=frozenset(datasets), **wish), around).exit_code  # type: ignore[arg-type]

    assert (run("p1"), left.exists()) == (0, True)
    assert (run(left_out=frozenset({"tape"})), left.exists()) == (0, True)
    bench.optional = ("usb",)
    bench.at["usb"].unplug()
    assert (run(), left.exists()) == (0, True), "what was begun there is told there only"
    bench.at["usb"].plug_in()
    bench.write("p2/x.part")
    assert (run(), left.exists()) == (3, True)
    bench.source.delete("p2/x.part")
    assert (run(), left.exists()) == (0, False)


def test_the_manifests_of_many_plates_are_all_written(bench: Bench) -> None:
    plates = [f"q{number:02}" for number in range(52)]
    bench.write(*(f"{plate}/a" for plate in plates))
    assert bench.run().exit_code == 0
    assert all(manifest(bench, name, plate)[0] == [f"{plate}/a"] for name in bench.names for plate in plates)
    assert bench.ledger.runs("j", 1)[0].summary["manifests_due"] == []


def test_p08_a_new_ledger_knows_the_destinations_and_their_files_after_its_first_run(bench: Bench) -> None:
    bench.ledger.close()
    bench.ledger = Ledger.empty(START)
    bench.write("p1/new")
    report = bench.run(consent={"init": False})
    assert report.exit_code == 0
    assert all(
        any(f"{name}: this ledger is new; 3 files were learnt" in one for one in report.notes) for name in bench.names
    )
    for name in bench.names:
        assert bench.ledger.destination("j", name) is not None
        assert bench.recorded(name) == bench.held(name) == ["p1/DONE", "p1/a", "p1/new", "p2/a"]
        assert manifest(bench, name, "p1") == (["p1/DONE", "p1/a", "p1/new"], Condition.COMPLETE, True)


@pytest.mark.parametrize("killed", [False, True])
def test_p08_a_new_ledger_learns_also_after_a_first_run_that_learnt_nothing_or_not_all(
    bench: Bench, *, killed: bool
) -> None:
    bench.ledger.close()
    bench.ledger = Ledger.empty(START)
    if not killed:
        bench.ledger.end_run(bench.ledger.begin_run("j", "run", bench.now), bench.now, 3, {})
    else:
        with pytest.raises(UsageError):
            bench.run("nonsense", consent={"init": False})
        run = bench.ledger.begin_run("j", "run", bench.now)
        (record,) = (one for one in bench.ledger.stored("j", "usb", "p2"))
        bench.ledger.forget(run, "j", "p2", "usb", record, "as if it had not come so far", bench.now)
    report = bench.run(consent={"init": False})
    assert any("were learnt from" in note for note in report.notes)
    assert bench.recorded("usb") == ["p1/DONE", "p1/a", "p2/a"]


def test_p13_an_optional_destination_that_is_away_is_left_out_and_said_to_be(bench: Bench) -> None:
    bench.optional = ("usb",)
    bench.write("p2/b")
    bench.at["usb"].unplug()
    report = bench.run(consent={"init": False})
    assert (report.exit_code, report.destinations) == (0, ("nas",))
    (note,) = report.notes
    assert note.startswith("left out, as it is optional: usb: ")
    assert "p2/b" in bench.held("nas")


class Unplugged(Listening):
    """The source is unplugged as soon as a piece of this size was read."""

    def __init__(self, size_bytes: int = 3) -> None:
        super().__init__()
        self.size_bytes = size_bytes

    def moved(self, size_bytes: int) -> None:
        if size_bytes == self.size_bytes:
            raise SourceAbsent("it was unplugged")


def test_p08_what_was_recorded_before_a_run_broke_off_is_in_the_manifest_after_the_next_one(bench: Bench) -> None:
    bench.write(*(f"p1/{number:04}" for number in range(BATCH_FILES)))
    bench.write("p1/last", content=b"breaks off")
    bench.monitor = Unplugged(len(b"breaks off"))
    with pytest.raises(SourceAbsent):
        bench.run()
    assert len(bench.recorded("nas")) > BATCH_FILES, "the first batch was recorded"
    bench.source.delete("p1/last")
    bench.monitor = Listening()
    assert bench.run().exit_code == 0
    assert len(manifest(bench, "nas", "p1")[0]) == BATCH_FILES + 2


def test_p08_a_manifest_that_could_not_be_written_is_owed_until_it_is(bench: Bench) -> None:
    store, key = bench.at["usb"], manifest_keys("j", "p2", "sha256")[0]
    store.delete(key)
    store.put(f"{key}/in the way", b"")
    bench.write("p2/b")
    report = bench.run()
    assert (report.exit_code, report.manifests_due) == (3, ["p2"])
    (note,) = report.notes
    assert note.startswith("usb: the manifest of p2 could not be written: ")
    bench.write("p2/new")
    bench.monitor = Unplugged()
    with pytest.raises(SourceAbsent):
        bench.run()
    bench.monitor = Listening()
    assert bench.run("p1").manifests_due == ["p2"], "also by a run that does not look at it"
    store.delete(f"{key}/in the way")
    assert (bench.run("p1").exit_code, bench.run().exit_code) == (0, 0)
    assert b"p2/b" in store.get(key)
    paid = store.stat(key)
    bench.run()
    assert store.stat(key) == paid, "it is paid once"


def test_p11_what_a_killed_run_left_is_swept_away_and_nothing_of_others(bench: Bench) -> None:
    store = bench.at["usb"]
    mine, theirs = Writer("j", "pc").owner, Writer("another", "pc").owner
    for owner in (mine, theirs):
        store.stage(owner).open("p2/b", Entry("p2/b", 4, 1)).write(b"half")

    def left() -> list[bool]:
        return [any(store.is_leftover(one.path, owner) for one in store.list()) for owner in (mine, theirs)]

    bench.run()
    assert left() == [True, True], "after a run that went well nobody looks"
    bench.ledger.begin_run("j", "run", bench.now)
    bench.run()
    assert left() == [False, True]


def test_p08_a_run_leaves_word_of_its_ledger_at_every_destination(bench: Bench) -> None:
    bench.run()
    for store in bench.at.values():
        word = read_agent(store, Writer("j", "pc"))
        assert (word["ledger"], word["exit_code"], word["ended"]) == (bench.ledger.id, 0, bench.now.isoformat())
        assert word["event"] == bench.ledger.head()[0] - 1, "all but the end of the run itself"
