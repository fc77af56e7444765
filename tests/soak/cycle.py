"""What happens in one cycle, in order?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.soak.acquiring import RATE_BYTES_S
from tests.soak.carrier import Done, Violation
from tests.soak.judging import ask_oracle, broken_chain, insist, sent_files, wrong_sums
from tests.soak.plan import BUCKET, Plan
from tests.soak.scene import SETTLE_S, Scene
from tests.soak.server import Weed
from tests.soak.striking import BEGINNINGS, End
from tests.stores.s3.proxy import Proxy

FIRST = datetime(2022, 5, 23, 15, 54, tzinfo=UTC)
BETWEEN = timedelta(days=7)
COMMANDS = 6
"""So many commands may be needed to converge once every fault is over."""
QUICK_S, SLOWEST = 4.0, 4.0
"""How long the first run takes where nothing else is going on.  Where it takes longer, everything happens so much
later, else a fault would meet a program that has only just started; but at most this many times."""
_TICK_S = 0.05
_NOTHING = 6
"""The exit code where there is no copy."""
_STALE = "it is an older copy"
_STRANGE = ("the stored copy is no longer what was stored", "which coldchain did not store")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a cycle in which every promise was kept."""

    files: int
    commands: int
    """How many it took until everything was verified."""
    by_hand: int
    """Copies that a person had to take away for that (see ``Scene.clear_the_way``)."""
    aside: int
    """How often a carrier came to an end, or to its death, while faults struck."""
    duration_s: float


def play_cycle(plan: Plan, folder: Path, weed: Weed, proxy: Proxy) -> Verdict:
    """Acquire, carry, strike, heal, converge, judge; raises Violation when a promise was broken."""
    begun = time.monotonic()
    with Scene(folder, plan, weed, proxy) as scene:
        _prepare(scene)
        scene.bench.begin(FIRST + BETWEEN, RATE_BYTES_S / scene.slowness)
        scene.carrier.start()
        _strike(scene)
        scene.bench.finish()
        scene.heal()
        scene.carrier.stop()
        scene.insist_on_claims("when faults were over")
        done, commands = _converge(scene)
        files = _judge(scene, done)
        return Verdict(files, commands, scene.by_hand, len(scene.carrier.ended), time.monotonic() - begun)


def _prepare(scene: Scene) -> None:
    """An acquisition that nothing disturbs, so that there is something to lose."""
    scene.bench.acquire(FIRST)
    time.sleep(SETTLE_S + 0.2)
    begun = time.monotonic()
    done = scene.carrier.command("run", "j", "--init", "--json")
    scene.slowness = min(max((time.monotonic() - begun) / QUICK_S, 1.0), SLOWEST)
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
        now_s = (time.monotonic() - begun) / scene.slowness
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
    done, commands = _run(scene), 1
    if mending := _mend(scene):
        done, commands = _run(scene), commands + mending + 1
    while done.code and not _only_held(done):
        if commands >= COMMANDS:
            raise Violation(f"after {commands} commands: {done.said}")
        done, commands = _run(scene), commands + _help(scene, done) + 1
    return done, commands


def _run(scene: Scene) -> Done:
    return scene.carrier.command("run", "j", "--json")


def _help(scene: Scene, done: Done) -> int:
    """What a person does whom a run tells what is wrong; returns how many commands that took."""
    if scene.is_put_back and _STALE in done.err:
        scene.carrier.command("rebuild", "j")
        scene.is_put_back = False
        return 1
    scene.clear_the_way(_strange(done))
    if any(scene.altered.values()):
        scene.carrier.command("check", "j", "--repair", "--json")
        return 1
    return 0


def _strange(done: Done) -> set[tuple[str, str]]:
    """Copies that a run did not expect as they are."""
    lists = [dataset["troubles"] for report in done.told("coldchain-report") for dataset in report["datasets"]]
    return {
        (one["destination"], one["path"])
        for troubles in lists
        for one in troubles
        if any(words in one["reason"] for words in _STRANGE)
    }


def _only_held(done: Done) -> bool:
    """An acquisition that ended badly leaves files that are held for an hour."""
    reports = done.told("coldchain-report")
    tallies = [one for report in reports for dataset in report["datasets"] for one in dataset["destinations"].values()]
    states = {state for one in tallies for state in ("held", "refused", "failed") if one[state]["files"]}
    return states == {"held"}


def _mend(scene: Scene) -> int:
    """A check must find every damaged copy and manifest; returns how many commands that took."""
    damaged, rotten = scene.still_altered(), scene.manifests_still_altered()
    if not (damaged or rotten):
        return 0
    done, commands = scene.carrier.command("check", "j", "--json"), 1
    if scene.is_put_back and _STALE in done.err:
        commands += _help(scene, done) + 1
        done = scene.carrier.command("check", "j", "--json")
    found = {
        (finding["destination"], finding["key"])
        for report in done.told("coldchain-check")
        for finding in report["findings"]
        if finding["state"] == "corrupt"
    }
    found_manifests = {
        (finding["destination"], finding["key"].rpartition(".")[0])
        for report in done.told("coldchain-check")
        for finding in report["manifest_findings"]
    }
    missed = [f"{name}: {key}" for name, keys in damaged.items() for key in keys if (name, key) not in found]
    missed += [
        f"{name}: {key}"  # of the two files of a manifest the first one that is wrong is told
        for name, keys in rotten.items()
        for key in keys
        if (name, key.rpartition(".")[0]) not in found_manifests
    ]
    insist(missed, f"a check that ended with {done.code} did not find what was altered")
    scene.clear_the_way(found)
    return commands + _repair(scene)


def _repair(scene: Scene) -> int:
    done = scene.carrier.command("check", "j", "--repair", "--json")
    if done.code:
        raise Violation(f"what a check found was not mended: {done.said}")
    return 1


def _judge(scene: Scene, done: Done) -> int:
    media = scene.media()
    files = ask_oracle(scene.carrier, done, scene.bench, media, forgot=scene.is_put_back)
    if done.code and not scene.plan.defect:
        raise Violation(f"the acquisition is whole, and files are held: {done.said}")
    insist(wrong_sums(media), "the manifests")
    insist(broken_chain(scene.ledger_file), "the ledger")
    scene.altered = {name: {} for name in scene.places}
    scene.altered_manifests = {name: {} for name in scene.places}
    scene.insist_on_claims("at the end")
    checked = scene.carrier.command("check", "j", "--json")
    if checked.code and (checked.code, files) != (_NOTHING, 0):
        raise Violation(f"a check of what was carried was {checked.said}")
    insist(_open_uploads(scene), "uploads that stand open")
    again = _run(scene)
    if again.code != done.code or sent_files(again):
        raise Violation(f"a run with nothing to do was {again.said}")
    return files


def _open_uploads(scene: Scene) -> Sequence[str]:
    if BUCKET not in scene.places:
        return ()
    return scene.bucket.weed.server.uploads(scene.bucket.bucket)
