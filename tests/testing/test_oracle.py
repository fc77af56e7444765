"""Does the oracle find each kind of broken promise, and acquit a run that kept them all?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from coldchain.model import State
from coldchain.testing import Evidence, violations
from coldchain.testing.oracle import read_tree


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def lay(root: Path, key: str, content: bytes) -> None:
    (root / key).parent.mkdir(parents=True, exist_ok=True)
    (root / key).write_bytes(content)


@dataclass
class Stage:
    """Two files at the source, both verified at one destination; a test then breaks something."""

    root: Path
    source: Path = field(init=False)
    nas: Path = field(init=False)
    evidence: Evidence = field(init=False)

    def __post_init__(self) -> None:
        self.source, self.nas = self.root / "source", self.root / "nas"
        contents = {"run/a.tif": b"a", "run/b.tif": b"b"}
        for path, content in contents.items():
            lay(self.source, path, content)
            lay(self.nas, path, content)
        lay(self.nas, ".coldchain/destination.json", b"{}")
        lay(self.nas, ".coldchain/manifests/job/run.sha256", b"")
        lay(self.nas, ".coldchain/agents/host.json", b"{}")
        self.evidence = Evidence(
            history={path: {sha(content)} for path, content in contents.items()},
            source=self.source,
            destinations={"nas": self.nas},
            report=[(path, "nas", State.VERIFIED) for path in contents],
            exit_code=0,
        )

    def report(self, *lines: tuple[str, str, str], exit_code: int) -> None:
        self.evidence = replace(self.evidence, report=list(lines), exit_code=exit_code)

    def wrote(self, path: str, *contents: bytes) -> None:
        self.evidence = replace(self.evidence, history={**self.evidence.history, path: {sha(c) for c in contents}})


A, B = ("run/a.tif", "nas", "verified"), ("run/b.tif", "nas", "verified")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_run_that_kept_its_promises_is_acquitted(stage: Stage) -> None:
    assert violations(stage.evidence) == []


def the_copy_and_the_source_are_gone(stage: Stage) -> None:
    (stage.source / "run/a.tif").unlink()
    (stage.nas / "run/a.tif").unlink()


def a_copy_is_torn_after_the_source_was_pruned(stage: Stage) -> None:
    (stage.source / "run/a.tif").unlink()
    lay(stage.nas, "run/a.tif", b"")


def an_old_content_was_replaced_without_leave(stage: Stage) -> None:
    stage.wrote("run/a.tif", b"old", b"a")


def a_content_is_there_only_under_a_name_of_another(stage: Stage) -> None:
    (stage.source / "run/a.tif").unlink()
    (stage.nas / "run/a.tif").rename(stage.nas / "run/a~v2.tif")
    stage.wrote("run/a~v2.tif", b"another")
    lay(stage.source, "run/a~v2.tif", b"another")


def a_file_is_altered_at_the_source(stage: Stage) -> None:
    lay(stage.source, "run/a.tif", b"altered")


def something_new_stands_at_the_source(stage: Stage) -> None:
    lay(stage.source, "run/.~lock", b"")


def a_copy_is_half_written(stage: Stage) -> None:
    lay(stage.nas, "run/a.tif", b"")


def two_copies_are_swapped(stage: Stage) -> None:
    lay(stage.nas, "run/a.tif", b"b")


def a_temporary_file_is_left(stage: Stage) -> None:
    lay(stage.nas, "run/.~job1-0a1b2c3d.coldchain", b"a")


def a_temporary_file_is_left_in_the_own_folder(stage: Stage) -> None:
    lay(stage.nas, ".coldchain/probe.tmp", b"")


def a_link_stands_at_the_destination(stage: Stage) -> None:
    (stage.nas / "run/a.tif").unlink()
    (stage.nas / "run/a.tif").symlink_to(stage.source / "run/a.tif")


def a_stranger_s_file_is_overwritten(stage: Stage) -> None:
    stage.evidence = replace(stage.evidence, strangers={"nas": {"run/a.tif": sha(b"theirs")}})


def a_stranger_s_file_is_gone(stage: Stage) -> None:
    stage.evidence = replace(stage.evidence, strangers={"nas": {"notes.txt": sha(b"theirs")}})


def a_file_is_not_in_the_report(stage: Stage) -> None:
    stage.report(A, exit_code=3)


def a_link_at_the_source_is_not_in_the_report(stage: Stage) -> None:
    (stage.source / "link").symlink_to("run", target_is_directory=True)
    stage.wrote("link")


def a_file_is_reported_in_two_states(stage: Stage) -> None:
    stage.report(A, B, ("run/b.tif", "", "held"), exit_code=3)


def what_is_reported_as_verified_is_not_there(stage: Stage) -> None:
    (stage.nas / "run/a.tif").unlink()


def what_is_reported_as_verified_is_an_older_version(stage: Stage) -> None:
    lay(stage.nas, "run/a.tif", b"old")
    stage.wrote("run/a.tif", b"old", b"a")


def exit_code_0_and_a_file_was_held_back(stage: Stage) -> None:
    stage.report(A, ("run/b.tif", "nas", "held"), exit_code=0)


def exit_code_0_and_nothing_was_reported(stage: Stage) -> None:
    for path in ("run/a.tif", "run/b.tif"):
        (stage.source / path).unlink()
    stage.report(exit_code=0)


def exit_code_3_and_everything_is_verified(stage: Stage) -> None:
    stage.report(A, B, exit_code=3)


CRIMES: list[tuple[Callable[[Stage], None], str]] = [
    (the_copy_and_the_source_are_gone, "is lost"),
    (a_copy_is_torn_after_the_source_was_pruned, "is lost"),
    (an_old_content_was_replaced_without_leave, "is lost"),
    (a_content_is_there_only_under_a_name_of_another, "is lost"),
    (a_file_is_altered_at_the_source, "was altered at the source"),
    (something_new_stands_at_the_source, "its history does not know it"),
    (a_copy_is_half_written, "never stood at the source"),
    (two_copies_are_swapped, "never stood at the source"),
    (a_temporary_file_is_left, "is a leftover"),
    (a_temporary_file_is_left_in_the_own_folder, "is a leftover"),
    (a_link_stands_at_the_destination, "never stood at the source"),
    (a_stranger_s_file_is_overwritten, "belongs to somebody else"),
    (a_stranger_s_file_is_gone, "belongs to somebody else"),
    (a_file_is_not_in_the_report, "the report is silent"),
    (a_link_at_the_source_is_not_in_the_report, "the report is silent"),
    (a_file_is_reported_in_two_states, "reported in 2 states"),
    (what_is_reported_as_verified_is_not_there, "no content of it is there"),
    (what_is_reported_as_verified_is_an_older_version, "not what stands at the source"),
    (exit_code_0_and_a_file_was_held_back, "the exit code is 0"),
    (exit_code_0_and_nothing_was_reported, "the report is empty"),
    (exit_code_3_and_everything_is_verified, "everything is verified"),
]


@pytest.mark.parametrize(("crime", "sentence"), CRIMES, ids=[crime.__name__ for crime, _ in CRIMES])
def test_each_crime_is_found(stage: Stage, crime: Callable[[Stage], None], sentence: str) -> None:
    crime(stage)
    assert any(sentence in found for found in violations(stage.evidence)), violations(stage.evidence)


def test_an_error_of_one_kind_is_told_once(stage: Stage) -> None:
    a_temporary_file_is_left(stage)
    (sentence,) = violations(stage.evidence)
    assert sentence == "nas: 'run/.~job1-0a1b2c3d.coldchain' is a leftover: no file of the source has this name"


def test_a_pruned_source_is_no_loss(stage: Stage) -> None:
    (stage.source / "run/a.tif").unlink()
    stage.report(B, exit_code=0)
    assert violations(stage.evidence) == []


@pytest.mark.parametrize("name", ["run/a~v2.tif", "run/a.tif~v12"])
def test_versions_count(stage: Stage, name: str) -> None:
    stage.wrote("run/a.tif", b"old", b"a")
    (stage.nas / "run/a.tif").rename(stage.nas / name)
    lay(stage.nas, "run/a.tif", b"old")
    assert violations(stage.evidence) == []


def test_what_was_given_up_may_be_lost(stage: Stage) -> None:
    an_old_content_was_replaced_without_leave(stage)
    stage.evidence = replace(stage.evidence, given_up={"run/a.tif": {sha(b"old")}})
    assert violations(stage.evidence) == []


def test_strangers_are_no_leftovers(stage: Stage) -> None:
    lay(stage.nas, "notes.txt", b"theirs")
    stage.evidence = replace(stage.evidence, strangers={"nas": {"notes.txt": sha(b"theirs")}})
    assert violations(stage.evidence) == []


def test_a_conflict_is_honest_when_it_is_reported(stage: Stage) -> None:
    lay(stage.nas, "run/a.tif", b"theirs")
    stage.report(("run/a.tif", "nas", "refused"), B, exit_code=3)
    stage.evidence = replace(stage.evidence, strangers={"nas": {"run/a.tif": sha(b"theirs")}})
    assert violations(stage.evidence) == []


def test_optional_destinations_do_not_decide_the_exit_code(stage: Stage) -> None:
    tape = stage.root / "tape"
    tape.mkdir()
    failed = [(path, "tape", "failed") for path in ("run/a.tif", "run/b.tif")]
    stage.evidence = replace(
        stage.evidence, destinations={"nas": stage.nas, "tape": tape}, report=[A, B, *failed], optional={"tape"}
    )
    assert violations(stage.evidence) == []
    assert violations(replace(stage.evidence, optional=())) != []


def test_a_file_that_vanished_before_it_was_read_is_a_reason_for_exit_code_3(stage: Stage) -> None:
    stage.report(A, B, ("run/c.tif", "nas", "failed"), exit_code=3)
    assert violations(stage.evidence) == []


def test_an_interrupted_run_may_have_finished(stage: Stage) -> None:
    stage.report(A, B, exit_code=130)
    assert violations(stage.evidence) == []


def test_a_layout_says_where_a_file_must_be(stage: Stage) -> None:
    (stage.nas / "run").rename(stage.nas / "2024")
    assert violations(stage.evidence) != []
    layout = replace(stage.evidence, key_of=lambda path: path.replace("run/", "2024/"))
    assert violations(layout) == []


def test_a_source_that_was_written_on_may_differ_from_what_was_verified(stage: Stage) -> None:
    lay(stage.source, "run/a.tif", b"later")
    stage.wrote("run/a.tif", b"a", b"later")
    assert any("not what stands at the source" in found for found in violations(stage.evidence))
    assert violations(replace(stage.evidence, source_at_rest=False)) == []


def test_names_that_are_no_text_are_walked(tmp_path: Path) -> None:
    lay(tmp_path, "latin-1 \udce9/\udcff", b"x")
    assert read_tree(tmp_path) == {"latin-1 \udce9/\udcff": sha(b"x")}


def test_a_folder_that_cannot_be_walked_is_not_taken_for_empty(tmp_path: Path) -> None:
    (tmp_path / "not a folder").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        read_tree(tmp_path / "not a folder")


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert read_tree(tmp_path / "absent") == {}
