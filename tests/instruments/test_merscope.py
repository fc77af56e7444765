"""Does coldchain know a whole MERSCOPE run from one that is not?"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coldchain.config.values import Job
from coldchain.errors import ConfigurationError, Denied
from coldchain.instruments.base import Look
from coldchain.instruments.merscope import INSTRUMENT
from coldchain.instruments.merscope.judge import RunJudge
from coldchain.model import REST, Dataset, Entry, Part, Place
from coldchain.operate.examine import Examined, examine
from coldchain.stores.base import open_store
from coldchain.testing.memory import MemoryStore
from coldchain.verdict import Condition, Verdict
from tests.simulate.playing import options, play_named

REAL = "202205231554_MouseSagittalM3S1_VMSC01101"
OTHER = "202310261058_VZGEN1_with_more_VMSC10202"
WRITTEN = datetime(2024, 5, 7, 12, tzinfo=UTC)
"""When every file of these tests was last written, unless a test says otherwise."""
SOON, LATER = WRITTEN + timedelta(minutes=30), WRITTEN + timedelta(days=2)


def job(*, parts: tuple[str, ...] = (), personal: bool = False, datasets: str = "") -> Job:
    return Job("j", Place("s", "memory://none"), (), "merscope", datasets=datasets, parts=parts, personal=personal)


def examined(folder: Path, now: datetime = LATER, chosen: Job | None = None) -> dict[str, Examined]:
    store = open_store(Place("s", str(folder)))
    return {one.dataset.name: one for one in examine(INSTRUMENT, store, chosen or job(), now)}


def judged(folder: Path, now: datetime = LATER, chosen: Job | None = None) -> Verdict:
    """The verdict on the one run of a folder."""
    (one,) = (one for name, one in examined(folder, now, chosen).items() if name != REST)
    return one.verdict


def date_all(folder: Path, when: datetime = WRITTEN) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (when.timestamp(), when.timestamp()))


def date(path: Path, when: datetime) -> None:
    os.utime(path, (when.timestamp(), when.timestamp()))


def put(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    date(path, WRITTEN)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("played")
    play_named("merscope", folder, options(seed=3, scale=0.1))
    date_all(folder)
    return folder


@pytest.fixture
def drive(played: Path, tmp_path: Path) -> Path:
    """A whole run of two fields of view, raw data and output, that a test may damage."""
    shutil.copytree(played, tmp_path / "Z")
    return tmp_path / "Z"


@pytest.fixture
def raw(drive: Path) -> Path:
    (run,) = (drive / "merfish_raw_data").iterdir()
    return run


@pytest.fixture
def region(drive: Path, raw: Path) -> Path:
    return drive / "merfish_output" / raw.name / "region_0"


@pytest.fixture
def real(data: Path, tmp_path: Path) -> Path:
    """A copy of the real run, without Vizgen's test data beside it."""
    for tree in ("merfish_raw_data", "merfish_output"):
        shutil.copytree(data / "merscope" / tree, tmp_path / "real" / tree)
    for path in (tmp_path / "real").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    date_all(tmp_path / "real")
    return tmp_path / "real"


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

    def folders(self, prefix: str = "") -> Iterable[str]:  # type: ignore[override]
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


# --- damage -----------------------------------------------------------------------------------------------------------


def test_an_image_without_its_last_byte_is_not_whole(drive: Path, raw: Path) -> None:
    path = raw / "data/stack_4_0001.dax"
    put(path, path.read_bytes()[:-1])
    verdict = judged(drive)
    assert (verdict.condition, verdict.summary) == (Condition.INCOMPLETE, "1 .dax not whole: stack_4_0001.dax")
    assert list(verdict.unwhole) == [f"merfish_raw_data/{raw.name}/data/stack_4_0001.dax"]


def test_a_mosaic_without_its_last_byte_is_not_whole(drive: Path, region: Path) -> None:
    path = region / "images/mosaic_PolyT_z2.tif"
    put(path, path.read_bytes()[:-1])
    verdict = judged(drive)
    assert verdict.condition is Condition.INCOMPLETE
    assert list(verdict.unwhole) == [path.relative_to(drive).as_posix()]


def test_a_real_mosaic_without_its_last_byte_is_not_whole(real: Path) -> None:
    path = real / "merfish_output" / REAL / "region_0/images/mosaic_DAPI_z0.tif"
    put(path, path.read_bytes()[:-1])
    assert list(judged(real).unwhole) == [path.relative_to(real).as_posix()]


@pytest.mark.parametrize(
    "gone",
    [
        "experiment.json",
        "dataorganization.csv",
        "settings/protocol.json",
        "settings/stack8.toml",
        "settings/positions.csv",
    ],
)
def test_what_says_how_the_images_were_made_must_be_there(drive: Path, raw: Path, gone: str) -> None:
    (raw / gone).unlink()
    verdict = judged(drive)
    assert verdict.condition is Condition.INCOMPLETE
    assert gone in verdict.missing


@pytest.mark.parametrize("gone", ["images/manifest.json", "cell_metadata.csv", "detected_transcripts.csv"])
def test_a_region_needs_its_manifest_and_its_tables(drive: Path, region: Path, gone: str) -> None:
    (region / gone).unlink()
    verdict = judged(drive)
    assert (verdict.condition, verdict.missing) == (Condition.INCOMPLETE, (f"region_0/{gone}",))


def test_the_codebook_that_the_experiment_names_must_be_there(drive: Path, raw: Path) -> None:
    (codebook,) = raw.glob("codebook_*.csv")
    codebook.unlink()
    assert judged(drive).missing == (codebook.name,)


def test_every_region_of_the_experiment_must_be_there(drive: Path, raw: Path) -> None:
    about = json.loads((raw / "experiment.json").read_text())
    about["regionSummaries"] = [{"endIndex": 0}, {"startIndex": 1, "endIndex": 1}]
    put(raw / "experiment.json", json.dumps(about))
    verdict = judged(drive)
    assert (verdict.condition, verdict.missing) == (Condition.INCOMPLETE, ("region_1",))


def edit(raw: Path, **values: object) -> None:
    about = json.loads((raw / "experiment.json").read_text())
    put(raw / "experiment.json", json.dumps({**about, **values}))


def test_more_images_than_the_experiment_says_are_a_contradiction(drive: Path, raw: Path) -> None:
    edit(raw, fovCount=1)
    verdict = judged(drive)
    assert verdict.condition is Condition.UNKNOWN
    assert verdict.summary == "experiment.json says 1 fields of view, but there are 2"
    assert verdict.remarks[0].path.endswith("/experiment.json")


def test_fewer_images_than_the_experiment_says_are_missing(drive: Path, raw: Path) -> None:
    edit(raw, fovCount=3)
    verdict = judged(drive)
    assert (verdict.condition, verdict.missing_count) == (Condition.INCOMPLETE, 12)
    assert verdict.summary.startswith("short by 12 of 36 .dax: stack_prestain_0002, stack_0_0002, ")


def test_an_experiment_that_does_not_count_leaves_it_unknown(drive: Path, raw: Path) -> None:
    for wrong in (None, "2", -1, 10**30, True, [2]):
        edit(raw, fovCount=wrong)
        assert judged(drive).condition is Condition.UNKNOWN, wrong
    put(raw / "experiment.json", '{"fovCount": 2')
    verdict = judged(drive)
    assert verdict.condition is Condition.UNKNOWN
    assert verdict.remarks[0].sentence.startswith("is no valid JSON")


def test_without_headers_images_must_be_as_long_as_their_siblings(drive: Path, raw: Path) -> None:
    for path in (raw / "data").glob("*.inf"):
        path.unlink()
    assert judged(drive).condition is Condition.COMPLETE
    (raw / "data/stack_3_0000.dax").write_bytes(b"half")
    assert [path.rpartition("/")[2] for path in judged(drive).unwhole] == ["stack_3_0000.dax"]


def test_settings_that_do_not_fit_the_images_hold_nothing_back(drive: Path, raw: Path) -> None:
    """Nobody has shown a .dax of a MERSCOPE in public: if its frames were others, the siblings decide."""
    for path in (raw / "data").glob("*.inf"):
        path.unlink()
    for number, path in enumerate(sorted((raw / "data").glob("*.dax"))):
        put(path, bytes(1000 + 7 * (number // 2)))
    verdict = judged(drive)
    assert (verdict.condition, verdict.unwhole) == (Condition.COMPLETE, {})


def test_images_of_all_sizes_are_unknown_and_not_held(drive: Path, raw: Path) -> None:
    edit(raw, fovCount=3)
    for path in (raw / "data").glob("*.inf"):
        path.unlink()
    sizes = iter(range(1001, 2000))
    for stack in {path.name.rpartition("_")[0] for path in (raw / "data").glob("*.dax")}:
        for fov in range(3):
            put(raw / f"data/{stack}_{fov:04d}.dax", bytes(next(sizes)))
    verdict = judged(drive)
    assert (verdict.condition, verdict.unwhole) == (Condition.UNKNOWN, {})


def test_an_image_whose_header_is_missing_is_missed(drive: Path, raw: Path) -> None:
    (raw / "data/stack_3_0001.inf").unlink()
    verdict = judged(drive)
    assert (verdict.condition, verdict.missing, verdict.unwhole) == (Condition.INCOMPLETE, ("stack_3_0001.inf",), {})
    with (raw / "data/stack_3_0001.dax").open("ab") as file:
        file.write(b"more")
    assert "still open" in next(iter(judged(drive).unwhole.values()))


def test_an_image_that_is_too_long_is_carried_but_never_complete(drive: Path, raw: Path) -> None:
    with (raw / "data/stack_3_0001.dax").open("ab") as file:
        file.write(b"more")
    verdict = judged(drive)
    assert (verdict.condition, verdict.unwhole) == (Condition.UNKNOWN, {})
    assert verdict.remarks[0].path.endswith("/stack_3_0001.dax")


def test_a_lone_header_does_not_stand_for_its_image(drive: Path, raw: Path) -> None:
    (raw / "data/stack_3_0001.dax").unlink()
    assert judged(drive).missing == ("stack_3_0001",)


def test_numbers_count_and_not_their_padding(drive: Path, raw: Path) -> None:
    for path in list((raw / "data").iterdir()):
        path.rename(path.with_name(path.name.replace("_000", "_")))
    assert judged(drive).condition is Condition.COMPLETE


# --- garbage ----------------------------------------------------------------------------------------------------------


def small_files(folder: Path) -> list[Path]:
    return sorted(
        p for p in folder.rglob("*") if p.is_file() and p.suffix in {".json", ".toml", ".csv", ".inf", ".tif"}
    )


@pytest.mark.parametrize("seed", range(6))
def test_garbage_in_every_header_never_raises_and_is_never_complete(drive: Path, seed: int) -> None:
    noise = random.Random(seed)
    nasty = [b"", b"\0" * 100, b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe\xed\xa0\x80", b'{"fovCount": NaN}']
    nasty += [
        b'[{"AcquireTiledImageStack": 3}]',
        b'{"mosaic_files": [{"file_name": "\\ud800"}, 3]}',
        b"II*\0" + b"\xff" * 40,
    ]
    nasty += [b'[{"AcquireTiledImageStack": {"base_name": "\\udcff", "stack_configuration": "\\ud800"}}]', b"9" * 6000]
    for path in small_files(drive):
        content = path.read_bytes()
        choice = noise.randrange(4)
        if choice == 0:
            put(path, noise.randbytes(noise.randrange(2000)))
        elif choice == 1:
            put(path, content[: noise.randrange(len(content))])
        else:
            put(path, noise.choice(nasty))
    for chosen in (job(), job(parts=("raw_data",)), job(parts=("output",))):
        verdict = judged(drive, chosen=chosen)
        assert verdict.condition is not Condition.COMPLETE
        json.dumps(verdict.as_json(), allow_nan=False).encode()
        verdict.summary.encode()
        "".join(verdict.missing).encode()


@pytest.mark.parametrize("name", ["experiment.json", "settings/protocol.json"])
def test_a_json_that_is_cut_anywhere_is_not_believed(drive: Path, raw: Path, name: str) -> None:
    content = (raw / name).read_bytes()
    for end in range(0, len(content), max(1, len(content) // 40)):
        put(raw / name, content[:end])
        assert judged(drive).condition is not Condition.COMPLETE


def test_a_file_that_cannot_be_read_gets_a_remark(drive: Path, raw: Path) -> None:
    class Deaf(MemoryStore):
        def read(self, key: str, *, past_cache: bool = False):  # type: ignore[no-untyped-def]
            raise Denied("no right", url=self.url, key=key)

    store = Deaf("memory://merscope-deaf")
    for path in sorted(drive.rglob("*")):
        if path.is_file():
            store.put(path.relative_to(drive).as_posix(), path.read_bytes())
    (one,) = (one for one in examine(INSTRUMENT, store, job(), LATER) if one.dataset.name != REST)
    assert one.verdict.condition is Condition.UNKNOWN
    assert all(sentence.startswith("could not be read: ") for _, sentence in one.verdict.remarks)


# --- memory and reading -----------------------------------------------------------------------------------------------


def test_a_large_run_is_seen_in_little_memory() -> None:
    import tracemalloc

    parts = (Part(f"merfish_analysis/{REAL}", name="analysis"), Part(f"merfish_raw_data/{REAL}", name="raw_data"))
    look = Look(MemoryStore("memory://merscope-large"), job(), LATER)
    judge = RunJudge(Dataset(REAL, parts), look)
    tracemalloc.start()
    for number in range(130_000):
        judge.see(Entry(f"merfish_analysis/{REAL}/Warp/{number}.npy", 7, 0))
    for fov in range(15_000):
        judge.see(Entry(f"merfish_raw_data/{REAL}/data/stack_0_{fov:04d}.dax", 184_549_376, 0))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 1_000_000
    assert judge.verdict().catalogue["analysis_files"] == 130_000


def test_mosaics_are_looked_into_once(drive: Path) -> None:
    store = open_store(Place("s", str(drive)))
    (dataset,) = INSTRUMENT.find(store, job())
    first = Look(store, job(), LATER)
    again = Look(store, job(), LATER, recalled=first.remembered)
    for look in (first, again):
        judge = RunJudge(dataset, look)
        for part in dataset.parts:
            for entry in store.list(part.root):
                assert isinstance(entry, Entry)
                judge.see(entry)
        assert judge.verdict().condition is Condition.COMPLETE
    assert len(first.remembered) == 28
    assert again.remembered == first.remembered
