"""Are sessions of behaviour rigs found, judged and described as they are?"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coldchain.config.values import Job
from coldchain.errors import ConfigurationError
from coldchain.instruments.base import Look, open_instrument
from coldchain.model import Dataset, Part, Place
from coldchain.operate.examine import examine
from coldchain.stores.base import open_store
from coldchain.verdict import Condition, Verdict

RIG = open_instrument("rig")
NOW = datetime(2024, 5, 6, 12, tzinfo=UTC)
OLD, YOUNG = NOW - timedelta(days=2), NOW - timedelta(minutes=20)
FLAG = "transfer_me.flag"
BEHAVIOUR = "raw_behavior_data"
TASK, SETTINGS = f"{BEHAVIOUR}/_iblrig_taskData.raw.jsonable", f"{BEHAVIOUR}/_iblrig_taskSettings.raw.json"
SESSION = "Subjects/KS005/2019-04-04/004"


def job(**keys: object) -> Job:
    return Job("m", Place("m", "/from"), (), "rig", **keys)  # type: ignore[arg-type]


def verdicts(folder: Path, **keys: object) -> dict[str, Verdict]:
    store = open_store(Place("m", str(folder)))
    return {found.dataset.name: found.verdict for found in examine(RIG, store, job(**keys), NOW)}


def names(folder: Path, datasets: str = "") -> list[str]:
    store = open_store(Place("m", str(folder)))
    return [dataset.name for dataset in RIG.find(store, job(datasets=datasets))]


def put(file: Path, content: bytes = b"x", at: datetime = OLD) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, (at.timestamp(), at.timestamp()))
    return file


@pytest.fixture
def session(data: Path, tmp_path: Path) -> Path:
    """A copy of a real session, flagged, with nothing touched for two days."""
    folder = tmp_path / SESSION
    for file in (data / "behaviour/ibl_rig/session_training_ge5" / BEHAVIOUR).iterdir():
        put(folder / BEHAVIOUR / file.name, file.read_bytes())
    put(folder / FLAG, b"", OLD + timedelta(seconds=1))
    return folder


def judged(session: Path, **keys: object) -> Verdict:
    return verdicts(session.parents[3], **{"flag": FLAG} | keys)[SESSION]


# --- what a session is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("above", "fields"),
    [
        ("mainenlab/Subjects/KS005/", {"lab": "mainenlab", "subject": "KS005"}),
        ("x/mainenlab/Subjects/KS005/", {"lab": "mainenlab", "subject": "KS005"}),
        ("Subjects/KS005/", {"subject": "KS005"}),
        ("KS005/", {"subject": "KS005"}),
        ("", {}),
    ],
)
def test_sessions_are_found_wherever_the_subjects_lie(tmp_path: Path, above: str, fields: dict[str, str]) -> None:
    for number in ("001", "002"):
        put(tmp_path / f"{above}2019-04-04/{number}/raw_behavior_data/a.ssv")
    put(tmp_path / f"{above}2019-04-04/notes/a.txt")
    put(tmp_path / "README.txt")
    found = list(RIG.find(open_store(Place("m", str(tmp_path))), job()))
    assert [dataset.name for dataset in found] == [f"{above}2019-04-04/001", f"{above}2019-04-04/002"]
    assert dict(found[0].fields) == fields | {"date": "2019-04-04", "number": "001"}
    assert set(verdicts(tmp_path)) == {dataset.name for dataset in found} | {"."}


def test_where_no_session_is_found_each_folder_at_the_top_is_one(tmp_path: Path) -> None:
    for folder in (
        "opto_EB(6-training)",
        "september_16_fly_1/testing_3",
        ".coldchain",
        "2019-04-04/1",
        "2019-13-04/001",
    ):
        put(tmp_path / folder / "a.csv")
    assert names(tmp_path) == ["2019-04-04", "2019-13-04", "opto_EB(6-training)", "september_16_fly_1"]


def test_a_session_that_lies_deeper_than_any_layout_is_not_looked_for(tmp_path: Path) -> None:
    put(tmp_path / "a/b/c/d/e/2019-04-04/001/x")
    assert names(tmp_path) == ["a"]


def test_a_pattern_says_which_folders_are_sessions(tmp_path: Path) -> None:
    for folder in ("fly_1/test_1", "fly_1/test_2", "fly_2/train_1"):
        put(tmp_path / folder / "distances.csv")
    assert names(tmp_path, "*/test*") == ["fly_1/test_1", "fly_1/test_2"]
    put(tmp_path / "KS005/2019-04-04/001/x")
    (dataset,) = RIG.find(open_store(Place("m", str(tmp_path))), job(datasets="KS*/*/*"))
    assert dict(dataset.fields) == {"subject": "KS005", "date": "2019-04-04", "number": "001"}


@pytest.mark.parametrize("datasets", ["session", "whole", "a/b", "**/*"])
def test_another_word_is_refused(tmp_path: Path, datasets: str) -> None:
    with pytest.raises(ConfigurationError, match="sessions"):
        names(tmp_path, datasets)


def test_an_ibl_rig_is_recognised_and_other_folders_are_not() -> None:
    own = [f"{SESSION}/", f"{SESSION}/{TASK}", f"{SESSION}/{FLAG}"]
    assert RIG.recognise([*own, "Subjects/", "2019-04-04/001/", "data/a.csv"]) == (
        3,
        "names of an IBL rig (_iblrig_*, SUBJECT/DATE/NUMBER)",
    )
    assert RIG.recognise(["merfish_raw_data/", "D20220522/", "a.txt"]) == (0, "")


# --- real sessions ----------------------------------------------------------------------------------------------------


def test_the_real_sessions_are_described_by_their_settings(data: Path) -> None:
    found = verdicts(data / "behaviour/ibl_rig")
    assert set(found) == {
        *(".", "wheel", "session_biased_ge5", "session_ephys", "session_training_ge5", "session_training_lt5")
    }
    assert {verdict.condition for verdict in found.values()} == {Condition.UNKNOWN}
    assert all(not verdict.unwhole and not verdict.remarks and not verdict.missing for verdict in found.values())
    biased = found["session_biased_ge5"].catalogue
    assert biased["PYBPOD_PROTOCOL"] == "_iblrig_tasks_biasedChoiceWorld"
    assert (biased["IBLRIG_VERSION_TAG"], biased["SUBJECT_NAME"]) == ("5.0.0", "_iblrig_test_mouse")
    assert (biased["SESSION_NUMBER"], biased["SUBJECT_WEIGHT"]) == ("002", 123.0)
    assert biased["start"] == "2019-07-01T12:18:14.602640"
    trials = {name: verdict.catalogue.get("trials") for name, verdict in found.items()}
    assert (trials["session_biased_ge5"], trials["session_training_ge5"], trials["session_training_lt5"]) == (8, 12, 4)
    assert trials["session_ephys"] is None
    assert found["session_ephys"].catalogue["start"] == "2020-01-08T12:48:26.795526"
    assert [unit["unit"] for unit in found["session_ephys"].units] == [BEHAVIOUR]
    assert found["wheel"].catalogue == {}
    assert Verdict.from_json(json.loads(json.dumps(found["session_ephys"].as_json(), allow_nan=False)))


def test_people_are_named_only_where_that_is_wanted(data: Path) -> None:
    found = verdicts(data / "behaviour/ibl_rig")["session_ephys"]
    assert "_iblrig_fake_user" not in str(found)
    assert "nico" not in str(found)
    wanted = verdicts(data / "behaviour/ibl_rig", personal=True)["session_ephys"]
    assert wanted.catalogue["PYBPOD_CREATOR"] == "_iblrig_fake_user"
    assert "/home/nico/" in str(wanted.catalogue["SESSION_FOLDER"])


# --- the flag ---------------------------------------------------------------------------------------------------------


def test_a_session_is_complete_when_its_flag_is_there(session: Path) -> None:
    verdict = judged(session)
    assert (verdict.condition, verdict.summary) == (Condition.COMPLETE, "transfer_me.flag is there")
    assert not verdict.unwhole
    assert not verdict.remarks
    assert verdict.catalogue["trials"] == 12


def test_without_the_key_a_flag_proves_nothing(session: Path) -> None:
    assert judged(session, flag="").condition is Condition.UNKNOWN


@pytest.mark.parametrize(("at", "condition"), [(OLD, Condition.INCOMPLETE), (YOUNG, Condition.ACQUIRING)])
def test_a_session_without_its_flag_is_not_over(session: Path, at: datetime, condition: Condition) -> None:
    (session / FLAG).unlink()
    os.utime(session / TASK, (at.timestamp(), at.timestamp()))
    verdict = judged(session)
    assert (verdict.condition, verdict.summary) == (condition, "there is no transfer_me.flag")


def test_a_flag_in_a_folder_of_the_session_is_not_the_sessions(session: Path) -> None:
    (session / FLAG).rename(session / BEHAVIOUR / FLAG)
    assert judged(session).condition is Condition.INCOMPLETE


def test_a_flag_of_another_name_is_taken_for_the_flag(session: Path) -> None:
    (session / FLAG).rename(session / "done.txt")
    assert judged(session, flag="done.txt").condition is Condition.COMPLETE
    assert judged(session, flag=FLAG).condition is Condition.INCOMPLETE


def test_an_early_flag_is_not_believed_while_the_session_is_still_written_to(session: Path) -> None:
    put(session / "raw_video_data/late.avi", at=YOUNG)
    verdict = judged(session)
    assert (verdict.condition, verdict.summary) == (
        Condition.ACQUIRING,
        "raw_video_data/late.avi was written to after transfer_me.flag",
    )
    put(session / "raw_video_data/late.avi", at=NOW - timedelta(hours=2))
    assert judged(session).condition is Condition.COMPLETE


def test_a_time_stamp_of_the_future_does_not_hide_what_is_being_written(session: Path) -> None:
    (session / FLAG).unlink()
    put(session / "odd.bin", at=NOW + timedelta(days=300))
    os.utime(session / TASK, (YOUNG.timestamp(), YOUNG.timestamp()))
    assert judged(session).condition is Condition.ACQUIRING


@pytest.mark.parametrize(
    ("path", "flag", "prefix"),
    [
        (FLAG, "", ""),
        (f"{BEHAVIOUR}/{FLAG}", "", None),
        ("_devices/2019-04-04_004_KS005@video.status_complete", "", ""),
        ("done.txt", "done.txt", ""),
        ("done.txt", "", None),
        (f"{BEHAVIOUR}/done.txt", "done.txt", None),
        (TASK, "", None),
    ],
)
def test_a_flag_travels_last(tmp_path: Path, path: str, flag: str, prefix: str | None) -> None:
    put(tmp_path / SESSION / path)
    (dataset,) = RIG.find(open_store(Place("m", str(tmp_path))), job(flag=flag))
    assert RIG.marker(dataset, f"{SESSION}/{path}") == prefix


# --- what is not whole ------------------------------------------------------------------------------------------------


def _cut(file: Path, size_bytes: int, at: datetime) -> None:
    put(file, file.read_bytes()[:size_bytes], at)


@pytest.mark.parametrize("left", [-1, -2, -4000, 11_500])
def test_a_jsonable_whose_last_line_is_cut_is_not_whole(session: Path, left: int) -> None:
    last_byte_only = left == -1
    _cut(session / TASK, left, YOUNG)
    verdict = judged(session)
    if last_byte_only:  # the object is whole, and only its line feed is not there
        assert verdict.unwhole == {}
        return
    assert verdict.unwhole == {f"{SESSION}/{TASK}": "its last line is not whole"}
    assert (verdict.condition, verdict.summary) == (Condition.ACQUIRING, f"not whole: {TASK}")
    assert judged(session, flag="").unwhole == verdict.unwhole
    _cut(session / TASK, left, OLD)
    verdict = judged(session)
    assert verdict.unwhole == {}
    assert [tuple(remark) for remark in verdict.remarks] == [
        (f"{SESSION}/{TASK}", "its last line is not whole; carried as it is")
    ]
    assert verdict.condition is Condition.INCOMPLETE


def test_an_empty_jsonable_is_whole(session: Path) -> None:
    put(session / TASK, b"")
    verdict = judged(session)
    assert verdict.condition is Condition.COMPLETE
    assert verdict.catalogue["trials"] == 0


def test_settings_without_data_of_the_task_are_not_a_whole_session(session: Path) -> None:
    (session / TASK).unlink()
    verdict = judged(session)
    assert verdict.condition is Condition.INCOMPLETE
    assert verdict.missing == (TASK,)
    assert verdict.summary == f"short by 1 of 6 files: {TASK}"


@pytest.mark.parametrize("lost", ["_iblrig_encoderEvents.raw.ssv", "_iblrig_encoderPositions.raw.ssv"])
def test_events_and_positions_of_the_wheel_belong_together(session: Path, lost: str) -> None:
    (session / BEHAVIOUR / lost).unlink()
    assert judged(session).missing == (f"{BEHAVIOUR}/{lost}",)


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        (["raw.mp4", "timestamps.ssv"], []),
        (["raw.avi", "frameData.bin"], []),
        (["raw.mp4", "timestamps.ssv", "frame_counter.bin", "GPIO.bin"], []),
        (["timestamps.ssv"], ["raw.*"]),
        (["raw.avi"], ["timestamps.ssv"]),
        (["raw.mp4", "timestamps.ssv", "GPIO.bin"], ["frame_counter.bin"]),
        (["raw.mp4", "timestamps.ssv", "frame_counter.bin"], ["GPIO.bin"]),
    ],
)
def test_the_files_of_a_camera_belong_together(session: Path, there: list[str], missing: list[str]) -> None:
    for kind in there:
        put(session / f"raw_video_data/_iblrig_leftCamera.{kind}", b"12345678")
    assert judged(session).missing == tuple(f"raw_video_data/_iblrig_leftCamera.{kind}" for kind in missing)
    assert judged(session).condition is (Condition.INCOMPLETE if missing else Condition.COMPLETE)


def test_what_a_camera_writes_by_frames_ends_with_a_frame(session: Path, data: Path) -> None:
    real = data / "behaviour/ibl_rig/session_ephys/raw_video_data/_iblrig_bodyCamera.frame_counter.bin"
    cut = put(session / f"raw_video_data/{real.name}", real.read_bytes()[:-1], YOUNG)
    path = f"{SESSION}/raw_video_data/{real.name}"
    assert judged(session).unwhole == {path: "its 4,079 bytes are not 8 for each frame"}
    put(cut, real.read_bytes(), YOUNG)
    assert judged(session).unwhole == {}


def test_cut_settings_are_not_whole(session: Path) -> None:
    _cut(session / SETTINGS, 3000, YOUNG)
    assert judged(session).unwhole == {f"{SESSION}/{SETTINGS}": "its JSON is not whole"}
    _cut(session / SETTINGS, 3000, OLD)
    verdict = judged(session)
    assert verdict.condition is Condition.INCOMPLETE
    assert verdict.remarks[0].sentence == "its JSON is not whole; carried as it is"


@pytest.mark.parametrize(("sidecar", "size_bytes", "held"), [("wal", 8, 2), ("journal", 8, 2), ("journal", 0, 0)])
def test_a_database_in_use_is_held_with_what_lies_beside_it(
    session: Path, sidecar: str, size_bytes: int, held: int
) -> None:
    put(session / "fly.db", bytes(4096))
    put(session / f"fly.db-{sidecar}", bytes(size_bytes))
    put(session / f"minutes-{sidecar}")
    verdict = judged(session)
    assert len(verdict.unwhole) == held
    if held:
        assert verdict.unwhole[f"{SESSION}/fly.db"] == f"a database in use (its -{sidecar} lies beside it)"
        assert verdict.condition is Condition.INCOMPLETE


def test_a_database_that_is_none_is_carried_with_a_remark(session: Path) -> None:
    put(session / "fly.db", bytes(15))
    put(session / "empty.db", b"")
    verdict = judged(session)
    assert [tuple(remark) for remark in verdict.remarks] == [(f"{SESSION}/fly.db", "no database: 15 bytes")]
    assert verdict.condition is Condition.COMPLETE


def test_a_file_that_grows_on_holds_nothing_up(session: Path) -> None:
    put(session / "Monitor1.txt", b"1\t06 May 24", NOW)
    put(session / "log.jsonable", b'{"a":', NOW)
    assert judged(session).condition is Condition.ACQUIRING
    verdict = judged(session, growing=("Monitor*.txt", "log.jsonable"))
    assert verdict.condition is Condition.COMPLETE
    assert verdict.unwhole == {}
    assert {(remark.path, remark.sentence) for remark in verdict.remarks} == {
        (f"{SESSION}/Monitor1.txt", "grows on; carried as it was"),
        (f"{SESSION}/log.jsonable", "grows on; carried as it was"),
    }


def test_what_lies_outside_of_sessions_is_judged_without_a_flag(session: Path) -> None:
    put(session.parents[3] / "Monitor1.txt")
    rest = verdicts(session.parents[3], flag=FLAG, growing=("Monitor*.txt",))["."]
    assert rest.condition is Condition.UNKNOWN
    assert [remark.path for remark in rest.remarks] == ["Monitor1.txt"]


# --- looking ----------------------------------------------------------------------------------------------------------


def _look(session: Path, **keys: object) -> tuple[Look, Dataset]:
    store = open_store(Place("m", str(session.parents[3])))
    return Look(store, job(flag=FLAG), NOW, **keys), Dataset(SESSION, (Part(SESSION),))  # type: ignore[arg-type]


def _show(look: Look, dataset: Dataset) -> Verdict:
    judge = RIG.judge(dataset, look)
    for entry in list(look.source.list(SESSION)):
        judge.see(entry)  # type: ignore[arg-type]
    return judge.verdict()


def test_nothing_is_read_twice_while_no_file_changes(session: Path) -> None:
    look, dataset = _look(session)
    before = _show(look, dataset)
    again, _ = _look(session, recalled=look.remembered)

    class Blind:
        list = again.source.list

        def read(self, key: str) -> None:
            raise AssertionError(key)

    again.source = Blind()  # type: ignore[assignment]
    assert _show(again, dataset) == before
    assert again.remembered == look.remembered


def test_a_file_that_vanishes_before_it_is_read_is_no_complete_session(session: Path) -> None:
    look, dataset = _look(session)
    judge = RIG.judge(dataset, look)
    for entry in list(look.source.list(SESSION)):
        judge.see(entry)  # type: ignore[arg-type]
    shutil.rmtree(session / BEHAVIOUR)
    verdict = judge.verdict()
    assert verdict.condition is Condition.INCOMPLETE
    assert len(verdict.remarks) == 3
    assert all(remark.sentence.startswith("could not be read: ") for remark in verdict.remarks)
    assert verdict.unwhole == {}


GARBAGE: list[Callable[[bytes], bytes]] = [
    lambda real: b"",
    lambda real: random.Random(1).randbytes(4096),
    lambda real: real[: len(real) // 2],
    lambda real: b"[" * 200_000,
    lambda real: b'{"SUBJECT_NAME": "\\ud800", "SUBJECT_WEIGHT": NaN, "NTRIALS": ' + b"9" * 4000 + b"}",
    lambda real: b'{"SESSION_DATETIME": "9999-99-99", "SESSION_END_TIME": 7, "PYBPOD_CREATOR": [[]]}',
    lambda real: b"\xff\xfe" + b"1" * 10_000,
    lambda real: b"null\n",
]


@pytest.mark.parametrize("damage", GARBAGE)
def test_garbage_in_place_of_any_file_is_carried(session: Path, damage: Callable[[bytes], bytes]) -> None:
    for file in [file for file in session.rglob("*") if file.is_file()]:
        real = file.read_bytes()
        put(file, damage(real))
        for personal in (False, True):
            verdict = judged(session, personal=personal)
            json.dumps(verdict.as_json(), allow_nan=False, ensure_ascii=False).encode()
            assert verdict.unwhole == {}
        put(file, real)
