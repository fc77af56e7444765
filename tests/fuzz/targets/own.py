"""Which parsers read what coldchain wrote itself, and others may have altered since?"""

from __future__ import annotations

import functools
import hashlib
import json
from datetime import UTC, datetime, timedelta
from itertools import count

from coldchain.errors import ManifestDamaged
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import ManifestHeader, Told, json_lines
from coldchain.ledger.manifest_read import lines_of, read_whole_manifest
from coldchain.model import Digest, Identity, Place, ProofKind, Record
from coldchain.operate.fleet.agents import Damaged, read_words
from coldchain.operate.fleet.fleet import Asked, read_fleet
from coldchain.steps.identify import Writer
from coldchain.steps.marker import MARKER, marker_text, read_marker
from coldchain.steps.publish import agent_key, leave_word, read_agent
from coldchain.stores.names import NameRules
from coldchain.testing import MemoryStore
from coldchain.verdict import Condition, Remark, Verdict
from tests.fuzz.target import Target

NOW = datetime(2026, 1, 1, tzinfo=UTC)
_serial = count(1)


@functools.cache
def _ledger() -> tuple[Ledger, int]:
    ledger = Ledger.empty(NOW)
    ledger.see_destination("fuzz", "disk", "memory://disk", Identity("disk", NOW, ()), NOW)
    return ledger, ledger.begin_run("fuzz", "rebuild", NOW)


# --- manifests --------------------------------------------------------------------------------------------------------


def record_of(path: str, **changes: object) -> Record:
    """One line of a manifest."""
    digest = Digest("sha256", hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest())
    made = Record(path, path, 7, 1, 2, 3, 0o644, 4, digest, ProofKind.READBACK, "direct", 10**15, 10**15)
    return made._replace(**changes)  # type: ignore[arg-type]


def manifest_of(*records: Record, told: Told | None = None, units: int = 0) -> bytes:
    """A whole manifest."""
    header = ManifestHeader("fuzz", "dataset", "disk", "ab" * 16, (1, "cd" * 32), NOW, "1", told)
    return b"".join(json_lines(header, sorted(records), [{"unit": str(one), "x": [1.5]} for one in range(units)]))


_VERDICT = Verdict(
    Condition.INCOMPLETE, "short by 1 image", ("B02",), 1, {"a": "cut"}, (Remark("b\udcff", "odd"),), {"start": "2026"}
)
MANIFESTS = (
    manifest_of(record_of("a"), record_of("b/c\udcff\n"), record_of("d", superseded=True)),
    manifest_of(record_of("half \ud83d"), told=Told("ifcb", _VERDICT, NOW, NOW, NOW, 3, True), units=3),
    manifest_of(),
)


def manifest(content: bytes) -> bool:
    """As it is, and with a footer that fits whatever it says: who alters it can count and hash as well."""
    understood = _taken(content)
    return _taken(_signed(content)) or understood


def _signed(content: bytes) -> bytes:
    body = content.partition(b"],\n")[0] if b',"units":[\n' not in content else content.rpartition(b"],\n")[0]
    number = size_bytes = 0
    try:
        _, _, records = read_whole_manifest(lines_of([body + b"],\n"]))
        for record in records:
            number, size_bytes = number + 1, size_bytes + record.size_bytes
    except ManifestDamaged:
        pass
    footer = {"count": number, "size_bytes": size_bytes, "digest": f"sha256:{hashlib.sha256(body).hexdigest()}"}
    return body + b"],\n" + json.dumps(footer)[1:].encode() + b"\n"


def _taken(content: bytes) -> bool:
    """Read it, let a ledger be rebuilt from it, and write it again."""
    try:
        header, units, records = read_whole_manifest(lines_of([content[:100], content[100:]]))
        rows, found = list(units), list(records)
    except ManifestDamaged:
        return False
    ledger, run = _ledger()
    dataset = f"{header.dataset}\0{next(_serial)}"
    ledger.rebuild(run, "fuzz", dataset, "disk", found, NOW)
    assert [record.key for record in ledger.all_records("fuzz", "disk", dataset)] == [record.key for record in found]
    if header.acquisition is not None:
        ledger.learn("fuzz", dataset, header.acquisition.acquisition(rows, header.written))
    again = read_whole_manifest(json_lines(header, found, rows))
    list(again[1])
    assert list(again[2]) == found
    return True


# --- the mark of a destination ----------------------------------------------------------------------------------------

IDENTITY = Identity("disk-1", NOW, (("merscope", "pc"), ("rig", "b\udcffx")), NameRules(folds_case=True).as_json())


def marker(content: bytes) -> bool:
    """What ``destination.json`` says, until a plan uses it."""
    try:
        found = read_marker(content, "memory://disk")
        rules = NameRules.from_json(found.names)
    except ManifestDamaged:
        return False
    assert read_marker(marker_text(found), "") == found
    ledger, _ = _ledger()
    ledger.see_destination("fuzz", "other", "memory://disk", found, NOW)
    assert ledger.destination("fuzz", "other") == found
    rules.refusal("a/b.x")
    return True


# --- agents -----------------------------------------------------------------------------------------------------------

_HOST = "bench-pc"
_WORD: dict[str, object] = {
    "ledger": "ab" * 16, "event": 7, "event_hash": "cd" * 32, "source": "/data", "heard": NOW.isoformat(),
    "coldchain": "0.1.0", "command": "watch", "watched": True, "schedule": "@daily", "timezone": "", "expect_s": None,
    "next_run": (NOW + timedelta(days=1)).isoformat(), "due": (NOW + timedelta(days=2)).isoformat(), "run": 3,
    "started": NOW.isoformat(), "ended": NOW.isoformat(), "exit_code": 0, "only_held": False, "problem": "",
    "last_success": NOW.isoformat(), "last_new": NOW.isoformat(), "files": 3, "size_bytes": 9,
    **{name: {"files": 0, "size_bytes": 0} for name in ("backlog", "held", "refused", "failed")},
}  # fmt: skip
AGENT = json.dumps(
    {"format": "coldchain-agent", "version": 1, "host": _HOST, "coldchain": "0.1.0", "jobs": {"a": _WORD, "b": _WORD}}
).encode()


def agent(content: bytes) -> bool:
    """What an agent left, as the fleet sees it, and as the next run of the same job takes it up."""
    try:
        understood = bool(read_words(agent_key(_HOST), content))
    except Damaged:
        understood = False
    store = MemoryStore("memory://fuzz-fleet")
    try:
        store.put(MARKER, marker_text(Identity("x", NOW, (("a", _HOST), ("c", "other")))))
        store.put(agent_key(_HOST), content)
        for asked in (Asked(), Asked(late=timedelta(days=3), nothing_new=timedelta(days=1))):
            for one in read_fleet(Place("x", "memory://fuzz-fleet"), asked, NOW):
                assert one.why or not one.condition.is_trouble
                if one.word is not None:
                    for moment in (one.word.heard, one.word.due, one.word.last_new, one.word.next_run):
                        assert moment is None or moment.astimezone(UTC).isoformat()
        writer = Writer("a", _HOST)
        read_agent(store, writer)
        leave_word(store, writer, _WORD)
        assert read_agent(store, writer)["event"] == 7
    finally:
        store.forget()
    return understood


TARGETS = (
    Target(
        "manifest",
        manifest,
        MANIFESTS,
        (b'"path_b64":', b'"path_wtf8_b64":', b',"units":[\n', b"],\n", b'"superseded":true'),
    ),
    Target("marker", marker, (marker_text(IDENTITY),)),
    Target("agent", agent, (AGENT,)),
)
