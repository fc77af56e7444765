"""For everyone who adds a kind: a store in memory, stores that play trouble, the contract suite and the oracle.

The contract suite needs pytest and is imported from ``coldchain.testing.contract``; nothing else here does.
"""

from coldchain.testing.faulty import FaultyStore
from coldchain.testing.forgetful import ForgetfulStore
from coldchain.testing.lying import Lie, LyingStore
from coldchain.testing.memory import MemoryStore
from coldchain.testing.oracle import Evidence, violations
from coldchain.testing.slow import SlowStore, Stall
from coldchain.testing.wrapping import Call, Verb

__all__ = [
    "Call",
    "Evidence",
    "FaultyStore",
    "ForgetfulStore",
    "Lie",
    "LyingStore",
    "MemoryStore",
    "SlowStore",
    "Stall",
    "Verb",
    "violations",
]
