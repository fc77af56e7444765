"""Which parser reads a ledger that somebody, or a disk, has altered?

An input is a list of changes to a sound one: each with its place in the file and its length before it.
"""

from __future__ import annotations

import functools
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coldchain.errors import LedgerError
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.messages import Fate
from coldchain.model import Digest, Entry, Identity, Manner, ProofKind, SourceSeen, State, Tally, Trouble, Verified
from coldchain.stores.names import NameRules
from coldchain.verdict import Condition, Remark, Verdict
from tests.fuzz.target import Target

NOW = datetime(2026, 1, 1, tzinfo=UTC)
_PLACE = struct.Struct(">IB")
_MEMORY = Path("/dev/shm")


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="coldchain-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None))


@functools.cache
def _sound() -> bytes:
    """The file of a ledger in which something of everything stands."""
    file = _folder() / "sound.sqlite"
    with closing(Ledger.open(f"sqlite:///{file}", now=NOW)) as ledger:
        ledger.see_destination("j", "d", "file:///d", Identity("d", NOW, (("j", "h"),), NameRules().as_json()), NOW)
        ledger.see_source("j", SourceSeen("uuid:1", Tally(2, 3), NOW))
        run = ledger.begin_run("j", "run", NOW)
        digest = Digest("sha256", "ab" * 32)
        entries = [Entry(path, 3, 10**18, 10**18, 7, 0o644) for path in ("a", "b/\udcff", "c\n")]
        good = [
            Verified("d", one, one.path, digest, 1, ProofKind.READBACK, "direct", Manner.NEW, "") for one in entries
        ]
        ledger.record(run, "j", "s", good, NOW)
        ledger.add_troubles(run, "j", "s", [Trouble("d", "x", 1, State.HELD, "young")])
        ledger.set_looks("j", "s", [(entries[0], 5)])
        verdict = Verdict(Condition.COMPLETE, "all", remarks=(Remark("a", "odd"),), catalogue={"start": "2026"})
        ledger.judge(run, "j", "s", "files", "stamp", verdict, {"unit": ["1", 2]}, NOW)
        ledger.note(run, "noted", "j", {"why": "x"}, NOW)
        ledger.end_run(run, NOW + timedelta(1), 0, {"files": 3})
    return file.read_bytes()


def _altered(rest: bytes) -> Path:
    file = _folder() / "altered.sqlite"
    whole = bytearray(_sound())
    while len(rest) >= _PLACE.size:
        place, length = _PLACE.unpack_from(rest)
        piece, rest = rest[_PLACE.size : _PLACE.size + length], rest[_PLACE.size + length :]
        place %= len(whole)
        whole[place : place + len(piece)] = piece
    file.write_bytes(whole)
    return file


def _readings(ledger: Ledger) -> Iterator[Callable[[], object]]:
    """What must be answered, or refused, whatever stands there."""
    yield from (ledger.head, ledger.runs, ledger.verify_chain)
    yield from (
        lambda: ledger.acquisition("j", "s"),
        lambda: list(ledger.acquisitions()),
        lambda: ledger.conditions("j"),
    )
    yield from (lambda: ledger.source("j"), lambda: ledger.destination("j", "d"), lambda: ledger.datasets("j"))
    yield from (lambda: list(ledger.all_records("j", "d", "s")), lambda: list(ledger.by_age("j", "d")))
    yield from (lambda: ledger.tallies("j"), lambda: ledger.find_path("a"), lambda: ledger.copies("j", "s", "a"))
    yield from (lambda: list(ledger.troubles(1)), lambda: ledger.last_troubles("j", "s", "x"))
    yield from (lambda: list(ledger.events()), lambda: ledger.looks("j", "s")("a"))
    yield lambda: ledger.messages(Fate.WAITING)


def ledger_file(content: bytes) -> bool:
    """Every question is answered, or the ledger is said to be damaged."""
    try:
        ledger = Ledger.open_read_only(f"sqlite:///{_altered(content)}")
    except LedgerError as error:
        assert str(error)
        return False
    understood = True
    with closing(ledger):
        for ask in _readings(ledger):
            try:
                ask()
            except LedgerError:
                understood = False
    return understood


_WORDS = tuple(_PLACE.pack(place, 4) + b"\xff\x00\x7f\x80" for place in range(4096, 126_000, 997))
TARGETS = (Target("ledger", ledger_file, (b"", _PLACE.pack(100, 0)), _WORDS, slow=True),)
