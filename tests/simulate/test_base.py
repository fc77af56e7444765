"""Which instruments and options are there, and what is said when there is none?"""

from __future__ import annotations

from datetime import datetime

import pytest

from coldchain.errors import UsageError
from coldchain.simulate.base import Options, open_simulator
from tests.simulate.playing import START


def test_an_unknown_instrument_is_a_usage_error_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"no simulated instrument is called 'MERSCOP'; did you mean 'merscope'\?"):
        open_simulator("MERSCOP")


def test_an_unknown_instrument_without_a_near_name_lists_all() -> None:
    with pytest.raises(UsageError, match=r"'zzz' \(known: .*merscope"):
        open_simulator("zzz")


def test_an_unknown_fault_is_a_usage_error_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"no fault is called 'crush'; did you mean 'crash'\?"):
        Options(start=START, fault="crush")


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_scale_is_a_usage_error(scale: float) -> None:
    with pytest.raises(UsageError, match="the scale must be a number above 0"):
        Options(start=START, scale=scale)


def test_a_start_without_a_time_zone_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="has no time zone"):
        Options(start=datetime(2024, 5, 6))
