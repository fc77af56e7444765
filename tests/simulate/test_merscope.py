"""Is a simulated MERSCOPE run laid out, counted and ordered like a real one?"""

from __future__ import annotations

import csv
import json
import re
import struct
import tomllib
import zipfile
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from coldchain.config.values import Job
from coldchain.instruments.merscope import INSTRUMENT
from coldchain.model import REST, Place
from coldchain.operate.examine import examine
from coldchain.simulate.base import Options, open_simulator
from coldchain.simulate.merscope.acquire import acquire
from coldchain.simulate.merscope.run import plan_run
from coldchain.simulate.play import play
from coldchain.simulate.steps import Append, Close, Mark, Open, Opening, Pause, Step
from coldchain.stores.base import open_store
from coldchain.verdict import Condition, Verdict
from tests.simulate.playing import START, Clock, completed, options, play_all, play_named

RAW_MARKERS = ["EXPERIMENT_FINISHED", "RAW_DATA_SYNC_FINISHED", "MERLIN_START", "MERLIN_FINISHED"]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Step]]:
    folder = tmp_path_factory.mktemp("merscope")
    return folder, play_named("merscope", folder, options(seed=3, scale=0.1))


@pytest.fixture(scope="module")
def raw(played: tuple[Path, list[Step]]) -> Path:
    (run,) = (played[0] / "merfish_raw_data").iterdir()
    return run


@pytest.fixture(scope="module")
def region(played: tuple[Path, list[Step]], raw: Path) -> Path:
    return played[0] / "merfish_output" / raw.name / "region_0"


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def stacks(raw: Path) -> dict[str, Path]:
    """Base name of the images -> settings, as the protocol says."""
    imaging = [step["AcquireTiledImageStack"] for step in load(raw / "settings/protocol.json") if "Acq" in str(step)]
    return {step["base_name"]: raw / "settings" / step["stack_configuration"].split("\\")[-1] for step in imaging}


def test_a_run_is_named_as_the_instrument_names_it(raw: Path) -> None:
    named = re.fullmatch(r"(\d{12})_(.+)_(VMSC\d{5})", raw.name)
    assert named
    assert named[1] == "202405060708"
    assert "_" in named[2]  # the part in the middle is free text
    about = load(raw / "experiment.json")
    assert (about["experimentId"], about["experimentName"]) == (raw.name, named[2])


def test_the_number_of_images_is_fields_of_view_times_stacks(raw: Path) -> None:
    fov_count = load(raw / "experiment.json")["fovCount"]
    assert fov_count > 1
    assert len(stacks(raw)) == 12
    images = sorted(path.name for path in (raw / "data").glob("*.dax"))
    assert images == sorted(f"{stack}_{fov:04d}.dax" for stack in stacks(raw) for fov in range(fov_count))
    assert sorted(path.name for path in (raw / "data").glob("*.inf")) == [n.replace(".dax", ".inf") for n in images]
    assert len(rows(raw / "settings/positions.csv")) == fov_count


def test_the_size_of_an_image_is_frames_times_pixels(raw: Path) -> None:
    for base_name, settings in stacks(raw).items():
        frames = len(tomllib.loads(settings.read_text())["z_positions"])
        for path in (raw / "data").glob(f"{base_name}_????.dax"):
            said = dict(line.split(" = ") for line in path.with_suffix(".inf").read_text().splitlines())
            width, height = map(int, said["frame dimensions"].split(" x "))
            assert int(said["number of frames"]) == frames
            assert path.stat().st_size == frames * width * height * 2


def test_every_channel_is_in_a_frame_that_exists(raw: Path) -> None:
    header, *channels = rows(raw / "dataorganization.csv")
    assert len(channels) == 33
    for channel in (dict(zip(header, values, strict=True)) for values in channels):
        stack = channel["imageType"] + (f"_{channel['imagingRound']}" if channel["imagingRound"] != "-1" else "")
        settings = tomllib.loads(stacks(raw)[stack].read_text())
        for frame, z in zip(json.loads(channel["frame"]), json.loads(channel["zPos"]), strict=True):
            assert settings["z_positions"][frame] == z
            assert settings[f"ilm{channel['color']}"]["sequence"][frame] == 1
        assert re.search(channel["imageRegExp"], f"{stack}_0000")


def test_the_codebook_is_the_one_that_the_experiment_names(raw: Path) -> None:
    about = load(raw / "experiment.json")
    header, *genes = rows(raw / about["codebookName"])
    assert re.fullmatch(rf"codebook_0_{about['panelName']}_VA00123\.csv", about["codebookName"])
    assert set(header[3:]) < set(about["usedReadouts"])
    assert {row[3:].count("1") for row in genes if row[2] == "merfish"} == {4}
    assert len({row[0] for row in genes}) == len(genes)
    organized = {row[0]: row[1] for row in rows(raw / "dataorganization.csv")}
    for row in (row for row in genes if row[2] == "sequential"):
        assert organized[row[0]] == header[row.index("1")]


def test_the_manifest_lists_the_mosaics_that_are_there(region: Path) -> None:
    manifest = load(region / "images/manifest.json")
    listed = sorted(mosaic["file_name"] for mosaic in manifest["mosaic_files"])
    assert len(listed) == 28
    assert sorted(path.name for path in (region / "images").glob("*.tif")) == listed
    for name in listed:
        assert tiff_shape(region / "images" / name) == (
            manifest["mosaic_width_pixels"],
            manifest["mosaic_height_pixels"],
        )


def tiff_shape(path: Path) -> tuple[int, int]:
    """Width and height of a TIFF of one strip, which lies within the file and ends it."""
    content = path.read_bytes()
    magic, directory = struct.unpack_from("<2xHI", content)
    assert (content[:2], magic) == (b"II", 42)
    (count,) = struct.unpack_from("<H", content, directory)
    entries = [struct.unpack_from("<HHII", content, directory + 2 + 12 * k) for k in range(count)]
    tags = {tag: value for tag, _, _, value in entries}
    assert [tag for tag, *_ in entries] == sorted(tags)
    assert tags[278] == tags[257]
    assert tags[279] == tags[256] * tags[257] * tags[258] // 8
    assert tags[273] + tags[279] == len(content)
    return tags[256], tags[257]


def test_the_tables_agree_with_each_other(raw: Path, region: Path) -> None:
    about = load(raw / "experiment.json")
    genes = [row[0] for row in rows(raw / about["codebookName"]) if row[2] == "merfish"]
    counts, cells = rows(region / "cell_by_gene.csv"), rows(region / "cell_metadata.csv")
    assert counts[0][1:] == genes
    assert [row[0] for row in counts] == [row[0] for row in cells]
    header, *transcripts = rows(region / "detected_transcripts.csv")
    assert {row[header.index("gene")] for row in transcripts} <= set(genes)
    assert {int(row[header.index("fov")]) for row in transcripts} == set(range(about["fovCount"]))
    assert [int(row[0]) for row in transcripts] == list(range(len(transcripts)))


def test_the_viewer_file_is_a_zip(raw: Path, region: Path) -> None:
    with zipfile.ZipFile(region / f"{raw.name}_region_0.vzg") as archive:
        assert archive.testzip() is None


def test_markers_say_what_they_mark_and_come_when_that_is_done(played: tuple[Path, list[Step]], raw: Path) -> None:
    for marker in RAW_MARKERS:
        assert (raw / marker).read_text() == f"{raw.name} {marker}\n"
    order = completed(played[1])
    places = [order.index(f"merfish_raw_data/{raw.name}/{marker}") for marker in RAW_MARKERS]
    assert places == sorted(places)
    assert places[-1] == len(order) - 1
    assert all(path.startswith("merfish_raw_data") for path in order[: places[0]])
    computed = [place for place, path in enumerate(order) if path.startswith("merfish_output")]
    assert computed == list(range(places[2] + 1, places[3]))


def test_a_header_is_written_when_its_image_is_closed(played: tuple[Path, list[Step]]) -> None:
    order = completed(played[1])
    images = [place for place, path in enumerate(order) if path.endswith(".dax")]
    assert images
    assert all(order[place + 1] == order[place].replace(".dax", ".inf") for place in images)


def test_images_grow_frame_by_frame_and_are_the_data(played: tuple[Path, list[Step]]) -> None:
    steps = played[1]
    assert {step.path[-4:] for step in steps if isinstance(step, Open) and step.data} == {".dax"}
    grown = [step for step in steps if isinstance(step, Append) and step.path.endswith("stack_3_0001.dax")]
    assert len(grown) == 22


def test_no_two_frames_or_mosaics_are_the_same(played: tuple[Path, list[Step]]) -> None:
    images = [step for step in played[1] if isinstance(step, Append) and step.path.endswith((".dax", ".tif"))]
    contents = [step.content() for step in images]
    headers = {content for content in contents if content.startswith(b"II")}
    pixels = [content for content in contents if content not in headers]
    assert len(set(pixels)) == len(pixels) > 243


def test_the_end_is_known_only_at_the_end(played: tuple[Path, list[Step]]) -> None:
    opened = [step for step in played[1] if isinstance(step, Open) and step.path.endswith("experiment.json")]
    assert [step.how for step in opened] == [Opening.NEW, Opening.REWRITE]


def test_the_scale_of_a_real_run_gives_its_numbers() -> None:
    run = plan_run(Options(start=START, scale=40_000))
    assert run.fov_count == pytest.approx(1248, rel=0.1)
    assert run.side == pytest.approx(2048, rel=0.1)
    largest = plan_run(Options(start=START, scale=1_000_000))
    assert largest.side == 2048


def test_walking_through_a_run_makes_no_content() -> None:
    """A stream of some terabytes is as cheap as its number of steps."""
    frames = sum(isinstance(step, Append) and step.path.endswith(".dax") for step in acquire(options(scale=400.0)))
    assert frames == 243 * plan_run(options(scale=400.0)).fov_count


def test_small_files_have_the_keys_and_columns_of_real_ones(data: Path, raw: Path, region: Path) -> None:
    (real_raw,) = (data / "merscope/merfish_raw_data").iterdir()
    real_region = data / "merscope/merfish_output" / real_raw.name / "region_0"
    assert list(load(raw / "experiment.json")) == list(load(real_raw / "experiment.json"))
    assert list(load(region / "images/manifest.json")) == list(load(real_region / "images/manifest.json"))
    assert rows(raw / "dataorganization.csv")[0] == rows(real_raw / "dataorganization.csv")[0]
    for name in ("cell_metadata.csv", "detected_transcripts.csv"):
        assert rows(region / name)[0] == rows(real_region / name)[0]
    steps = [[list(step) for step in load(folder / "settings/protocol.json")] for folder in (raw, real_raw)]
    assert steps[0] == steps[1]
    for real in sorted((real_raw / "settings").glob("stack*.toml")):
        ours, theirs = (tomllib.loads(path.read_text()) for path in (raw / "settings" / real.name, real))
        assert ours["z_positions"] == theirs["z_positions"]
        assert [ours[key]["sequence"] for key in theirs if "ilm" in key] == [
            theirs[key]["sequence"] for key in theirs if "ilm" in key
        ]
    assert {path.name for path in real_raw.iterdir() if path.suffix != ".csv"} <= {path.name for path in raw.iterdir()}


# --- what the instrument makes of it ----------------------------------------------------------------------------------

SOON, LATER = timedelta(minutes=30), timedelta(days=2)
"""After the last byte: while the run may still go on, and when nobody expects that any more."""


def judged(folder: Path, after: timedelta, *parts: str) -> Verdict | None:
    job = Job("j", Place("s", str(folder)), (), "merscope", parts=parts)
    found = examine(INSTRUMENT, open_store(job.source), job, datetime.now(UTC) + after)
    return next((one.verdict for one in found if one.dataset.name != REST), None)


def conditions(folder: Path, *parts: str) -> list[Condition]:
    verdicts = [judged(folder, after, *parts) for after in (SOON, LATER)]
    return [verdict.condition for verdict in verdicts if verdict is not None]


def worth_a_look(number: int, step: Step) -> bool:
    """Whenever a file is there anew or closed, and at some moments while it grows."""
    return isinstance(step, Open | Close | Mark) or number % 7 == 0


def test_a_run_is_never_called_complete_before_it_is(tmp_path: Path) -> None:
    clock = Clock()
    steps = open_simulator("merscope").steps(options(seed=3, scale=0.02))
    moments, marker = [], ""
    for number, progress in enumerate(play(steps, tmp_path, None, clock.sleep, clock.monotonic)):
        if not worth_a_look(number, progress.step) or not progress.files:
            continue
        if isinstance(progress.step, Mark):
            marker = progress.step.path.rpartition("/")[2]
        for parts in ((), ("raw_data",), ("output",)):
            for condition in conditions(tmp_path, *parts):
                moments.append((marker, parts, condition))
    complete = {(marker, parts) for marker, parts, condition in moments if condition is Condition.COMPLETE}
    assert complete == {
        # Of the raw data alone the marker of their copying tells ...
        ("RAW_DATA_SYNC_FINISHED", ("raw_data",)),
        ("MERLIN_START", ("raw_data",)),
        ("MERLIN_FINISHED", ("raw_data",)),
        # ... a run to which no analysis came for two days has none ...
        ("RAW_DATA_SYNC_FINISHED", ()),
        # ... and everything is there when the analysis is done.
        ("MERLIN_FINISHED", ()),
        ("MERLIN_FINISHED", ("output",)),
    }
    synced = [condition for marker, parts, condition in moments if (marker, parts) == ("RAW_DATA_SYNC_FINISHED", ())]
    assert synced == [Condition.ACQUIRING, Condition.COMPLETE]
    before = [condition for marker, parts, condition in moments if not marker and parts != ("output",)]
    assert len(before) > 300
    assert set(before[::2]) == {Condition.ACQUIRING}
    assert set(before[1::2]) == {Condition.INCOMPLETE}


@pytest.mark.parametrize("scale", [0.02, 0.1])
@pytest.mark.parametrize(
    ("fault", "missing", "unwhole"),
    [("crash", None, 1), ("truncate", 0, 1), ("missing", 1, 0), ("growing", 1, 1)],
)
def test_a_run_in_which_something_went_wrong_is_never_complete(
    tmp_path: Path, scale: float, fault: str, missing: int | None, unwhole: int
) -> None:
    play_all(open_simulator("merscope").steps(options(seed=3, scale=scale, fault=fault)), tmp_path, at_most=3000)
    assert conditions(tmp_path) == [Condition.ACQUIRING, Condition.INCOMPLETE]
    assert conditions(tmp_path, "raw_data") == [Condition.ACQUIRING, Condition.INCOMPLETE]
    verdict = judged(tmp_path, LATER)
    assert verdict
    assert len(verdict.unwhole) == unwhole
    assert all(path.endswith(".dax") for path in verdict.unwhole)
    assert verdict.missing_count == missing or (missing is None and verdict.missing_count > 1)


def test_a_file_that_never_stops_growing_is_held_at_whatever_length(tmp_path: Path) -> None:
    clock = Clock()
    steps = open_simulator("merscope").steps(options(seed=3, scale=0.02, fault="growing"))
    pauses = 0
    for progress in play(islice(steps, 900), tmp_path, None, clock.sleep, clock.monotonic):
        if isinstance(progress.step, Pause):
            pauses += 1
            verdict = judged(tmp_path, LATER)
            assert verdict
            assert (verdict.condition, len(verdict.unwhole)) == (Condition.INCOMPLETE, 1)
        if pauses == 20:
            break
    assert pauses == 20


def test_a_late_image_is_told_of_and_does_not_make_a_whole_run_less(tmp_path: Path) -> None:
    play_named("merscope", tmp_path, options(seed=3, scale=0.1, fault="late"))
    verdict = judged(tmp_path, LATER)
    assert verdict
    assert verdict.condition is Condition.COMPLETE
    assert "1 .dax more than were planned: stack_10_0001_late.dax" in verdict.summary
