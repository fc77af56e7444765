"""``coldchain simulate`` at the command line."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Desk


def test_it_plays_an_instrument_into_a_folder(blank: Desk) -> None:
    ended = blank.type("simulate", "merscope", "toy", "--scale", "0.05", "--seed", "1")
    assert ended.code == 0
    assert "files" in ended.out
    assert list((blank.folder / "toy").rglob("*.dax"))


def test_it_writes_over_nothing(blank: Desk) -> None:
    (blank.folder / "file").write_bytes(b"mine")
    ended = blank.type("simulate", "merscope", "file", "--scale", "0.05")
    assert ended.code == 2
    assert "is there already" in ended.err
    assert (blank.folder / "file").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("merscop", "toy"), "did you mean 'merscope'?"),
        (("merscope", "toy", "--rate", "fast"), "--rate"),
        (("merscope", "toy", "--start", "yesterday"), "2022-05-23T15:54+00:00"),
        (("merscope", "toy", "--start", "2022-05-23"), "time zone"),
        (("merscope", "toy", "--fault", "fire"), "crash"),
        (("merscope", "toy", "--scale", "0"), "above 0"),
        (("merscope",), "DIR"),
    ],
)
def test_a_slip_of_the_finger_is_named_and_ends_with_2(blank: Desk, words: tuple[str, ...], said: str) -> None:
    ended = blank.type("simulate", *words)
    assert ended.code == 2
    assert said in ended.err
    assert not (blank.folder / "toy").exists()
