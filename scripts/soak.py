"""Does coldchain keep its promises for hours, whatever strikes?

    make soak ARGS="--minutes 30 --seed 7"
    make soak ARGS="--seed 7 --cycle 12"       # one cycle again

In each cycle an instrument acquires, coldchain carries its files to two or three places, and faults strike every few
seconds; then they end, everything is run until nothing is left to do, and the oracle judges.  What a cycle does follows
from the seed and its number alone.  The first broken promise ends the soak with exit code 1 and leaves all folders.
Needs root (it mounts things), FUSE and SeaweedFS.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.soak.carrier import Violation
from tests.soak.cycle import Verdict, play_cycle
from tests.soak.plan import Plan, plan_cycle
from tests.soak.server import buckets


def main() -> int:
    """Soak until the time is over or a promise is broken."""
    given = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is mounted goes in any case
    folder = Path(tempfile.mkdtemp(prefix="coldchain-soak-", dir=given.folder))
    print(f"seed {given.seed}, in {folder}", flush=True)
    begun, seen, files, played = time.monotonic(), Counter[str](), 0, 0
    number = given.cycle or 1
    with buckets(folder / "weed") as (weed, proxy):
        while True:
            plan = plan_cycle(given.seed, number)
            place = folder / f"cycle-{number:05}"
            try:
                verdict = play_cycle(plan, place, weed, proxy)
            except KeyboardInterrupt:
                print(f"interrupted in cycle {number}")
                break
            except Exception as error:
                _lament(plan, place, error)
                return 1
            print(_line(plan, verdict), flush=True)
            shutil.rmtree(place)
            seen.update(strike.fault for strike in plan.strikes)
            files, played, number = files + verdict.files, played + 1, number + 1
            if given.cycle or played == given.cycles or time.monotonic() - begun > given.minutes * 60:
                break
    shutil.rmtree(folder)
    minutes = (time.monotonic() - begun) / 60
    print(
        f"{played} cycles, {seen.total()} faults of {len(seen)} kinds, {files} files in {minutes:.0f} minutes: ", end=""
    )
    print("every promise kept")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description="Random instruments, random faults, and the oracle.")
    parser.add_argument("--minutes", type=float, default=30, help="for how long (30)")
    parser.add_argument("--cycles", type=int, default=0, help="at most so many cycles")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="what all is drawn from")
    parser.add_argument("--cycle", type=int, default=0, metavar="N", help="only the cycle of this number")
    parser.add_argument("--folder", help="where to work (the folder for temporary files)")
    return parser.parse_args()


def _line(plan: Plan, verdict: Verdict) -> str:
    strikes = " ".join(strike.fault for strike in plan.strikes)
    by_hand = f", {verdict.by_hand} copies taken away by hand" if verdict.by_hand else ""
    return (
        f"cycle {plan.number:<4} seed {plan.seed}  {_manner(plan)}  [{strikes}]  "
        f"{verdict.commands} commands to converge{by_hand}, {verdict.files} files, {verdict.duration_s:.0f} s  ok"
    )


def _manner(plan: Plan) -> str:
    instrument = f"{plan.instrument}{' ' + plan.defect if plan.defect else ''}"
    return f"{instrument}, {'watched' if plan.watches else 'run'}, to {' '.join(plan.places)}"


def _lament(plan: Plan, place: Path, error: Exception) -> None:
    print(f"cycle {plan.number:<4} seed {plan.seed}  {_manner(plan)}  BROKEN", flush=True)
    for strike in plan.strikes:
        print(f"   at {strike.at_s:5.2f} s for {strike.lasts_s:4.2f} s  {strike.fault}")
    if isinstance(error, Violation):
        print(f"a promise was broken: {error}")
    else:
        print("the soak itself failed, which may hide a broken promise:")
        traceback.print_exception(error)
    print(f"everything is kept in {place}")
    print(f'again: make soak ARGS="--seed {plan.seed} --cycle {plan.number}"', flush=True)


if __name__ == "__main__":
    sys.exit(main())
