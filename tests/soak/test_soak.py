"""Are the promises kept in cycles of random instruments and faults?  For hours: make soak."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.local.carrying import needs_root

pytest.importorskip("boto3", reason='buckets need packages: pip install "coldchain[s3]"')

from tests.soak.cycle import play_cycle
from tests.soak.plan import FAULTS, PLACES, plan_cycle
from tests.soak.server import Weed, buckets
from tests.stores.s3.proxy import Proxy

pytestmark = needs_root


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Weed, Proxy]]:
    with buckets(tmp_path_factory.mktemp("soak") / "weed") as link:
        yield link


@pytest.mark.faults
@pytest.mark.parametrize(("seed", "number"), [(28, 2), (29, 4)])
def test_promises_are_kept_while_faults_strike_at_random(
    seed: int, number: int, tmp_path: Path, link: tuple[Weed, Proxy]
) -> None:
    verdict = play_cycle(plan_cycle(seed, number), tmp_path / "cycle", *link)
    assert verdict.files > 0
    shutil.rmtree(tmp_path / "cycle")


def test_a_cycle_is_what_its_seed_and_number_say() -> None:
    assert plan_cycle(7, 12) == plan_cycle(7, 12)
    assert plan_cycle(7, 12) != plan_cycle(7, 13)


def test_every_fault_strikes_sooner_or_later_and_only_where_its_place_is() -> None:
    plans = [plan_cycle(seed=1, number=number) for number in range(300)]
    assert {strike.fault for plan in plans for strike in plan.strikes} == set(FAULTS)
    assert {place for plan in plans for place in plan.places} == set(PLACES)
    assert all(FAULTS[strike.fault] in ("", *plan.places) for plan in plans for strike in plan.strikes)
