"""Does a run tell of every file what came of it, and remember what the next one must know?

The runs are those of ``run_job`` between places in memory; what takes disks and minutes is in the other files.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from coldchain.config.values import Incomplete
from coldchain.content.batches import BATCH_BYTES, BATCH_FILES
from coldchain.errors import ColdchainError, SourceAbsent, UsageError
from coldchain.ledger.manifest import manifest_keys
from coldchain.model import Dataset, Oddity, State, Tally
from coldchain.operate.convoy import DATASETS, convoys
from coldchain.steps.draft import Draft
from coldchain.steps.identify import Writer
from coldchain.steps.publish import read_agent
from coldchain.steps.report import DatasetReport, Report
from coldchain.verdict import Condition
from tests.operate.scope import Bench, Listening, install, manifest, troubles


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Two plates, the first of them whole, that were carried to two destinations."""
    monkeypatch.syspath_prepend(install(tmp_path / "site"))
    made = Bench()
    made.write("p1/DONE", "p1/a", "p2/a")
    assert made.run().exit_code == 0
    made.monitor = Listening()
    yield made
    made.close()


def told(bench: Bench, report: Report) -> dict[tuple[str, str], State]:
    """By path and destination, what the ledger has of the files that are not verified; the report says the same."""
    listed = [trouble for _, trouble in bench.ledger.troubles(report.run)]
    found = {(trouble.path, trouble.destination): trouble.state for trouble in listed}
    assert len(found) == len(listed) == len(troubles(report))
    assert found == {address: state for address, (state, _) in troubles(report).items()}
    return found


# --- what came of each file -------------------------------------------------------------------------------------------


def test_p01_every_file_of_every_plate_has_its_end_at_every_destination(bench: Bench) -> None:
    bench.at["usb"].put("p3/a.raw", b"of somebody else")
    bench.source.put_oddity(Oddity("p3/link", "symlink", "a link"))
    bench.write("p3/DONE", "p3/a.hdr", "p3/a.raw", "p3/b.hdr", "p3/b.raw", "p4/c", "p4/d.part")
    report = bench.run()
    assert report.exit_code == 3
    assert told(bench, report) == {
        ("p3/a.raw", "usb"): State.REFUSED,
        ("p3/a.hdr", "usb"): State.HELD,
        ("p3/link", "nas"): State.REFUSED,
        ("p3/link", "usb"): State.REFUSED,
        ("p3/DONE", "nas"): State.HELD,
        ("p3/DONE", "usb"): State.HELD,
        ("p4/d.part", "nas"): State.HELD,
        ("p4/d.part", "usb"): State.HELD,
    }
    assert [one.name for one in report.datasets if one.troubles] == ["p3", "p4"]
    said = troubles(report)
    assert said["p3/a.hdr", "usb"][1] == "travels last; not verified there yet: p3/a.raw"
    assert said["p4/d.part", "nas"][1] == "it is cut"
    kept = ["p1/DONE", "p1/a", "p2/a"]
    assert bench.recorded("nas") == bench.held("nas") == [*kept, "p3/a.hdr", "p3/a.raw", "p3/b.hdr", "p3/b.raw", "p4/c"]
    assert bench.recorded("usb") == [*kept, "p3/b.hdr", "p3/b.raw", "p4/c"]
    assert bench.monitor.ends == 2 * 8
    assert manifest(bench, "usb", "p3")[0] == ["p3/b.hdr", "p3/b.raw"]


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize("plates", [1, 2, 3])
def test_p01_of_plates_that_travel_together_each_keeps_its_own_files(plates: int) -> None:
    lab = Bench()
    names = [f"q{number}" for number in range(plates)]
    lab.write(*(f"{name}/{file}" for name in names for file in ("DONE", "a", "a.hdr", "b")))
    assert lab.run(*names).exit_code == 0
    for name in names:
        stored = [record.path for record in lab.ledger.stored("j", "usb", name)]
        assert stored == [f"{name}/{file}" for file in ("DONE", "a", "a.hdr", "b")]
    lab.close()


@pytest.mark.usefixtures("bench")
def test_p01_a_file_that_two_datasets_have_has_its_end_in_both() -> None:
    lab = Bench(instrument="twice")
    lab.write("q/DONE", "q/a", "q/b", "r/a")
    report = lab.run()
    assert report.exit_code == 0
    verified = {one.name: one.lots["usb"].tally(State.VERIFIED).files for one in report.datasets}
    assert verified == {".": 0, "q 1": 3, "q 2": 3, "r 1": 1, "r 2": 1}
    assert lab.held("usb") == ["q/DONE", "q/a", "q/b", "r/a"]
    lab.close()


def test_p02_every_stored_copy_that_is_wrong_is_counted(bench: Bench) -> None:
    for path in ("p1/a", "p2/a"):
        bench.at["usb"].put(path, b"rot")
        bench.write(path)  # the same bytes, written anew
    report = bench.run()
    assert (report.exit_code, report.integrity) == (4, 2)
    assert told(bench, report) == {("p1/a", "usb"): State.FAILED, ("p2/a", "usb"): State.FAILED}


def test_nothing_new_is_nothing_sent_and_everything_verified(bench: Bench) -> None:
    before = {name: store.get(manifest_keys("j", "p1", "sha256")[1]) for name, store in bench.at.items()}
    report = bench.run()
    assert report.exit_code == 0
    assert all(not lot.sent.files for dataset in report.datasets for lot in dataset.lots.values())
    assert bench.monitor.ends == 0
    assert {name: store.get(manifest_keys("j", "p1", "sha256")[1]) for name, store in bench.at.items()} == before


FILES, BYTES = 20 * BATCH_FILES, 64 * BATCH_BYTES
CONVOYS = [
    ([], []),
    ([Tally()] * (2 * DATASETS + 1), [DATASETS, DATASETS, 1]),
    ([Tally(FILES - 1), Tally(1)] * 2 + [Tally(1)], [2, 2, 1]),
    ([Tally(1, BYTES - 1), Tally(1, 1)] * 2 + [Tally(1)], [2, 2, 1]),
    ([Tally(5), Tally(FILES), Tally(FILES - 1), Tally(1), Tally(5)], [1, 1, 2, 1]),
    ([Tally(1, 5), Tally(FILES), Tally(1, BYTES - 1), Tally(1, 1), Tally(1, 1)], [1, 1, 2, 1]),
    ([Tally(FILES), Tally(1, BYTES), Tally(5)], [1, 1, 1]),
]


@pytest.mark.parametrize(("sizes", "together"), CONVOYS)
def test_p01_datasets_travel_together_until_they_are_enough_and_none_is_left_out(
    sizes: list[Tally], together: list[int]
) -> None:
    draft = Draft(("nas",))
    for number, tally in enumerate(sizes):
        draft.begin(Dataset(f"{number:03}")).sending.add_all(tally)
    found = [[planned.dataset.name for planned, _ in convoy] for convoy in convoys(draft)]
    assert [len(names) for names in found] == together
    assert [name for names in found for name in names] == [f"{number:03}" for number in range(len(sizes))]
    draft.close()


def test_p08_a_file_that_arrives_is_in_the_manifest_of_where_it_arrived_and_only_there(bench: Bench) -> None:
    bench.at["usb"].put("p2/b", b"of somebody else")
    bench.write("p2/b")
    bench.run()
    assert [manifest(bench, name, "p2")[0] for name in bench.names] == [["p2/a", "p2/b"], ["p2/a"]]


# --- what an instrument says ------------------------------------------------------------------------------------------


def test_a_plate_that_became_whole_is_sealed_wherever_it_lies(bench: Bench) -> None:
    assert manifest(bench, "nas", "p1") == (["p1/DONE", "p1/a"], Condition.COMPLETE, True)
    assert manifest(bench, "nas", "p2") == (["p2/a"], Condition.INCOMPLETE, False)
    bench.at["usb"].put("p2/DONE", b"of somebody else")
    bench.write("p2/DONE")
    report = bench.run()
    assert [one.verdict.condition for one in report.datasets if one.name == "p2"] == [Condition.COMPLETE]
    assert manifest(bench, "nas", "p2") == (["p2/DONE", "p2/a"], Condition.COMPLETE, True)
    assert manifest(bench, "usb", "p2") == (["p2/a"], Condition.COMPLETE, False)
    bench.source.delete("p1/DONE")
    bench.run()
    assert [manifest(bench, name, "p1")[1:] for name in bench.names] == [(Condition.INCOMPLETE, False)] * 2


def test_a_file_that_changes_while_it_is_carried_leaves_its_plate_open_until_the_next_run(bench: Bench) -> None:
    class Writing(Listening):
        """The instrument writes once more while the file is read."""

        def moved(self, size_bytes: int) -> None:
            if not self.looks.count(-1):
                self.looks.append(-1)
                bench.write("p1/new", content=b"longer")

    bench.write("p1/new")
    bench.monitor = Writing()
    report = bench.run()
    assert bench.monitor.looks.count(-1), "it was read"
    assert [one.verdict.condition for one in report.datasets if one.name == "p1"] == [Condition.ACQUIRING]
    assert bench.at["nas"].get("p1/new") == b"longer"
    assert manifest(bench, "nas", "p1")[1:] == (Condition.ACQUIRING, False)
    bench.monitor = Listening()
    bench.run()
    assert manifest(bench, "nas", "p1")[1:] == (Condition.COMPLETE, True), "it is judged anew"


def test_what_is_carried_although_it_is_not_whole_is_remarked(bench: Bench) -> None:
    bench.write("p2/x.part")
    bench.changes = {"incomplete": Incomplete.FLAG}
    report = bench.run()
    (said,) = [one.verdict for one in report.datasets if one.name == "p2"]
    assert [(remark.path, remark.sentence) for remark in said.remarks] == [
        ("p2/x.part", "carried although not whole: it is cut")
    ]
    assert "p2/x.part" in bench.held("usb")


def test_a_plate_that_is_open_for_too_long_is_noted(bench: Bench) -> None:
    bench.changes = {"max_open": timedelta(hours=30)}
    assert not [note for note in bench.run().notes if "open since" in note]
    bench.now += timedelta(days=2)
    notes = [note for note in bench.run().notes if "open since" in note]
    assert notes[1:] == ["p2: open since 2026-01-01 01:00: 1 files"]


@pytest.mark.usefixtures("bench")
def test_a_place_that_tolerates_nothing_of_ours_gets_the_data_and_nothing_else() -> None:
    lab = Bench("nas")
    lab.marker = False
    lab.write("p1/DONE", "p1/a")
    assert (lab.run().exit_code, lab.run("p1").exit_code) == (0, 0)
    assert [one.path for one in lab.at["nas"].list()] == ["p1/DONE", "p1/a"]
    lab.close()


def test_of_what_no_instrument_judges_nothing_is_written_down() -> None:
    lab = Bench("nas", instrument="files")
    lab.write("p1/a")
    assert lab.run().exit_code == 0
    assert lab.ledger.acquisition("j", "p1") is None
    lab.close()


# --- who hears of it --------------------------------------------------------------------------------------------------


class Chronicle(Listening):
    """Hears of the run itself, too."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def run_begun(self, report: Report) -> None:
        self.heard.append(f"begun {report.run}")

    def dataset_ended(self, dataset: DatasetReport) -> None:
        self.heard.append(dataset.name)

    def run_ended(self, report: Report) -> None:
        self.heard.append(f"ended {report.exit_code} {report.ended}")

    def run_stopped(self, error: ColdchainError) -> None:
        self.heard.append(f"stopped {type(error).__name__}")


def test_who_chronicles_runs_hears_of_their_begin_their_datasets_and_their_end(bench: Bench) -> None:
    bench.monitor = heard = Chronicle()
    bench.run()
    assert heard.heard == ["begun 2", ".", "p1", "p2", f"ended 0 {bench.now}"]
    heard.heard.clear()
    with pytest.raises(UsageError):
        bench.run("nonsense")
    assert heard.heard == ["begun 3", "stopped UsageError"]


def test_p13_of_a_run_that_was_stopped_word_is_left_where_it_can_be(bench: Bench) -> None:
    for path in ("p1/DONE", "p1/a", "p2/a"):
        bench.source.delete(path)
    with pytest.raises(SourceAbsent):
        bench.run()
    for store in bench.at.values():
        word = read_agent(store, Writer("j", "pc"))
        assert (word["exit_code"], word["files"]) == (SourceAbsent.exit_code, 3), "what it does not know stays"
