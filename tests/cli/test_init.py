"""``coldchain init`` at the command line."""

from __future__ import annotations

from tests.cli.conftest import Desk


def test_it_writes_a_configuration_and_marks_the_destination(blank: Desk) -> None:
    blank.source.mkdir()
    ended = blank.type("init", "files", "--source", "source", "--destination", "near")
    assert (ended.code, ended.err) == (0, "")
    assert "storage is ready" in ended.out
    assert (blank.near / ".coldchain" / "destination.json").is_file()
    assert blank.type("plan", "--short").code == 6  # an empty source is not a success


def test_without_places_it_says_what_to_fill_in(blank: Desk) -> None:
    ended = blank.type("init")
    assert ended.code == 0
    assert "fill in source and destination" in ended.out


def test_a_second_time_it_marks_and_changes_nothing(desk: Desk) -> None:
    assert desk.type("init").code == 0
    mark = (desk.near / ".coldchain" / "destination.json").read_bytes()
    ended = desk.type("init")
    assert ended.code == 0
    assert "marked before" in ended.out
    assert (desk.near / ".coldchain" / "destination.json").read_bytes() == mark


def test_a_configuration_that_is_there_is_never_overwritten(desk: Desk) -> None:
    before = (desk.folder / "coldchain.toml").read_bytes()
    ended = desk.type("init", "files", "--source", "x")
    assert ended.code == 2
    assert "stays as it is" in ended.err
    assert (desk.folder / "coldchain.toml").read_bytes() == before


def test_an_unknown_instrument_is_answered_with_the_nearest(blank: Desk) -> None:
    ended = blank.type("init", "filez")
    assert ended.code == 2
    assert "did you mean 'files'?" in ended.err
    assert not (blank.folder / "coldchain.toml").exists()
