"""Does a simulated IFCB write bins like the real one, and is each judged as what it is?"""

from __future__ import annotations

import os
import re
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coldchain.config.values import Job
from coldchain.instruments.base import open_instrument
from coldchain.model import Place
from coldchain.operate.examine import examine
from coldchain.simulate.base import Options, open_simulator
from coldchain.simulate.steps import Append, Close, Open, Opening, Step
from coldchain.stores.base import open_store
from coldchain.verdict import Condition, Verdict
from tests.simulate.playing import START, completed, options, play_all, play_named

WRITTEN = datetime(2024, 5, 8, 12, tzinfo=UTC)
LATER = WRITTEN + timedelta(days=1)
BINS = 14
"""At a scale of 0.05."""


def verdicts(folder: Path, now: datetime = LATER) -> dict[str, Verdict]:
    """What the instrument says of what was played, as if it had been written two days after it began."""
    for path in folder.rglob("*"):
        os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    source = Place("s", str(folder))
    found = examine(open_instrument("ifcb"), open_store(source), Job("j", source, (), instrument="ifcb"), now)
    return {one.dataset.name: one.verdict for one in found if one.dataset.name != "."}


def only(folder: Path, now: datetime = LATER) -> Verdict:
    (verdict,) = verdicts(folder, now).values()
    return verdict


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Step]]:
    folder = tmp_path_factory.mktemp("ifcb")
    return folder, play_named("ifcb", folder, options(seed=3, scale=0.05))


def stems(folder: Path) -> list[Path]:
    return sorted(path.with_suffix("") for path in folder.rglob("*.hdr"))


def test_every_simulated_bin_is_whole(played: tuple[Path, list[Step]]) -> None:
    verdict = only(played[0])
    assert (verdict.condition, verdict.summary) == (Condition.COMPLETE, f"{BINS} bins, all whole")
    assert not verdict.remarks
    assert {row["roiCount"] for row in verdict.units} == {22}
    assert verdict.catalogue["roiCount"] == BINS * 22


def test_a_trial_spans_two_days_that_are_whole(tmp_path: Path) -> None:
    play_all(open_simulator("ifcb").steps(Options(START, seed=1, scale=1.0)), tmp_path)
    assert {name: str(verdict.condition) for name, verdict in verdicts(tmp_path).items()} == {
        "D20240506": "complete",
        "D20240507": "complete",
    }


def test_bins_are_named_by_when_they_began_in_utc(played: tuple[Path, list[Step]]) -> None:
    names = [stem.name for stem in stems(played[0])]
    assert names[:2] == ["D20240506T140800_IFCB134", "D20240506T143154_IFCB134"]
    assert len(names) == BINS
    assert all((stem.with_suffix(end)).exists() for stem in stems(played[0]) for end in (".adc", ".roi"))


def test_the_table_has_the_columns_that_the_header_names(played: tuple[Path, list[Step]]) -> None:
    for stem in stems(played[0]):
        header = dict(re.findall(r"^([^:\n]+): (.*)$", stem.with_suffix(".hdr").read_text(), re.MULTILINE))
        columns = header["ADCFileFormat"].split(", ")
        assert len(columns) == 24
        end = rois = 0
        numbers = []
        for line in stem.with_suffix(".adc").read_text().splitlines():
            row = dict(zip(columns, line.split(","), strict=True))
            numbers.append(int(row["trigger#"]))
            if int(row["RoiWidth"]):
                assert int(row["StartByte"]) == end
                end += int(row["RoiWidth"]) * int(row["RoiHeight"])
                rois += 1
        assert numbers == sorted(numbers)
        assert (rois, numbers[-1]) == (int(header["roiCount"]), int(header["triggerCount"]))
        assert rois < len(numbers), "some triggers give no image"
        assert stem.with_suffix(".roi").stat().st_size == end


def test_the_real_header_has_the_keys_of_a_simulated_one(played: tuple[Path, list[Step]], data: Path) -> None:
    def keys(path: Path) -> set[str]:
        return {line.partition(":")[0] for line in path.read_text().splitlines()}

    assert keys(stems(played[0])[0].with_suffix(".hdr")) <= keys(
        data / "ifcb/ifcbdata/D20230810/D20230810T113059_IFCB134.hdr"
    )


def test_images_compress_as_real_ones_do(played: tuple[Path, list[Step]]) -> None:
    content = stems(played[0])[0].with_suffix(".roi").read_bytes()
    assert 1.3 < len(content) / len(zlib.compress(content)) < 1.8


def test_the_header_comes_first_and_the_images_last(played: tuple[Path, list[Step]]) -> None:
    order = [path[-4:] for path in completed(played[1]) if "T140800" in path]
    assert order == [".hdr", ".adc", ".roi"]


def test_some_bins_grow_long_before_their_header_is_there(played: tuple[Path, list[Step]]) -> None:
    opened = [step for step in played[1] if isinstance(step, Open)]
    filling = {step.path[:-4] for step in opened if step.how is Opening.APPEND}
    assert len(filling) == 2
    for stem in filling:
        steps = [(step.path[-4:], step.how, step.data) for step in opened if step.path[:-4] == stem]
        assert steps == [
            (".adc", Opening.NEW, True),
            (".roi", Opening.NEW, True),
            (".adc", Opening.APPEND, True),
            (".roi", Opening.APPEND, True),
            (".hdr", Opening.NEW, False),
            (".adc", Opening.APPEND, True),
            (".roi", Opening.APPEND, True),
        ]


def test_no_bin_is_called_whole_before_its_end(tmp_path: Path) -> None:
    """The play is stopped after each step: only bins that are as they will stay are not held."""
    steps = list(open_simulator("ifcb").steps(options(scale=0.001)))
    steps += [step for step in open_simulator("ifcb").steps(options(scale=0.05)) if "T154336" in str(step)]
    closed_last = {step.path[:-4]: number for number, step in enumerate(steps) if isinstance(step, Close)}
    for stop in range(1, len(steps)):
        folder = tmp_path / str(stop)
        play_all(steps, folder, at_most=stop)
        held: set[str] = set()
        for verdict in verdicts(folder, WRITTEN + timedelta(minutes=5)).values():
            held |= {path[:-4] for path in verdict.unwhole}
            assert verdict.condition is Condition.ACQUIRING
        there = {str(path.relative_to(folder))[:-4] for path in folder.rglob("*.*")}
        unfinished = {
            stem for stem in there if closed_last[stem] > stop
        }  # all but closing was done: its bytes are there
        assert unfinished <= held
        assert not {stem for stem in there if closed_last[stem] < stop} & held


@pytest.mark.parametrize("scale", [0.05, 0.2])
@pytest.mark.parametrize("fault", ["crash", "truncate", "missing", "growing"])
def test_a_fault_makes_its_bin_unwhole_and_no_other(tmp_path: Path, fault: str, scale: float) -> None:
    play_all(open_simulator("ifcb").steps(options(scale=scale, fault=fault)), tmp_path, at_most=2000)
    (old,) = (one for one in verdicts(tmp_path).values() if one.missing)
    assert (old.condition, old.missing_count) == (Condition.INCOMPLETE, 1)
    (young,) = (one for one in verdicts(tmp_path, WRITTEN + timedelta(minutes=1)).values() if one.unwhole)
    assert young.condition is Condition.ACQUIRING
    assert len({path[:-4] for path in young.unwhole}) == 1


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    play_all(open_simulator("ifcb").steps(options(scale=0.05, fault="missing")), tmp_path)
    verdict = only(tmp_path)
    assert verdict.summary == f"short by 1 of {BINS} bins: D20240506T165518_IFCB134: no .adc"
    assert not verdict.unwhole  # what is there is carried


def test_images_that_are_missing_are_said(tmp_path: Path) -> None:
    play_named("ifcb", tmp_path, options(scale=0.05))
    stems(tmp_path)[3].with_suffix(".roi").unlink()
    verdict = only(tmp_path)
    assert verdict.summary == f"{BINS} bins, 1 without .roi"
    assert len(verdict.remarks) == 1


def test_a_late_file_belongs_to_its_day(tmp_path: Path) -> None:
    play_all(open_simulator("ifcb").steps(options(scale=0.05, fault="late")), tmp_path)
    assert [path.name for path in tmp_path.rglob("*_late.roi")]
    source = Place("s", str(tmp_path))
    found = examine(open_instrument("ifcb"), open_store(source), Job("j", source, (), instrument="ifcb"), LATER)
    assert {one.dataset.name: one.tally.files for one in found} == {".": 0, "D20240506": 3 * BINS + 1}


def test_appends_are_what_grows(played: tuple[Path, list[Step]]) -> None:
    grown = [step for step in played[1] if isinstance(step, Append) and step.path.endswith("T140800_IFCB134.roi")]
    assert len(grown) == 3
