"""Does each fault do what it says?"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from coldchain.simulate.base import open_simulator
from coldchain.simulate.faults import FAULTS, GROWTH_BYTES, strike
from coldchain.simulate.steps import Append, Close, Mark, Open, Pause, Step, write_file
from tests.simulate.playing import completed, options, play_all, tree

SIZES = {"0.dax": 40, "1.dax": 40, "2.dax": 40}


def small_run() -> list[Step]:
    """Three images, each with a companion, then a marker."""
    steps: list[Step] = []
    for number in range(3):
        steps += write_file(f"{number}.dax", *[bytes([number]) * 10] * 4, data=True)
        steps += write_file(f"{number}.inf", b"4 frames")
    return [*steps, Mark("FINISHED")]


def played(fault: str, folder: Path, at_most: int | None = None) -> dict[str, int]:
    """The sizes of all files after a run in which the fault happens."""
    play_all(strike(lambda: iter(small_run()), fault), folder, at_most=at_most)
    return {path.name: path.stat().st_size for path in folder.iterdir()}


FLAWLESS = {**SIZES, "0.inf": 8, "1.inf": 8, "2.inf": 8, "FINISHED": 0}


def test_without_a_fault_everything_is_there(tmp_path: Path) -> None:
    assert played("", tmp_path) == FLAWLESS


def test_crash_leaves_a_half_written_file_and_no_marker(tmp_path: Path) -> None:
    assert played("crash", tmp_path) == {"0.dax": 40, "0.inf": 8, "1.dax": 25}


def test_truncate_cuts_the_last_image_short_and_marks_the_run_as_finished(tmp_path: Path) -> None:
    assert played("truncate", tmp_path) == {**FLAWLESS, "2.dax": 35}


def test_missing_leaves_out_one_image_but_not_its_companion(tmp_path: Path) -> None:
    assert played("missing", tmp_path) == {name: size for name, size in FLAWLESS.items() if name != "1.dax"}


def test_late_writes_one_more_file_after_the_marker(tmp_path: Path) -> None:
    assert played("late", tmp_path) == {**FLAWLESS, "2_late.dax": 40}
    steps = list(strike(lambda: iter(small_run()), "late"))
    assert completed(steps)[-2:] == ["FINISHED", "2_late.dax"]


def test_growing_never_closes_one_image_and_never_ends(tmp_path: Path) -> None:
    rest = {name: size for name, size in FLAWLESS.items() if name not in ("1.dax", "1.inf")}
    sizes = [played("growing", tmp_path / str(at_most), at_most)["1.dax"] for at_most in (30, 60, 90)]
    assert 40 < sizes[0] < sizes[1] < sizes[2]
    assert {name: size for name, size in played("growing", tmp_path / "last", 90).items() if name != "1.dax"} == rest


def test_growing_rests_between_its_pieces_so_that_it_fills_no_disk() -> None:
    steps = list(islice(strike(lambda: iter(small_run()), "growing"), 200))
    at_end = steps[steps.index(Mark("FINISHED")) + 1 :]
    assert {type(step) for step in at_end[::2]} == {Pause}
    assert all(isinstance(step, Append) and step.path == "1.dax" for step in at_end[1::2])
    assert Close("1.dax") not in steps


def test_growing_by_large_frames_grows_slowly() -> None:
    frames = list(write_file("large.dax", bytes(10 * GROWTH_BYTES), data=True))
    struck = list(islice(strike(lambda: iter(frames), "growing"), 10))
    assert {len(step.content()) for step in struck[2:] if isinstance(step, Append)} == {GROWTH_BYTES}


def test_only_data_is_struck() -> None:
    steps = [*write_file("settings", b"text"), *write_file("image", b"pixels", data=True), *write_file("log", b"text")]
    for fault in ("missing", "truncate", "crash"):
        struck = list(strike(lambda: iter(steps), fault))
        assert Open("settings") in struck
        assert Close("settings") in struck


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_struck_merscope_differs_from_a_flawless_one_only_where_it_should(fault: str, tmp_path: Path) -> None:
    simulator = open_simulator("merscope")
    play_all(simulator.steps(options()), tmp_path / "flawless")
    play_all(simulator.steps(options(fault=fault)), tmp_path / "struck", at_most=2000)
    flawless, struck = tree(tmp_path / "flawless"), tree(tmp_path / "struck")
    lost = {path.rsplit("/", 1)[-1] for path in flawless.keys() - struck.keys()}
    more = {path.rsplit("/", 1)[-1] for path in struck.keys() - flawless.keys()}
    other = {path.rsplit("/", 1)[-1] for path in struck.keys() & flawless.keys() if flawless[path] != struck[path]}
    markers = {"EXPERIMENT_FINISHED", "RAW_DATA_SYNC_FINISHED", "MERLIN_START", "MERLIN_FINISHED"}
    match fault:
        case "crash":
            assert markers < lost
            assert (more, other) == (set(), {"stack_5_0000.dax", "experiment.json"})
        case "truncate":
            assert (lost, more, other) == (set(), set(), {"stack_10_0000.dax"})
        case "missing":
            assert (lost, more, other) == ({"stack_5_0000.dax"}, set(), set())
        case "late":
            assert (lost, more, other) == (set(), {"stack_10_0000_late.dax"}, set())
        case "growing":
            assert (lost, more, other) == ({"stack_5_0000.inf"}, set(), {"stack_5_0000.dax"})
