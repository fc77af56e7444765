"""Does the work of many threads come back whole, and in the order that saves most?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TypeVar

import pytest

from coldchain.content.pool import as_completed

R = TypeVar("R")


class AtOnce(Executor):
    """Has done everything as soon as it is asked for."""

    def submit(self, fn: Callable[..., R], /, *args: object, **kwargs: object) -> Future[R]:
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except ValueError as error:
            future.set_exception(error)
        return future


def test_what_was_done_is_handed_out_before_the_error_of_another_call() -> None:
    """Else a batch that was carried is not recorded, because the source went away in the next one."""
    results = as_completed(AtOnce(), int, ["1", "x", "2", "3"], ahead=4)
    assert sorted(number for _, number in (next(results), next(results), next(results))) == [1, 2, 3]
    with pytest.raises(ValueError, match="'x'"):
        next(results)
