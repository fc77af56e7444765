"""``coldchain history`` and ``coldchain report`` at the command line."""

from __future__ import annotations

from tests.cli.conftest import Desk


def test_runs_are_listed_newest_first(stored: Desk) -> None:
    assert stored.type("check").code == 0
    lines = stored.type("history").out.splitlines()
    assert [line.split()[0] for line in lines] == ["2", "1"]
    assert "exit code 0" in lines[0]


def test_without_a_ledger_there_is_a_sentence_and_no_ledger_afterwards(desk: Desk) -> None:
    ended = desk.type("history")
    assert ended.code == 0
    assert "no run yet" in ended.out
    assert not (desk.folder / "coldchain-state").exists()


def test_the_chain_of_events_can_be_verified(stored: Desk) -> None:
    ended = stored.type("history", "--verify")
    assert ended.code == 0
    assert "unbroken" in ended.out
    assert stored.type("history", "--verify", "--json").objects[0]["first_broken"] is None


def test_a_report_names_every_file_that_is_not_verified(desk: Desk) -> None:
    assert desk.type("run", "--init", "--set", "jobs.rig.settle=1 h").code == 3
    ended = desk.type("report")
    assert ended.code == 0
    for path in ("one/0.tif", "one/1.tif", "two/0.tif", "two/1.tif"):
        assert f"{path}: modified" in ended.out


def test_the_report_of_a_check_is_told_in_words(stored: Desk) -> None:
    (stored.near / "one" / "0.tif").unlink()
    assert stored.type("check").code == 4
    out = stored.type("report", "2").out
    assert "proved again 3 files" in out
    assert "lost      one/0.tif" in out
    assert "{" not in out


def test_an_unknown_run_names_the_known_ones(stored: Desk) -> None:
    ended = stored.type("report", "99")
    assert ended.code == 2
    assert "no run 99" in ended.err


def test_a_report_without_any_run_says_so(desk: Desk) -> None:
    for words in (("report",), ("report", "99")):
        ended = desk.type(*words)
        assert ended.code == 2
        assert "there was no run yet" in ended.err
