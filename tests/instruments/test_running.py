"""What does a run do with what an instrument says: markers, waiting, warning, plates, growing files, generations?"""

from __future__ import annotations

import errno
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coldchain.model import State
from coldchain.verdict import Condition
from tests.faults.world import Ended, World
from tests.stores.local.carrying import Mounts

SESSION = "Subjects/KS005/2019-04-04/004"
RIG = 'instrument = "rig"\nflag = "transfer_me.flag"\n# datasets'
TRIALS = b'{"trial": 1}\n{"trial": 2}\n'


def rig(folder: Path, more: str = "", **at: Path) -> World:
    world = World(folder, at or ("nas",), at=at)
    world.configure(f"{RIG}\n{more}")
    return world


def session(world: World, *, flag: bool, trials: bytes = TRIALS) -> None:
    world.write(f"{SESSION}/raw_behavior_data/_iblrig_taskData.raw.jsonable", trials)
    world.write(f"{SESSION}/raw_behavior_data/_iblrig_encoderEvents.raw.ssv", b"1 2 3\n")
    world.write(f"{SESSION}/raw_behavior_data/_iblrig_encoderPositions.raw.ssv", b"1 2\n")
    world.write(f"{SESSION}/raw_behavior_data/_iblrig_taskSettings.raw.json", b"{}")
    if flag:
        world.write(f"{SESSION}/transfer_me.flag", b"")


def troubles(ended: Ended, name: str) -> dict[str, State]:
    return {path.rpartition("/")[2]: state for (path, where), (state, _) in ended.troubles.items() if where == name}


def condition(world: World) -> Condition:
    with world.ledger() as ledger:
        return ledger.conditions("j")[SESSION]


# --- markers ----------------------------------------------------------------------------------------------------------


def test_a_marker_arrives_only_where_everything_else_of_its_dataset_is_verified(tmp_path: Path, mounts: Mounts) -> None:
    faulted = mounts.fuse({})
    world = rig(tmp_path, nas=tmp_path / "nas", weak=faulted.place)
    world.run(init=True)
    session(world, flag=True)
    faulted.rules({"faults": [{"op": "write", "errno": errno.EIO, "match": "raw_behavior_data"}]})
    ended = world.run()
    assert ended.code == 3
    assert (world.at["nas"] / SESSION / "transfer_me.flag").exists()
    assert not (world.at["weak"] / SESSION / "transfer_me.flag").exists()
    assert troubles(ended, "weak")["transfer_me.flag"] is State.HELD
    reason = ended.troubles[f"{SESSION}/transfer_me.flag", "weak"][1]
    assert reason.startswith("travels last; not verified there yet: ")
    faulted.rules({})
    ended = world.run()
    assert ended.code == 0, ended.said
    assert (world.at["weak"] / SESSION / "transfer_me.flag").exists()
    world.judge(ended)


def test_a_marker_appears_after_everything_else(tmp_path: Path) -> None:
    world = rig(tmp_path)
    session(world, flag=True)
    world.write(f"{SESSION}/zzz/last-by-name.bin", b"z" * 100)
    assert world.run().code == 0
    root = world.at["nas"] / SESSION
    moments = {file.name: file.stat().st_ctime_ns for file in root.rglob("*") if file.is_file()}
    assert max(moments, key=moments.__getitem__) == "transfer_me.flag"


# --- what the job says of incomplete datasets -------------------------------------------------------------------------


def test_a_job_that_waits_sends_nothing_before_the_session_is_over(tmp_path: Path) -> None:
    world = rig(tmp_path, 'incomplete = "wait"')
    session(world, flag=False)
    ended = world.run()
    assert ended.code == 3
    assert {state for state, _ in ended.troubles.values()} == {State.HELD}
    assert not (world.at["nas"] / "Subjects").exists()
    assert not world.to_send(), "a plan says the same"
    session(world, flag=True)
    assert world.run().code == 0
    assert condition(world) is Condition.COMPLETE


def test_a_job_that_sends_carries_what_is_whole_and_one_that_flags_carries_all(tmp_path: Path) -> None:
    world = rig(tmp_path)
    session(world, flag=False, trials=b'{"trial": 1}\n{"tri')
    ended = world.run()
    assert troubles(ended, "nas") == {"_iblrig_taskData.raw.jsonable": State.HELD}
    assert (world.at["nas"] / SESSION / "raw_behavior_data/_iblrig_encoderEvents.raw.ssv").exists()
    world.configure(f'{RIG}\nincomplete = "flag"')
    assert world.run().code == 3, "it may still be being written"
    world.later(days=1)
    ended = world.run()
    assert ended.code == 0
    assert ended.report is not None
    said = [remark for dataset in ended.report.datasets for remark in dataset.verdict.remarks]
    assert any("not whole" in sentence and path.endswith("jsonable") for path, sentence in said)
    world.judge(ended)


def test_a_session_that_stays_open_for_too_long_is_warned_of(tmp_path: Path) -> None:
    world = rig(tmp_path, 'max_open = "3 days"')
    session(world, flag=False)
    for days, warned in ((0, False), (2, False), (2, True)):
        world.later(days=days)
        ended = world.run()
        assert ended.report is not None
        assert any(SESSION in note and "open since" in note for note in ended.report.notes) is warned
    session(world, flag=True)
    ended = world.run()
    assert ended.report is not None
    assert not ended.report.notes


def test_a_plate_that_the_job_names_and_the_source_does_not_hold_is_no_success(tmp_path: Path) -> None:
    world = rig(tmp_path, f'plates = ["{SESSION}", "Subjects/nobody/2019-04-04/001"]')
    session(world, flag=True)
    world.write("Subjects/KS006/2019-04-04/001/notes.txt", b"another session")
    ended = world.run()
    assert ended.code == 3
    assert ended.report is not None
    assert ended.report.absent == ["Subjects/nobody/2019-04-04/001"]
    assert (world.at["nas"] / SESSION / "transfer_me.flag").exists()
    assert not (world.at["nas"] / "Subjects/KS006").exists()


def test_p18_while_a_cytof_acquires_nothing_of_its_disk_is_read(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.configure('instrument = "cytof"\n# datasets')
    world.write("monday/old.txt", b"of another day", mtime_ns=1_700_000_000 * 10**9)
    world.write("tuesday/run.imd", b"\x01\x00\x02\x00" * 1000)
    ended = world.run()
    assert {state for state, _ in ended.troubles.values()} == {State.HELD}
    assert ended.troubles["monday/old.txt", "nas"][1] == "the instrument is acquiring: tuesday"
    assert not world.to_send()
    world.write("tuesday/run.imd", b"\x01\x00\x02\x00" * 1000 + "</ExperimentSchema>".encode("utf-16-le"))
    assert world.run().code == 0
    assert (world.at["nas"] / "monday/old.txt").exists()


# --- files that are never closed --------------------------------------------------------------------------------------


def test_p02_a_file_that_only_grows_is_carried_as_long_as_it_is_and_anew_when_it_grew(tmp_path: Path) -> None:
    world = rig(tmp_path, 'growing = ["Monitor*.txt"]\nsettle = "1 h"')
    path = f"{SESSION}/Monitor1.txt"
    world.write(path, b"1 minute\n" * 100_000)
    with (world.source / path).open("ab", buffering=0) as file:
        world.now = datetime.now(UTC)
        for _ in range(2):
            ended = world.run()
            assert troubles(ended, "nas") == {}
            stored = (world.at["nas"] / path).read_bytes()
            assert stored == (world.source / path).read_bytes()
            file.write(b"another minute\n")
            world.knows(path, (world.source / path).read_bytes())
    assert world.check().exit_code == 0


class Truncating:
    """Cuts the file short while it is read, as a program does that begins its log anew."""

    stopping = False

    def __init__(self, file: Path) -> None:
        self.file = file

    def moved(self, size_bytes: int) -> None:
        self.file.write_bytes(b"anew\n")

    def looked(self, files: int) -> None: ...
    def planned(self, files: int, size_bytes: int) -> None: ...
    def finished(self, files: int) -> None: ...
    def note(self, sentence: str) -> None: ...


@pytest.mark.parametrize("minutes", [100, 300_000])  # cut after its only piece was read, and amid its pieces
def test_p02_a_file_that_should_only_grow_and_is_cut_is_not_verified_as_it_was(tmp_path: Path, minutes: int) -> None:
    world = rig(tmp_path, 'growing = ["Monitor*.txt"]')
    path = f"{SESSION}/Monitor1.txt"
    world.write(path, b"1 minute\n" * minutes)
    world.monitor = Truncating(world.source / path)
    world.knows(path, b"anew\n")
    ended = world.run()
    there = world.at["nas"] / path
    assert not there.exists() or there.read_bytes() == b"anew\n"
    assert there.exists() or troubles(ended, "nas")


# --- late files -------------------------------------------------------------------------------------------------------


def test_a_late_file_opens_a_complete_session_again_and_the_old_manifest_is_kept(tmp_path: Path) -> None:
    world = rig(tmp_path)
    session(world, flag=True)
    assert world.run().code == 0
    manifests = world.at["nas"] / ".coldchain" / "manifests" / "j"
    (manifest,) = [file for file in manifests.glob("*.json") if "KS005" in file.name]
    first = manifest.read_bytes()
    assert json.loads(first)["acquisition"]["sealed"] is True
    assert json.loads(first)["acquisition"]["generation"] == 1
    assert world.run().code == 0
    assert manifest.read_bytes() == first, "nothing changed, so nothing is written"

    world.write(f"{SESSION}/alf/late.npy", b"late")
    assert world.run().code == 0
    now = json.loads(manifest.read_bytes())
    assert now["acquisition"]["generation"] == 2
    assert any(file["path"].endswith("late.npy") for file in now["files"])
    kept = list((world.at["nas"] / ".coldchain" / "generations").rglob("1.json"))
    assert [file.read_bytes() for file in kept] == [first]
    with world.ledger() as ledger:
        kinds = [event.kind for event in ledger.events(job="j", dataset=SESSION)]
    assert kinds.count("complete") >= 1
    assert "reopened" in kinds


@pytest.mark.parametrize("name", ["\udcc9CD19-.fcs", "#P96 [x].tif", "--W00001--.tif", "-Measurement 1"])
def test_p16_names_of_real_instruments_arrive_unchanged_in_a_judged_dataset(tmp_path: Path, name: str) -> None:
    world = rig(tmp_path)
    session(world, flag=True)
    world.write(f"{SESSION}/{name}", b"x")
    ended = world.run()
    assert ended.code == 0, ended.said
    assert (world.at["nas"] / SESSION / name).read_bytes() == b"x"
    assert world.check().exit_code == 0
