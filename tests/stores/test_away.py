"""Is a server that could not be reached left alone for a while, and no longer?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import NoReturn

import pytest

from coldchain.errors import Denied, StoreGone
from coldchain.stores.away import Away


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("coldchain.stores.away.time", SimpleNamespace(monotonic=clock))
    return clock


def waits(clock: Clock, seconds: float, error: Exception) -> NoReturn:
    clock.now += seconds
    raise error


def test_what_was_long_waited_for_is_not_waited_for_again_until_the_time_is_over(clock: Clock) -> None:
    there, asked = Away(5), []
    with pytest.raises(StoreGone, match="switched off") as first:
        there.ask(lambda: waits(clock, 30, StoreGone("switched off", url="s3://b", key="a")))
    clock.now += 4.9
    with pytest.raises(StoreGone, match="switched off") as again:
        there.ask(lambda: asked.append("too early"))
    assert (again.value.url, again.value.key) == ("s3://b", ""), "it is not about that file"
    assert again.value is not first.value
    clock.now += 0.2
    there.ask(lambda: asked.append("in time"))
    assert asked == ["in time"]


@pytest.mark.parametrize(("seconds", "error"), [(0.4, StoreGone("wrong password")), (30, Denied("no"))])
def test_an_answer_of_the_server_is_not_remembered(clock: Clock, seconds: float, error: Exception) -> None:
    there = Away(5)
    with pytest.raises(type(error)):
        there.ask(lambda: waits(clock, seconds, error))
    assert there.ask(lambda: "asked") == "asked"


def test_a_server_that_serves_others_meanwhile_is_not_away(clock: Clock) -> None:
    there = Away(5)

    def overloaded() -> NoReturn:
        clock.now += 10
        there.ask(lambda: "another thread is served")
        waits(clock, 10, StoreGone("overloaded"))

    with pytest.raises(StoreGone):
        there.ask(overloaded)
    assert there.ask(lambda: "asked") == "asked"

    def slow() -> str:
        with pytest.raises(StoreGone):
            there.ask(lambda: waits(clock, 10, StoreGone("another thread was not served")))
        return "but this one was"

    clock.now += 1
    assert there.ask(slow) == "but this one was"
    assert there.ask(lambda: "asked") == "asked"


def test_a_server_that_is_back_is_asked(clock: Clock) -> None:
    there = Away(5)
    there.remember(StoreGone("switched off"))
    there.forget()
    assert there.ask(lambda: "asked") == "asked"
