"""Which instrument acquires in a cycle, where to, and which faults strike when?

Everything follows from the seed and the number of the cycle, so that a cycle can be played again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

INSTRUMENTS = (
    "cellpainting",
    "cellpainting-cv8000",
    "cellpainting-imagexpress",
    "cytof",
    "ifcb",
    "merscope",
    "rig",
)
DEFECTS = ("", "", "", "late", "truncate", "missing", "crash")
"""What goes wrong in the instrument itself; mostly nothing."""
CARD, SHARE, BUCKET = "card", "share", "bucket"
PLACES = (CARD, SHARE, BUCKET)
"""A small disk that can be unplugged; a share that lies; a bucket behind a bad link."""
FAULTS: Mapping[str, str] = {
    "killed": "",
    "suspended": "",
    "ledger-deleted": "",
    "ledger-put-back": "",
    "source-unmounted": "",
    "source-forbidden": "",
    "source-cleared": "",
    "card-unmounted": CARD,
    "card-full": CARD,
    "card-forbidden": CARD,
    "card-altered": CARD,
    "card-manifest-altered": CARD,
    "share-unmounted": SHARE,
    "share-EIO": SHARE,
    "share-ENOSPC": SHARE,
    "share-slow": SHARE,
    "share-drops-writes": SHARE,
    "share-flips-writes": SHARE,
    "share-flips-reads": SHARE,
    "share-altered": SHARE,
    "share-manifest-altered": SHARE,
    "bucket-killed": BUCKET,
    "bucket-suspended": BUCKET,
    "bucket-503": BUCKET,
    "bucket-resets": BUCKET,
    "bucket-stalls": BUCKET,
    "bucket-loses-replies": BUCKET,
    "bucket-damages-uploads": BUCKET,
    "bucket-damages-downloads": BUCKET,
    "bucket-keeps-nothing": BUCKET,
    "bucket-altered": BUCKET,
    "bucket-manifest-altered": BUCKET,
}
"""Each fault, and the place that it needs."""
OFTEN = ("killed", "killed", "suspended")
"""These strike again and again; each other one at most once in a cycle."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault."""

    fault: str
    at_s: float
    """How long after the acquisition began."""
    lasts_s: float
    chance: int
    """What there is to choose is chosen by this number."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One cycle."""

    seed: int
    number: int
    instrument: str
    defect: str
    watches: bool
    """A watcher carries; else one run after the other."""
    places: tuple[str, ...]
    strikes: tuple[Strike, ...]

    @property
    def acquiring_seed(self) -> int:
        """What the instrument's bytes come from."""
        return self.seed * 100_003 + self.number


def plan_cycle(seed: int, number: int) -> Plan:
    """Draw everything; equal arguments give equal plans."""
    random = Random(f"coldchain soak {seed}/{number}")
    instrument, defect = random.choice(INSTRUMENTS), random.choice(DEFECTS)
    watches = random.random() < 0.5
    places = PLACES if random.random() < 0.6 else tuple(sorted(random.sample(PLACES, 2), key=PLACES.index))
    return Plan(seed, number, instrument, defect, watches, places, _strikes(random, places))


def _strikes(random: Random, places: tuple[str, ...]) -> tuple[Strike, ...]:
    once = [fault for fault, place in FAULTS.items() if fault not in OFTEN and (not place or place in places)]
    random.shuffle(once)
    count = random.randint(4, 7)
    chosen = [random.choice(OFTEN) if random.random() < 0.35 else once.pop() for _ in range(count)]
    at_s, strikes = 0.5, []
    for fault in chosen:
        at_s += random.uniform(0.3, 2.5)
        strikes.append(Strike(fault, round(at_s, 2), round(random.uniform(0.5, 4.0), 2), random.randrange(1 << 16)))
    return tuple(strikes)
