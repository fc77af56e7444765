"""Does coldchain know a whole MERSCOPE run from one that is not?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from coldchain.errors import ConfigurationError, Denied
from coldchain.instruments.merscope import INSTRUMENT
from coldchain.model import REST, Dataset, Part
from coldchain.testing.memory import MemoryStore
from coldchain.verdict import Condition, Verdict
from tests.instruments.merscope_runs import (
    LATER,
    OTHER,
    REAL,
    SOON,
    date,
    drive,
    examined,
    job,
    judged,
    played,
    put,
    raw,
    real,
    region,
)

__all__ = ["drive", "played", "raw", "real", "region"]

# --- the real run -----------------------------------------------------------------------------------------------------


def test_the_real_run_is_one_dataset_of_two_parts(data: Path) -> None:
    found = examined(data / "merscope")
    assert set(found) == {REST, REAL}
    assert found[REAL].dataset.parts == (
        Part(f"merfish_output/{REAL}", name="output"),
        Part(f"merfish_raw_data/{REAL}", name="raw_data"),
    )
    assert dict(found[REAL].dataset.fields) == {
        "date": "2022-05-23",
        "experiment": "MouseSagittalM3S1",
        "serial": "VMSC01101",
    }
    assert (found[REAL].tally.files, found[REST].tally.files) == (29, 16)


def test_the_real_run_is_incomplete_in_spite_of_its_markers(real: Path) -> None:
    assert (real / "merfish_raw_data" / REAL / "RAW_DATA_SYNC_FINISHED").stat().st_size == 64
    verdict = judged(real)
    assert verdict.condition is Condition.INCOMPLETE
    assert verdict.summary.startswith("short by 14,976 of 14,976 .dax: stack_prestain_0, stack_prestain_1, ")
    assert "short by 26 of 28 mosaics: region_0/images/mosaic_Snap25_z0.tif, " in verdict.summary
    assert "MERLIN_FINISHED is not there" in verdict.summary
    assert verdict.missing_count == 14_976 + 26
    assert len(verdict.missing) == 1000
    assert (verdict.unwhole, verdict.remarks) == ({}, ())


def test_the_real_run_is_incomplete_by_its_raw_data_alone(real: Path) -> None:
    verdict = judged(real, chosen=job(parts=("raw_data",)))
    assert (verdict.condition, verdict.missing_count) == (Condition.INCOMPLETE, 14_976)
    assert verdict.summary == "short by 14,976 of 14,976 .dax: stack_prestain_0, stack_prestain_1, stack_prestain_2, …"


def test_the_catalogue_of_the_real_run(real: Path) -> None:
    verdict = judged(real)
    about = verdict.catalogue
    assert about["experimentName"] == "MouseSagittalM3S1"
    assert (about["start"], about["end"]) == ("2022-05-23T15:54:46-07:00", "2022-05-24T18:10:38-07:00")
    assert about["measurementStartDateTime"] == "2022-05-23T16:34:05-07:00"
    assert (about["panelName"], about["codebookId"], about["serial"]) == ("MouseGene500V1", "VA00117", "VMSC01101")
    assert (about["sampleThickness"], about["cartridgeBarcode"]) == ("10", "0010027202205210001088")
    assert (about["fovCount"], about["runMode"]) == (1248, "Experiment")
    assert about["regionSummaries"] == [{"name": "Region 1", "startIndex": 0, "endIndex": 1247}]
    stains = about["additionalStains"]
    assert isinstance(stains, list)
    assert stains[:2] == ["DAPI - Protein", "PolyT - Protein"]
    assert (about["microns_per_pixel"], about["mosaic_width_pixels"]) == (0.108, 95806)
    assert (about["raw_data_files"], about["output_files"]) == (20, 9)
    assert verdict.units[0]["unit"] == "region_0"
    assert (verdict.units[0]["mosaic_height_pixels"], verdict.units[0]["mosaics"]) == (95191, 28)
    assert Verdict.from_json(json.loads(json.dumps(verdict.as_json()))) == verdict


def test_people_are_in_the_catalogue_only_when_that_is_wanted(real: Path) -> None:
    assert not {"userId", "experimentDescription"} & set(judged(real).catalogue)
    about = judged(real, chosen=job(personal=True)).catalogue
    assert about["userId"] == "Local User"
    assert about["experimentDescription"] == "first merfish run with our designed gene panel"
    assert "experimentDirectory" not in about


def make_whole(real: Path, *, pixels: int = 16) -> Path:
    """Give the real run the images that its own settings ask for, tiny ones; the sizes of 2048 x 2048 are the same."""
    raw = real / "merfish_raw_data" / REAL
    frames = {"stack_prestain": 15, "stack_8": 8} | {f"stack_{k}": 22 for k in (*range(8), 9, 10)}
    for stack, number in frames.items():
        for fov in range(1248):
            put(raw / f"data/{stack}_{fov}.dax", bytes(number * pixels * 2))
    return raw


def test_the_real_settings_with_all_images_are_whole_raw_data(real: Path) -> None:
    raw = make_whole(real)
    verdict = judged(real, chosen=job(parts=("raw_data",)))
    assert (verdict.condition, verdict.summary, verdict.remarks) == (Condition.COMPLETE, "14,976 .dax", ())
    (raw / "data/stack_7_1247.dax").unlink()
    (raw / "data/stack_8_3.dax").write_bytes(bytes(8 * 32 - 1))
    verdict = judged(real, chosen=job(parts=("raw_data",)))
    assert verdict.condition is Condition.INCOMPLETE
    assert verdict.missing == ("stack_7_1247",)
    assert verdict.unwhole == {
        f"merfish_raw_data/{REAL}/data/stack_8_3.dax": "the .dax is cut short: 255 of 256 bytes for 8 frames"
    }


def test_a_header_beside_an_image_is_read_as_storm_control_writes_it(data: Path, real: Path) -> None:
    """The pair of MERlin: 10 frames of 256 x 256."""
    raw = make_whole(real, pixels=1)
    shutil.rmtree(raw / "data")
    content = (data / "merscope/dax_format/test.dax").read_bytes()
    protocol = [
        {"AcquireTiledImageStack": {"base_name": "test", "stack_configuration": "D:\\x\\settings\\stack_test.toml"}}
    ]
    put(raw / "settings/protocol.json", json.dumps(protocol))
    put(raw / "settings/stack_test.toml", f"z_positions = {[0.0] * 10}")
    put(raw / "experiment.json", json.dumps({"fovCount": 2}))
    (raw / "dataorganization.csv").unlink()
    put(raw / "dataorganization.csv", "channelName,imageType,imagingRound\nbit1,test,-1\n")
    for fov in range(2):
        put(raw / f"data/test_{fov}.dax", content)
        put(raw / f"data/test_{fov}.inf", (data / "merscope/dax_format/test.inf").read_bytes())
    only_raw = job(parts=("raw_data",))
    assert judged(real, chosen=only_raw).condition is Condition.COMPLETE
    put(raw / "data/test_0.dax", content[:-1])
    assert judged(real, chosen=only_raw).summary == "1 .dax not whole: test_0.dax"


# --- where runs lie ---------------------------------------------------------------------------------------------------


def names_in(folder: Path, paths: Iterable[str]) -> dict[str, list[str]]:
    for path in paths:
        put(folder / path, "x")
    found = examined(folder)
    return {name: [part.start for part in one.dataset.parts] for name, one in found.items() if name != REST}


def test_the_three_trees_are_found_at_the_top_and_below_folders(tmp_path: Path) -> None:
    for number, above in enumerate(("", "MERSCOPEDATA/", "mnt/Z/")):
        trees = [f"{above}merfish_{tree}/{OTHER}/" for tree in ("analysis", "output", "raw_data")]
        assert names_in(tmp_path / str(number), [f"{tree}a" for tree in trees]) == {OTHER: trees}


def test_trees_below_more_folders_than_that_are_ordinary_files(tmp_path: Path) -> None:
    assert names_in(tmp_path, [f"a/b/c/merfish_raw_data/{OTHER}/a"]) == {}


def test_the_drive_of_the_acquisition_computer_holds_raw_data_only(tmp_path: Path) -> None:
    paths = [f"MERSCOPEDATA/{OTHER}/settings/a", f"MERSCOPEDATA/{REAL}/nothing/known", "MERSCOPEDATA/notes.txt"]
    assert names_in(tmp_path, paths) == {OTHER: [f"MERSCOPEDATA/{OTHER}/"]}
    assert [part.name for part in examined(tmp_path)[OTHER].dataset.parts] == ["raw_data"]
    assert examined(tmp_path)[REST].tally.files == 2


def test_parts_in_different_folders_are_one_run(tmp_path: Path) -> None:
    found = names_in(tmp_path, [f"A/merfish_raw_data/{OTHER}/a", f"B/merfish_output/{OTHER}/a"])
    assert found == {OTHER: [f"A/merfish_raw_data/{OTHER}/", f"B/merfish_output/{OTHER}/"]}


def test_a_second_copy_is_a_dataset_of_its_own(tmp_path: Path) -> None:
    found = names_in(
        tmp_path,
        [f"D/MERSCOPEDATA/{REAL}/data/a", f"Z/merfish_raw_data/{REAL}/a", f"backup/Z/merfish_raw_data/{REAL}/a"],
    )
    assert found == {
        REAL: [f"Z/merfish_raw_data/{REAL}/"],
        f"D/MERSCOPEDATA/{REAL}": [f"D/MERSCOPEDATA/{REAL}/"],
        f"backup/Z/{REAL}": [f"backup/Z/merfish_raw_data/{REAL}/"],
    }


def test_what_is_no_run_is_carried_with_the_rest(tmp_path: Path) -> None:
    paths = ["merfish_raw_data/notes.txt", "merfish_raw_data/test/data/stack_0_0.dax", "merfish_output/2022_x_VMSC1/a"]
    assert names_in(tmp_path, paths) == {}
    assert examined(tmp_path)[REST].tally.files == 3


@pytest.mark.parametrize(
    ("run", "fields"),
    [
        (OTHER, {"date": "2023-10-26", "experiment": "VZGEN1_with_more", "serial": "VMSC10202"}),
        ("209913459999_a b_VMSC00001", {"experiment": "a b", "serial": "VMSC00001"}),
        (
            "202401010000_a\udcff_VMSC_VMSC00001",
            {"date": "2024-01-01", "experiment": "a\udcff_VMSC", "serial": "VMSC00001"},
        ),
    ],
)
def test_the_fields_of_a_run(run: str, fields: dict[str, str]) -> None:
    store = MemoryStore("memory://merscope-fields-" + fields["experiment"].encode("ascii", "replace").hex())
    store.put(f"merfish_raw_data/{run}/a", b"x")
    (dataset,) = INSTRUMENT.find(store, job())
    assert (dataset.name, dict(dataset.fields)) == (run, fields)


def test_only_runs_are_datasets() -> None:
    with pytest.raises(ConfigurationError, match='only "runs"'):
        list(INSTRUMENT.find(MemoryStore("memory://merscope-none"), job(datasets="folders")))


class Locked(MemoryStore):
    """A source with a folder that nobody may open."""

    def folders(self, prefix: str = "") -> Iterator[str]:
        if prefix == "System Volume Information":
            raise Denied("no right", url=self.url, key=prefix)
        return super().folders(prefix)


def test_a_folder_that_nobody_may_open_does_not_end_the_search() -> None:
    store = Locked("memory://merscope-locked")
    store.put("System Volume Information/x", b"x")
    store.put(f"merfish_raw_data/{REAL}/a", b"x")
    assert [dataset.name for dataset in INSTRUMENT.find(store, job())] == [REAL]


def test_a_run_is_recognised() -> None:
    count, why = INSTRUMENT.recognise([f"Z/merfish_raw_data/{REAL}/", f"{OTHER}/data/", "a/b.tif", ""])
    assert (count, why) == (2, f"runs of a MERSCOPE, such as {REAL}")
    assert INSTRUMENT.recognise(["a", "b/"]) == (0, "")


# --- markers ----------------------------------------------------------------------------------------------------------


def test_markers_travel_after_what_they_mark() -> None:
    root = f"Z/merfish_raw_data/{REAL}"
    dataset = Dataset(REAL, (Part(f"Z/merfish_output/{REAL}", name="output"), Part(root, name="raw_data")))
    assert INSTRUMENT.marker(dataset, f"{root}/EXPERIMENT_FINISHED") == f"{root}/"
    assert INSTRUMENT.marker(dataset, f"{root}/RAW_DATA_SYNC_FINISHED") == f"{root}/"
    assert INSTRUMENT.marker(dataset, f"{root}/MERLIN_FINISHED") == ""
    ordinary = [
        f"{root}/MERLIN_START",
        f"{root}/data/MERLIN_FINISHED",
        f"{root}/OTHER_FINISHED",
        f"{root}/MERSCOPETONAS",
    ]
    ordinary += [f"Z/merfish_output/{REAL}/MERLIN_TRANSFERRED", f"Z/merfish_output/{REAL}/MERLIN_FINISHED"]
    assert [INSTRUMENT.marker(dataset, path) for path in ordinary] == [None] * len(ordinary)
    assert INSTRUMENT.marker(Dataset(REST), "EXPERIMENT_FINISHED") is None


@pytest.mark.parametrize("marker", ["RAW_DATA_SYNC_FINISHED", "MERLIN_FINISHED"])
def test_a_marker_counts_when_it_is_five_minutes_old(drive: Path, raw: Path, marker: str) -> None:
    date(raw / marker, LATER - timedelta(minutes=4))
    verdict = judged(drive)
    assert (verdict.condition, verdict.summary) == (Condition.ACQUIRING, f"{marker} is younger than 5 minutes")
    assert judged(drive, LATER + timedelta(minutes=1)).condition is Condition.COMPLETE


@pytest.mark.parametrize("marker", ["RAW_DATA_SYNC_FINISHED", "MERLIN_FINISHED"])
def test_a_run_whose_marker_was_taken_away_is_not_complete_any_more(drive: Path, raw: Path, marker: str) -> None:
    (raw / marker).unlink()
    verdict = judged(drive, SOON)
    assert (verdict.condition, verdict.summary) == (Condition.ACQUIRING, f"{marker} is not there")
    assert judged(drive, LATER).condition is Condition.INCOMPLETE


def test_a_marker_from_the_future_says_nothing(drive: Path, raw: Path) -> None:
    date(raw / "MERLIN_FINISHED", LATER + timedelta(days=9))
    verdict = judged(drive)
    assert verdict.condition is Condition.INCOMPLETE
    assert "future" in verdict.summary


# --- parts ------------------------------------------------------------------------------------------------------------


def test_a_whole_run_is_complete(drive: Path) -> None:
    verdict = judged(drive)
    assert (verdict.condition, verdict.summary) == (Condition.COMPLETE, "24 .dax; 28 mosaics in region_0")
    assert (verdict.missing, verdict.unwhole, verdict.remarks) == ((), {}, ())
    assert judged(drive, SOON).condition is Condition.COMPLETE


@pytest.mark.parametrize("part", ["raw_data", "output"])
def test_each_part_alone_is_complete(drive: Path, part: str) -> None:
    assert judged(drive, chosen=job(parts=(part,))).condition is Condition.COMPLETE


def test_a_part_is_not_judged_by_another_one_that_the_job_does_not_carry(drive: Path, raw: Path, region: Path) -> None:
    (raw / "data/stack_0_0001.dax").unlink()
    assert judged(drive, chosen=job(parts=("output",))).condition is Condition.COMPLETE
    (region / "images/mosaic_DAPI_z3.tif").unlink()
    assert judged(drive, chosen=job(parts=("raw_data",))).missing == ("stack_0_0001",)
    verdict = judged(drive)
    assert verdict.missing == ("stack_0_0001", "region_0/images/mosaic_DAPI_z3.tif")
    assert verdict.condition is Condition.INCOMPLETE


def test_output_waits_for_its_marker_although_the_job_does_not_carry_that(drive: Path, raw: Path) -> None:
    (raw / "MERLIN_FINISHED").unlink()
    verdict = judged(drive, SOON, job(parts=("output",)))
    assert (verdict.condition, verdict.summary) == (Condition.ACQUIRING, "MERLIN_FINISHED is not there")


def test_output_alone_on_a_drive_is_unknown_until_something_is_missing(drive: Path, region: Path) -> None:
    shutil.rmtree(drive / "merfish_raw_data")
    verdict = judged(drive)
    assert verdict.condition is Condition.UNKNOWN
    assert verdict.summary == "MERLIN_FINISHED lies with the raw data, which this source does not hold"
    (region / "cell_by_gene.csv").unlink()
    assert judged(drive).condition is Condition.INCOMPLETE
    assert judged(drive).missing == ("region_0/cell_by_gene.csv",)


def test_analysis_alone_on_a_drive_is_unknown(tmp_path: Path) -> None:
    put(tmp_path / "merfish_analysis" / REAL / "Warp/a.npy", "x")
    assert judged(tmp_path).condition is Condition.UNKNOWN
    assert judged(tmp_path).catalogue["analysis_files"] == 1


def test_analysis_is_done_when_its_marker_says_so(drive: Path, raw: Path) -> None:
    put(drive / "merfish_analysis" / raw.name / "Warp/a.npy", "x")
    assert judged(drive).summary == "24 .dax; 28 mosaics in region_0; 1 files of analysis"
    assert judged(drive, chosen=job(parts=("analysis",))).condition is Condition.COMPLETE
    (raw / "MERLIN_FINISHED").unlink()
    assert judged(drive, chosen=job(parts=("analysis",))).condition is Condition.INCOMPLETE


def only_raw(drive: Path, raw: Path, *markers: str) -> None:
    """As it is before the analysis made a folder."""
    shutil.rmtree(drive / "merfish_output")
    for marker in ("MERLIN_START", "MERLIN_FINISHED"):
        if marker not in markers:
            (raw / marker).unlink()


def test_whole_raw_data_wait_for_the_analysis_while_it_may_still_begin(drive: Path, raw: Path) -> None:
    only_raw(drive, raw)
    verdict = judged(drive, SOON)
    assert verdict.condition is Condition.ACQUIRING
    assert verdict.summary == "the raw data are whole, the analysis has not begun"
    assert judged(drive, SOON, job(parts=("raw_data",))).condition is Condition.COMPLETE
    assert judged(drive, LATER).condition is Condition.COMPLETE


@pytest.mark.parametrize("markers", [("MERLIN_START",), ("MERLIN_START", "MERLIN_FINISHED")])
def test_an_analysis_that_began_must_leave_an_output(drive: Path, raw: Path, markers: tuple[str, ...]) -> None:
    only_raw(drive, raw, *markers)
    verdict = judged(drive)
    assert verdict.condition is Condition.INCOMPLETE
    assert "the output is not there" in verdict.summary
    assert judged(drive, chosen=job(parts=("raw_data",))).condition is Condition.COMPLETE


def test_an_analysis_that_was_thrown_away_is_missed_only_when_the_job_names_it(drive: Path) -> None:
    assert judged(drive).condition is Condition.COMPLETE
    verdict = judged(drive, chosen=job(parts=("raw_data", "analysis", "output")))
    assert (verdict.condition, verdict.summary) == (Condition.INCOMPLETE, "the analysis is not there")


def test_on_the_acquisition_computer_the_end_of_the_experiment_is_the_end(
    drive: Path, raw: Path, tmp_path: Path
) -> None:
    shutil.copytree(raw, tmp_path / "D/MERSCOPEDATA" / raw.name)
    run = tmp_path / "D/MERSCOPEDATA" / raw.name
    for marker in ("RAW_DATA_SYNC_FINISHED", "MERLIN_START", "MERLIN_FINISHED"):
        (run / marker).unlink()
    assert judged(tmp_path / "D", SOON).condition is Condition.COMPLETE
    (run / "EXPERIMENT_FINISHED").unlink()
    assert judged(tmp_path / "D", SOON).summary == "EXPERIMENT_FINISHED is not there"


def test_a_single_file_from_the_future_does_not_end_the_acquisition(drive: Path, raw: Path) -> None:
    (raw / "MERLIN_FINISHED").unlink()
    date(raw / "data/stack_0_0000.dax", LATER + timedelta(days=400))
    assert judged(drive, SOON).condition is Condition.ACQUIRING
    assert judged(drive, LATER).condition is Condition.INCOMPLETE


def test_beside_the_three_trees_another_copy_is_named_by_its_place_from_the_beginning(tmp_path: Path) -> None:
    found = names_in(tmp_path, [f"D/MERSCOPEDATA/{REAL}/data/a", f"Z/merfish_raw_data/{OTHER}/a"])
    assert set(found) == {f"D/MERSCOPEDATA/{REAL}", OTHER}
