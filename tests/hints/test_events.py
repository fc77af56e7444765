"""Does the file system tell of what happens, and is it noticed when it cannot?"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from coldchain.hints.base import Hints
from coldchain.hints.events import Events
from coldchain.hints.polling import Polling


def _polling() -> Polling:
    return Polling(lambda: iter(()), 1.0)


def _heard(events: Events, enough: Callable[[Hints], bool]) -> bool:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        if enough(events.wait(0.2, lambda: False)):
            return True
    return False


@pytest.fixture
def events(tmp_path: Path) -> Iterator[Events]:
    (tmp_path / "source").mkdir()
    with closing(Events(str(tmp_path / "source"), _polling)) as found:
        yield found


def test_a_file_is_named_below_the_source(events: Events, tmp_path: Path) -> None:
    (tmp_path / "source" / "one").mkdir()
    (tmp_path / "source" / "one" / "a").write_text("a")
    assert _heard(events, lambda hints: any(path in {"one", "one/a"} for path in hints.paths))


def test_a_source_that_goes_and_comes_back_is_a_hint_at_everything_each_time(events: Events, tmp_path: Path) -> None:
    (tmp_path / "source").rename(tmp_path / "away")
    assert _heard(events, lambda hints: "went away" in hints.everywhere)
    (tmp_path / "away").rename(tmp_path / "source")
    assert _heard(events, lambda hints: "another folder" in hints.everywhere)
    (tmp_path / "source" / "b").write_text("b")
    assert _heard(events, lambda hints: "b" in hints.paths)


def test_a_burst_is_a_hint_at_everything(events: Events, tmp_path: Path) -> None:
    for number in range(6000):
        (tmp_path / "source" / str(number)).touch()
    assert _heard(events, lambda hints: "at once" in hints.everywhere)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_names_that_are_no_text_end_in_looks_and_not_in_silence(events: Events, tmp_path: Path) -> None:
    for number in range(3):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/source/\xff%d" % number)).write_text("c")
        assert _heard(events, lambda hints: bool(hints.everywhere))
    assert "as events fail here" in events.how
