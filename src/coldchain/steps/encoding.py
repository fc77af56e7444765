"""How do a batch and what came of it look as plain values, which JSON can carry?

NamedTuples, string enumerations and number enumerations are written by JSON as what they are; here they are read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coldchain.model import (
    Digest,
    Entry,
    Manner,
    Outcome,
    Place,
    ProofKind,
    Send,
    State,
    Target,
    Trouble,
    Verified,
)
from coldchain.steps.transfer import Batch, BatchResult, Expected

Values = list[Any]


def encode_send(send: Send) -> object:
    """Plain values, for a spool."""
    return list(send)


def decode_send(values: Values) -> Send:
    """Read ``encode_send`` back."""
    entry, targets, kept, growing = values
    return Send(Entry(*entry), tuple(map(_target, targets)), tuple(kept), bool(growing))


def encode_batch(batch: Batch) -> dict[str, object]:
    """Plain values; a batch whose places have secrets is not to be sent anywhere, and raises ValueError."""
    places = (batch.source, *batch.destinations)
    if any(place.secret is not None for place in places):
        raise ValueError("a secret stays in its process")
    return {
        "places": [(place.name, place.url, place.options) for place in places],
        "volumes": batch.volumes,
        "sends": batch.sends,
        "algorithm": batch.algorithm,
        "proof": batch.proof,
        "owner": batch.owner,
        "expected": batch.expected,
        "patience_s": batch.patience_s,
        "begun": batch.begun,
    }


def decode_batch(values: Mapping[str, Any]) -> Batch:
    """Read ``encode_batch`` back."""
    source, *destinations = (
        Place(name, url, tuple((option, value) for option, value in options)) for name, url, options in values["places"]
    )
    return Batch(
        source,
        tuple(destinations),
        tuple(values["volumes"]),
        tuple(map(decode_send, values["sends"])),
        values["algorithm"],
        ProofKind(values["proof"]),
        values["owner"],
        tuple(Expected(Digest(*digest), mtime_ns, mode) for digest, mtime_ns, mode in values["expected"]),
        values["patience_s"],
        values["begun"],
    )


def encode_result(result: BatchResult) -> dict[str, object]:
    """Plain values."""
    return {"outcomes": result.outcomes, "lagging": sorted(result.lagging), "broken": result.broken}


def decode_result(values: Mapping[str, Any]) -> BatchResult:
    """Read ``encode_result`` back."""
    broken = tuple((name, reason) for name, reason in values["broken"])
    return BatchResult(list(map(_outcome, values["outcomes"])), frozenset(values["lagging"]), broken)


def _target(values: Values) -> Target:
    destination, key, manner, reason, digest, old_key, unsure = values
    return Target(destination, key, Manner(manner), reason, Digest(*digest) if digest else None, old_key, unsure)


def _outcome(values: Values) -> Outcome:
    if len(values) == len(Trouble._fields):
        destination, path, size_bytes, state, reason, again, integrity = values
        return Trouble(destination, path, size_bytes, State(state), reason, again, integrity)
    destination, entry, key, digest, mtime_ns, kind, how, manner, reason = values
    of_source, of_copy = Entry(*entry), Digest(*digest)
    return Verified(destination, of_source, key, of_copy, mtime_ns, ProofKind(kind), how, Manner(manner), reason)
