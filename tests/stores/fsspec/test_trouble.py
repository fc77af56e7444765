"""What is made of an answer that nobody can read?"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from coldchain.errors import StoreGone, Unreliable
from coldchain.stores.fsspec.facts import mtime_ns
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


def test_a_server_that_was_waited_for_in_vain_is_left_alone_for_seconds() -> None:
    line, asked = Line(where("memory://lab", {}), Patience(away_s=0.4)), []

    def in_vain(_fs: object, _path: str) -> None:
        time.sleep(0.4)
        raise ConnectionRefusedError

    with pytest.raises(StoreGone):
        line.do("a", in_vain)
    with pytest.raises(StoreGone):
        line.do("b", lambda _fs, path: asked.append(path))
    time.sleep(0.4)
    line.do("c", lambda _fs, path: asked.append(path))
    assert [path.rpartition("/")[2] for path in asked] == ["c"]


def test_a_server_that_does_not_take_up_the_connection_is_gone() -> None:
    """Its listener is busy for ever: nothing comes back."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        port = deaf.getsockname()[1]
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        line = Line(where(f"ftp://127.0.0.1:{port}/x", {"options": '{"timeout": 1}'}), Patience())
        with pytest.raises(StoreGone, match="does not answer"):
            line.info("a")
        for one in crowd:
            one.close()


@pytest.mark.parametrize(
    "said",
    [float("nan"), float("inf"), "soon", "99999999999999", "Mon, 01 Jan 99999999999 00:00:00 GMT", None, [], {}, b"x"],
)
def test_a_time_that_makes_no_sense_is_no_time(said: object) -> None:
    assert mtime_ns({"mtime": said}) == 0


def test_times_are_read_in_all_the_forms_that_servers_write() -> None:
    begin_2024 = 1_704_067_200 * 10**9
    for said in ("20240101000000.123", "2024-01-01T01:00:00+01:00", "Mon, 01 Jan 2024 00:00:00 GMT", begin_2024 / 1e9):
        assert mtime_ns({"mtime": said}) == begin_2024
