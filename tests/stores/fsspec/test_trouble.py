"""What is made of an answer that nobody can read?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from coldchain.errors import Unreliable
from coldchain.stores.fsspec.line import Line, Patience
from coldchain.stores.fsspec.where import where

GARBLED: list[tuple[Callable[[str], object], str]] = [
    (fromstring, "<multistatus><response>"),
    (fromstring, "<a/>Internal Server Error"),
    (json.loads, '{"files": ['),
]


@pytest.fixture
def line() -> Line:
    return Line(where("memory://lab", {}), Patience(tries=3, first_wait_s=0.001))


@pytest.mark.parametrize(("parse", "text"), GARBLED)
def test_an_answer_that_is_cut_short_is_temporary(line: Line, parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(Unreliable, match="cut short or garbled") as caught:
        line.do("a", lambda _fs, _path: parse(text))
    assert caught.value.temporary


def test_what_changes_nothing_is_asked_again_after_it(line: Line) -> None:
    answers = ["<multistatus>", "<multistatus>", "<multistatus/>"]
    assert line.ask("a", lambda _fs, _path: fromstring(answers.pop(0)).tag) == "multistatus"


def test_a_folder_is_made_although_the_first_answer_was_garbled(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    fs, _ = line._open("")
    made: list[str] = []

    def makedirs(path: str, **_options: Any) -> None:
        made.append(path)
        if len(made) == 1:
            fromstring("<multistatus>")

    monkeypatch.setattr(type(fs), "makedirs", lambda _self, path, **options: makedirs(path, **options))
    line.make_folder("run")
    assert len(made) == 2
