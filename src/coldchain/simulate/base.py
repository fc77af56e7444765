"""Which instruments can be played?

One file (or folder) a kind, with one constant ``SIMULATOR``: a name, a sentence, and a pure generator of the steps of
a flawless acquisition.  Faults and the disk are the same for all kinds::

    simulator = open_simulator("merscope")
    steps = simulator.steps(Options(start=now, seed=1, scale=0.05, fault="crash"))
    for progress in play(steps, folder, rate_bytes_per_s, time.sleep, time.monotonic):
        ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from importlib import import_module
from math import isfinite

from coldchain.errors import UsageError
from coldchain.simulate.faults import FAULTS, strike
from coldchain.simulate.steps import Step

SIMULATORS = {
    "cellpainting": "coldchain.simulate.cellpainting.acquire:SIMULATOR",
    "cellpainting-cv8000": "coldchain.simulate.cellpainting.acquire:CV8000",
    "cellpainting-imagexpress": "coldchain.simulate.cellpainting.acquire:IMAGEXPRESS",
    "cytof": "coldchain.simulate.cytof:SIMULATOR",
    "ifcb": "coldchain.simulate.ifcb:SIMULATOR",
    "merscope": "coldchain.simulate.merscope.acquire:SIMULATOR",
    "rig": "coldchain.simulate.rig:SIMULATOR",
}
"""Where each kind lies; it is imported only when it is opened."""


@dataclass(frozen=True, slots=True)
class Options:
    """Which acquisition is played; equal options give equal bytes.

    Raises:
        UsageError: A value is impossible.
    """

    start: datetime
    """When the acquisition begins, aware: names and dates in the files follow from it, in its own time zone."""
    seed: int = 0
    scale: float = 1.0
    """1.0 is a trial of some 200 files and 64 MB, 0.05 a toy; each kind says how it grows."""
    fault: str = ""
    """What goes wrong: a key of ``FAULTS``, or "" for nothing."""

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise UsageError(f"the start {self.start.isoformat()} has no time zone; give one, such as +00:00")
        if not (isfinite(self.scale) and self.scale > 0):
            raise UsageError(f"the scale must be a number above 0, not {self.scale}; 0.05 is a toy, 1 a trial")
        if self.fault and self.fault not in FAULTS:
            raise UsageError(f"no fault is called {self.fault!r}{_hint(self.fault, FAULTS)}")


@dataclass(frozen=True, slots=True)
class Simulator:
    """One kind of instrument that can be played."""

    name: str
    description: str
    """One sentence for the help."""
    acquire: Callable[[Options], Iterator[Step]]
    """Yields the steps of a flawless acquisition, lazily; pure: no clock, no disk, no state (``fault`` is not its)."""

    def steps(self, options: Options) -> Iterator[Step]:
        """Yield what the instrument does to the disk, the fault of the options included."""
        return strike(lambda: self.acquire(options), options.fault)


def open_simulator(name: str) -> Simulator:
    """Import the kind of this name; raises UsageError, with the nearest name, when there is none."""
    if name not in SIMULATORS:
        raise UsageError(f"no simulated instrument is called {name!r}{_hint(name, SIMULATORS)}")
    module, _, constant = SIMULATORS[name].partition(":")
    simulator: Simulator = getattr(import_module(module), constant)
    return simulator


def _hint(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, and all of them."""
    names = sorted(known)
    near = get_close_matches(word.lower(), names, n=1)
    return (f"; did you mean {near[0]!r}?" if near else "") + f" (known: {', '.join(names)})"
