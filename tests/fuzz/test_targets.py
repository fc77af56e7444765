"""Does any parser of foreign bytes raise, hang or swell, whatever it is given?

Here some hundred inputs of a fixed seed for each; ``make fuzz`` goes on for as long as one likes.
"""

from __future__ import annotations

import time
import tracemalloc
from itertools import islice
from random import Random

import pytest

from tests.fuzz.mutating import inputs
from tests.fuzz.table import TARGETS
from tests.fuzz.target import Target

INPUTS, SLOW_INPUTS = 300, 60
LONGEST_S = 3.0
"""Processor time of one input of at most 256 KiB; the slowest takes a tenth of that on a desktop."""
MOST_BYTES = 160 << 20


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_what_instruments_servers_and_programs_really_write_is_understood(target: Target) -> None:
    assert all(target.run(seed) for seed in target.seeds)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_whatever_the_bytes_are_nothing_is_raised_and_it_ends_soon(target: Target) -> None:
    count = SLOW_INPUTS if target.slow else INPUTS
    for number, content in enumerate(islice(inputs(target.seeds, target.words, Random(target.name)), count)):
        begun = time.process_time()
        try:
            target.run(content)
        except Exception as error:
            error.add_note(f"input {number} of {target.name}: {content[:2000]!r}")
            raise
        assert time.process_time() - begun < LONGEST_S, f"input {number} of {target.name} takes too long"


@pytest.mark.parametrize("target", [one for one in TARGETS.values() if not one.slow], ids=lambda one: one.name)
def test_a_small_input_never_fills_the_memory(target: Target) -> None:
    """Fewer inputs, because counting every byte that is taken is slow."""
    tracemalloc.start()
    try:
        for content in islice(inputs(target.seeds, target.words, Random(target.name)), len(target.seeds) + 20):
            target.run(content)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def test_the_same_seed_makes_the_same_inputs() -> None:
    one, two = (
        list(islice(inputs([b'{"a": 1, "b": [2, 30]}', bytes(range(90))], [b"w"], Random("seed")), 200))
        for _ in range(2)
    )
    assert one == two
    assert len(set(one)) > 120
