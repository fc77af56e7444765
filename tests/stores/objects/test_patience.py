"""Is a request that may succeed made again, and no other, and not for ever?"""

from __future__ import annotations

import pytest

from coldchain.errors import Denied, NotFound, Unreliable
from coldchain.stores.objects.patience import PATIENT, Patience, Verdict
from coldchain.stores.objects.refusing import refuses

HASTY = Patience(tries=4, first_wait_s=0.0, longest_wait_s=0.0)


class _Said(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def judged(error: Exception) -> Verdict:
    status = error.status if isinstance(error, _Said) else 0
    return Verdict(Unreliable(f"said {status}") if status >= 500 else Denied(f"said {status}"), again=status >= 500)


@pytest.mark.parametrize("failures", range(6))
def test_what_may_pass_is_tried_so_often_and_no_oftener(failures: int) -> None:
    calls: list[int] = []

    def deed() -> str:
        calls.append(1)
        if len(calls) <= failures:
            raise _Said(503)
        return "done"

    if failures < 4:
        assert HASTY.keep_trying(deed, judged) == "done"
    else:
        with pytest.raises(Unreliable, match="said 503"):
            HASTY.keep_trying(deed, judged)
    assert len(calls) == min(failures + 1, 4)


@pytest.mark.parametrize("error", [_Said(403), NotFound("gone"), Unreliable("already judged")])
def test_what_will_not_pass_or_was_judged_already_is_raised_at_once(error: Exception) -> None:
    calls: list[int] = []

    def deed() -> None:
        calls.append(1)
        raise error

    with pytest.raises(Denied if isinstance(error, _Said) else type(error)):
        HASTY.keep_trying(deed, judged)
    assert calls == [1]


def test_each_wait_is_up_to_twice_as_long_and_never_beyond_a_limit() -> None:
    longest = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0]
    for tried, most in enumerate(longest, start=1):
        waits = [PATIENT.wait_s(tried, 0.0) for _ in range(200)]
        assert most / 2 <= min(waits) < max(waits) <= most


def test_who_is_asked_to_wait_waits_but_not_longer_than_a_minute() -> None:
    assert PATIENT.wait_s(1, 30.0) == 30.0
    assert PATIENT.wait_s(1, 3600.0) == 60.0
    assert 8.0 <= PATIENT.wait_s(9, 3.0) <= 16.0


@pytest.mark.parametrize(
    ("said", "answer"), [(None, False), (412, True), (404, False), (409, False), (400, None), (500, None), (0, None)]
)
@pytest.mark.parametrize("status", [412, 400])
@pytest.mark.parametrize("wrapped", [False, True])
def test_whether_a_server_refuses_is_told_by_its_answer_and_by_no_other_trouble(
    said: int | None, answer: bool | None, wrapped: bool, status: int
) -> None:
    def deed() -> None:
        if said is not None:
            if wrapped:
                raise Unreliable("by a kind") from _Said(said)
            raise _Said(said)

    if status == 400:
        answer = {412: False, 400: True}.get(said or 0, answer)
    attempt = refuses(status, deed, lambda error: error.status if isinstance(error, _Said) else 0)
    if answer is None:
        with pytest.raises((_Said, Unreliable)):
            attempt()
    else:
        assert attempt() is answer
