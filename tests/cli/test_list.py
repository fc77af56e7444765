"""``coldchain list`` at the command line."""

from __future__ import annotations

from tests.cli.conftest import Desk


def test_it_tells_what_lies_where_and_how_well_it_is_proved(stored: Desk) -> None:
    out = stored.type("list", "--long").out
    assert out.count("2 files, 400 B   readback, oldest 2") == 2


def test_nothing_yet_names_the_command_that_changes_it(desk: Desk) -> None:
    ended = desk.type("list")
    assert ended.code == 0
    assert "coldchain run rig" in ended.out


def test_a_dataset_of_which_nothing_is_verified_yet_is_listed_too(desk: Desk) -> None:
    assert desk.type("run", "--init", "--set", "jobs.rig.settle=1 h").code == 3
    assert desk.type("list").out.count("0 files, 0 B   2 not verified in the last run") == 2
    assert [one["files"] for one in desk.type("list", "--json").objects] == [0, 0]


def test_a_check_does_not_make_the_troubles_of_the_last_run_disappear(stored: Desk) -> None:
    (stored.source / "one" / "new.tif").write_bytes(b"new")
    assert stored.type("run", "--set", "jobs.rig.settle=1 h").code == 3
    assert stored.type("check").code == 0
    assert "1 not verified in the last run" in stored.type("list").out


def test_an_unknown_job_is_answered_with_the_nearest(stored: Desk) -> None:
    assert "did you mean 'rig'?" in stored.type("list", "rgi").err
