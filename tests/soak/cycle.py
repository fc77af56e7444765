"""What happens in one cycle, in order?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.soak.carrier import Done, Violation
from tests.soak.judging import ask_oracle, broken_chain, insist, sent_files, wrong_sums
from tests.soak.plan import Plan
from tests.soak.scene import SETTLE_S, Scene
from tests.soak.server import Weed
from tests.soak.striking import BEGINNINGS, End
from tests.stores.s3.proxy import Proxy

FIRST = datetime(2022, 5, 23, 15, 54, tzinfo=UTC)
BETWEEN = timedelta(days=1)
RUNS = 6
"""So many commands may be needed to converge once every fault is over."""
_TICK_S = 0.05
_STALE = "it is an older copy"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a cycle in which every promise was kept."""

    files: int
    runs: int
    """Commands until everything was verified."""
    aside: int
    """How often a carrier came to an end, or to its death, while faults struck."""
    duration_s: float


def play_cycle(plan: Plan, folder: Path, weed: Weed, proxy: Proxy) -> Verdict:
    """Acquire, carry, strike, heal, converge, judge; raises Violation when a promise was broken."""
    begun = time.monotonic()
    with Scene(folder, plan, weed, proxy) as scene:
        _prepare(scene)
        scene.bench.begin(FIRST + BETWEEN)
        scene.carrier.start()
        _strike(scene)
        scene.bench.finish()
        scene.heal()
        scene.carrier.stop()
        scene.insist_on_claims("when faults were over")
        done, runs = _converge(scene)
        files = _judge(scene, done)
        return Verdict(files, runs, len(scene.carrier.ended), time.monotonic() - begun)


def _prepare(scene: Scene) -> None:
    """An acquisition that nothing disturbs, so that there is something to lose."""
    scene.bench.acquire(FIRST)
    time.sleep(SETTLE_S + 0.2)
    done = scene.carrier.command("run", "j", "--init", "--json")
    if done.code:
        raise Violation(f"before any fault: {done.said}")
    scene.first_files = scene.bench.finished()
    scene.keep_ledger()


# --- faults ----------------------------------------------------------------------------------------------------------


def _strike(scene: Scene) -> None:
    """Let the faults of the plan begin and end, each at its time; they may overlap."""
    begun = time.monotonic()
    coming, ends = list(scene.plan.strikes), list[tuple[float, End]]()
    while coming or ends:
        now_s = time.monotonic() - begun
        for due in [one for one in ends if one[0] <= now_s]:
            ends.remove(due)
            due[1]()
        if coming and coming[0].at_s <= now_s:
            strike = coming.pop(0)
            ends.append((now_s + strike.lasts_s, BEGINNINGS[strike.fault](scene, strike)))
        _tend(scene)
        time.sleep(_TICK_S)


def _tend(scene: Scene) -> None:
    """Start the next run when one has ended, after a look whether it told the truth."""
    if (done := scene.carrier.look()) is not None:
        scene.insist_on_claims(f"after a run that ended with {done.code}")
        if scene.carrier.carrying:
            scene.carrier.start()


# --- afterwards ------------------------------------------------------------------------------------------------------


def _converge(scene: Scene) -> tuple[Done, int]:
    """Run until nothing is left to do; returns the last run, and how many commands it took."""
    time.sleep(SETTLE_S + 0.2)
    done, runs = _run(scene), 1
    runs += _mend(scene)
    while runs < RUNS:
        runs += 1
        done = _run(scene)
        if done.code == 0 or _only_held(done):
            return done, runs
        _help(scene, done)
        runs += 1
    raise Violation(f"after {runs} commands: {done.said}")


def _run(scene: Scene) -> Done:
    return scene.carrier.command("run", "j", "--json")


def _help(scene: Scene, done: Done) -> None:
    """What a person does whom a run tells what is wrong."""
    if scene.is_put_back and _STALE in done.err:
        scene.carrier.command("rebuild", "j")
        scene.is_put_back = False
    elif any(scene.altered.values()):
        scene.carrier.command("check", "j", "--repair", "--json")


def _only_held(done: Done) -> bool:
    """An acquisition that ended badly leaves files that are held for an hour."""
    reports = done.told("coldchain-report")
    tallies = [one for report in reports for dataset in report["datasets"] for one in dataset["destinations"].values()]
    return bool(tallies) and not any(one[state]["files"] for one in tallies for state in ("refused", "failed"))


def _mend(scene: Scene) -> int:
    """A check must find every damaged copy; returns how many commands that took."""
    damaged = {name: keys for name, keys in scene.still_altered().items() if keys}
    if not damaged:
        return 0
    runs = 1
    done = scene.carrier.command("check", "j", "--json")
    if scene.is_put_back and _STALE in done.err:
        _help(scene, done)
        runs += 1
        done = scene.carrier.command("check", "j", "--json")
    found = {
        (finding["destination"], finding["key"])
        for report in done.told("coldchain-check")
        for finding in report["findings"]
        if finding["state"] == "corrupt"
    }
    missed = [f"{name}: {key}" for name, keys in damaged.items() for key in keys if (name, key) not in found]
    insist(missed, f"a check that ended with {done.code} did not find what was altered")
    return runs + _repair(scene)


def _repair(scene: Scene) -> int:
    done = scene.carrier.command("check", "j", "--repair", "--json")
    if done.code:
        raise Violation(f"what a check found was not mended: {done.said}")
    return 1


def _judge(scene: Scene, done: Done) -> int:
    media = scene.media()
    files = ask_oracle(scene.carrier, done, scene.bench, media)
    if done.code and not scene.plan.defect:
        raise Violation(f"the acquisition is whole, and files are held: {done.said}")
    insist(wrong_sums(media), "the manifests")
    insist(broken_chain(scene.ledger_file), "the ledger")
    scene.altered = {name: {} for name in scene.places}
    scene.insist_on_claims("at the end")
    insist(_open_uploads(scene), "uploads that stand open")
    again = _run(scene)
    if again.code != done.code or sent_files(again):
        raise Violation(f"a run with nothing to do was {again.said}")
    return files


def _open_uploads(scene: Scene) -> Sequence[str]:
    buckets = [place.bucket for place in scene.places.values() if place.name == "bucket" and hasattr(place, "bucket")]
    return [key for bucket in buckets for key in scene.bucket.weed.server.uploads(bucket)]
