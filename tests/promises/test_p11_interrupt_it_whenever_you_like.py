"""P11: after a kill at any instant, the same command again finishes the work."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest

from tests.promises.lab import Lab, data, leftovers, stamps

FILES, KILLS = 300, 5


@pytest.mark.parametrize("seed", range(4))
def test_kills_at_random_moments_cost_nothing_that_was_proved(two: Lab, seed: int) -> None:
    two.acquire(FILES, seed=seed)
    two.write("run/large.bin", os.urandom(40 << 20))
    want = data(two.source)
    drawn = random.Random(seed)
    proved: dict[str, dict[str, int]] = {name: {} for name in two.roots}
    for _ in range(KILLS):
        with two.started("run", "--init") as process:
            try:
                process.wait(drawn.uniform(0.3, 1.2))
            except subprocess.TimeoutExpired:
                process.kill()
        for name, root in two.roots.items():
            there = {key: content for key, content in data(root).items() if not key.endswith(".coldchain")}
            assert {key: want[key] for key in there} == there
            inodes = {key: stamp[0] for key, stamp in stamps(root).items()}
            recorded = set(two.records(name))
            assert recorded <= there.keys()
            assert {key: inodes[key] for key in proved[name]} == proved[name]
            proved[name] |= {key: inodes[key] for key in recorded}
    done = two.cli("run", "--init")
    assert done.code == 0, done.said
    for name, root in two.roots.items():
        assert data(root) == want
        assert not leftovers(root)
        inodes = {key: stamp[0] for key, stamp in stamps(root).items()}
        assert {key: inodes[key] for key in proved[name]} == proved[name]
        assert two.records(name).keys() == want.keys()
        sums = (root / ".coldchain/manifests/lab/run.sha256").read_text()
        assert sums.count("\n") == len(want)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_polite_end_says_130_and_leaves_nothing_behind(lab: Lab, number: signal.Signals) -> None:
    lab.write("run/large.bin", os.urandom(160 << 20))
    lab.acquire(20)
    with lab.started("run", "--init") as process:
        deadline = time.monotonic() + 30
        while not leftovers(lab.nas / "run") and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(number)
        assert process.wait(30) == 130
    assert not leftovers(lab.nas)
    done = lab.cli("run")
    assert done.code == 0, done.said
    assert data(lab.nas) == data(lab.source)


def test_what_a_killed_run_left_at_one_destination_goes_even_if_another_is_served_first(two: Lab) -> None:
    two.acquire(3)
    two.ready()
    two.write("run/large.bin", os.urandom(160 << 20))
    with two.started("run") as process:
        deadline = time.monotonic() + 30
        while not all(leftovers(root) for root in two.roots.values()) and time.monotonic() < deadline:
            time.sleep(0.001)
        process.kill()
        process.wait()
    assert all(leftovers(root) for root in two.roots.values())
    assert two.cli("run", "--only", "nas").code == 0
    assert two.cli("run").code == 0
    assert not any(leftovers(root) for root in two.roots.values())


def test_two_at_once_do_not_meet(lab: Lab) -> None:
    lab.write("run/large.bin", os.urandom(160 << 20))
    with lab.started("run", "--init") as process:
        deadline = time.monotonic() + 30
        while not leftovers(lab.nas / "run") and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)  # so that it is still at it
        second = lab.cli("run", "--init")
        process.send_signal(signal.SIGCONT)
        assert second.code == 5, second.said
        assert process.wait(60) == 0
    assert data(lab.nas) == data(lab.source)
