"""Is a simulated rig laid out like a real one, and judged rightly whatever goes wrong?"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from coldchain.config.values import Job
from coldchain.instruments.base import open_instrument
from coldchain.model import Place
from coldchain.operate.examine import examine
from coldchain.simulate.base import open_simulator
from coldchain.simulate.steps import Append, Close, Mark, Open, Opening
from coldchain.stores.base import open_store
from coldchain.verdict import Condition, Verdict
from tests.simulate.playing import completed, options, play_all

FLAG = "transfer_me.flag"
TINY, SMALL = 0.001, 0.02
"""One session, and three."""


def play(folder: Path, *, scale: float, fault: str = "") -> datetime:
    """Play; the files get times a second apart, in the order in which they were written last.  Returns the last."""
    steps = islice(open_simulator("rig").steps(options(scale=scale, fault=fault)), 5000)
    taken = [progress.step for progress in play_all(steps, folder)]
    last = {step.path: place for place, step in enumerate(taken) if isinstance(step, Append | Mark | Close | Open)}
    start = datetime(2024, 5, 6, tzinfo=UTC)
    for path, place in last.items():
        at = (start + timedelta(seconds=place)).timestamp()
        os.utime(folder / path, (at, at))
    return start + timedelta(seconds=len(taken))


def judge(folder: Path, now: datetime, **keys: object) -> dict[str, Verdict]:
    job = Job("m", Place("m", "/x"), (), "rig", flag=FLAG, growing=("Monitor*.txt",), **keys)  # type: ignore[arg-type]
    store = open_store(Place("m", str(folder)))
    found = {one.dataset.name: one.verdict for one in examine(open_instrument("rig"), store, job, now)}
    rest = found.pop(".")
    assert rest.condition is Condition.UNKNOWN
    assert [tuple(remark) for remark in rest.remarks] == [("Monitor1.txt", "grows on; carried as it was")]
    return found


def conditions(verdicts: dict[str, Verdict]) -> list[str]:
    return [verdict.condition.value for verdict in verdicts.values()]


@pytest.fixture(scope="module")
def flawless(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, datetime]:
    folder = tmp_path_factory.mktemp("rig")
    return folder, play(folder, scale=SMALL)


def test_sessions_are_named_as_a_rig_names_them(flawless: tuple[Path, datetime]) -> None:
    sessions = [str(flag.parent.relative_to(flawless[0])) for flag in sorted(flawless[0].rglob(FLAG))]
    assert sessions == [f"Subjects/SWC_042/2024-05-06/00{number}" for number in (1, 2, 3)]


def test_a_flawless_session_is_complete(flawless: tuple[Path, datetime]) -> None:
    verdicts = judge(*flawless)
    assert conditions(verdicts) == ["complete"] * 3
    for verdict in verdicts.values():
        assert (verdict.unwhole, verdict.remarks, verdict.missing) == ({}, (), ())
        assert (verdict.catalogue["SUBJECT_NAME"], verdict.catalogue["trials"]) == ("SWC_042", 6)
        assert "PYBPOD_CREATOR" not in verdict.catalogue
    assert verdicts["Subjects/SWC_042/2024-05-06/002"].catalogue["start"] == "2024-05-06T07:08:00"


def test_files_have_the_keys_and_lines_of_real_ones(data: Path, flawless: tuple[Path, datetime]) -> None:
    real = data / "behaviour/ibl_rig/session_training_ge5/raw_behavior_data"
    ours = flawless[0] / "Subjects/SWC_042/2024-05-06/001/raw_behavior_data"
    assert {file.name for file in ours.iterdir()} == {file.name for file in real.iterdir()}
    settings, task = "_iblrig_taskSettings.raw.json", "_iblrig_taskData.raw.jsonable"
    assert set(json.loads((ours / settings).read_text())) <= set(json.loads((real / settings).read_text()))
    trials = [json.loads((folder / task).read_text().splitlines()[0]) for folder in (ours, real)]
    assert set(trials[0]) <= set(trials[1])
    assert set(trials[0]["behavior_data"]) <= set(trials[1]["behavior_data"])
    for name in ("Events", "Positions", "TrialInfo"):
        lines = [(folder / f"_iblrig_encoder{name}.raw.ssv").read_text().splitlines()[-1] for folder in (ours, real)]
        assert re.sub(r"\d+", "0", lines[0]).count(" ") == re.sub(r"\d+", "0", lines[1]).count(" ")


def test_the_flag_is_the_last_of_its_session() -> None:
    order = completed(open_simulator("rig").steps(options(scale=SMALL)))
    for place, path in enumerate(order):
        if path.endswith(FLAG):
            session = path.removesuffix(FLAG)
            assert not [later for later in order[place + 1 :] if later.startswith(session)]
    assert order[-1] == "Monitor1.txt"  # open from the first trial to the last


def test_a_table_is_written_anew_in_place_after_each_session() -> None:
    steps = open_simulator("rig").steps(options(scale=SMALL))
    ways = [step.how for step in steps if isinstance(step, Open) and step.path == "trials_merged.csv"]
    assert ways == [Opening.NEW, Opening.REWRITE, Opening.REWRITE]


# --- what goes wrong --------------------------------------------------------------------------------------------------

LATER = timedelta(hours=3)


def test_a_session_that_crashed_is_acquiring_and_then_incomplete(tmp_path: Path) -> None:
    now = play(tmp_path, scale=SMALL, fault="crash")
    verdicts = judge(tmp_path, now)
    assert conditions(verdicts) == ["complete", "acquiring"]
    assert conditions(judge(tmp_path, now + LATER)) == ["complete", "incomplete"]
    assert [verdict.summary for verdict in verdicts.values()][1] == "there is no transfer_me.flag"


def test_a_file_that_is_cut_short_is_noticed_although_the_flag_is_there(tmp_path: Path) -> None:
    now = play(tmp_path, scale=SMALL, fault="truncate")
    *whole, cut = judge(tmp_path, now).values()
    assert {verdict.condition for verdict in whole} == {Condition.COMPLETE}
    assert cut.condition is Condition.ACQUIRING
    assert set(cut.unwhole.values()) == {"its last line is not whole"}
    *_, cut = judge(tmp_path, now + LATER).values()
    assert (cut.condition, cut.unwhole, len(cut.remarks)) == (Condition.INCOMPLETE, {}, 1)


@pytest.mark.parametrize("scale", [TINY, SMALL, 0.05])
def test_a_file_that_never_appears_is_missed_although_the_flag_is_there(tmp_path: Path, scale: float) -> None:
    now = play(tmp_path, scale=scale, fault="missing")
    verdicts = judge(tmp_path, now + LATER)
    assert sorted(conditions(verdicts)) == ["complete"] * (len(verdicts) - 1) + ["incomplete"]
    assert [verdict.missing_count for verdict in verdicts.values() if verdict.missing] == [1]


def test_a_file_that_comes_late_opens_the_session_again(tmp_path: Path) -> None:
    now = play(tmp_path, scale=SMALL, fault="late")
    *whole, late = judge(tmp_path, now).values()
    assert {verdict.condition for verdict in whole} == {Condition.COMPLETE}
    assert late.condition is Condition.ACQUIRING
    assert late.summary.endswith("_late.jsonable was written to after transfer_me.flag")
    assert conditions(judge(tmp_path, now + LATER)) == ["complete"] * 3


def test_a_file_that_grows_on_keeps_its_session_open(tmp_path: Path) -> None:
    now = play(tmp_path, scale=SMALL, fault="growing")
    assert sorted(conditions(judge(tmp_path, now))) == ["acquiring", "complete", "complete"]
