"""Is a copy in a bucket proved before it counts, and taken back when it is wrong?"""

from __future__ import annotations

import hashlib

import pytest

from coldchain.model import Digest, Entry, Manner, Outcome, ProofKind, State, Target, Trouble, Verified
from coldchain.steps.lane import Lane
from coldchain.stores.base import Store
from coldchain.testing import LyingStore
from coldchain.testing.contract.acts import carry, content_of, everything
from coldchain.testing.lying import Lie
from tests.stores.s3.serving import Server


def carried(store: Store, proof: ProofKind, manner: Manner = Manner.NEW, old: bytes = b"") -> Outcome:
    lane = Lane("nas", store, "job1", proof, store.volume())
    content = b"content"
    old_digest = Digest("sha256", hashlib.sha256(old).hexdigest()) if old else None
    lane.begin(Entry("file", len(content), 1), Target("nas", "file", manner, "new", old_digest))
    lane.take(content)
    lane.finish(Digest("sha256", hashlib.sha256(content).hexdigest()))
    (outcome,) = lane.settle()
    return outcome


@pytest.mark.parametrize(
    ("proof", "how"), [(ProofKind.READBACK, "get"), (ProofKind.CHECKSUM, "sha256"), (ProofKind.SIZE, "stat")]
)
def test_the_proof_that_was_asked_for_is_the_one_that_is_recorded(
    weed: Server, bucket: str, proof: ProofKind, how: str
) -> None:
    outcome = carried(weed.store(bucket), proof)
    assert isinstance(outcome, Verified)
    assert (outcome.proof_kind, outcome.proof_how) == (proof, how)


def test_where_nothing_vouches_the_bytes_are_read_back_and_never_less(moto: Server) -> None:
    """moto takes wrong checksums, so what it says of them is no proof."""
    bucket = moto.bucket()
    outcome = carried(moto.store(bucket), ProofKind.CHECKSUM)
    assert isinstance(outcome, Verified)
    assert (outcome.proof_kind, outcome.proof_how) == (ProofKind.READBACK, "get")
    moto.remove(bucket)


def test_a_copy_that_reads_back_wrong_is_taken_back_and_is_no_success(weed: Server, bucket: str) -> None:
    """P2 and P3: what was visible for a moment is gone, and the file failed."""
    store = weed.store(bucket)
    lying = LyingStore(store)
    lying.lie(Lie.FLIP)
    outcome = carried(lying, ProofKind.READBACK)
    assert isinstance(outcome, Trouble)
    assert (outcome.state, outcome.integrity, outcome.again) == (State.FAILED, True, True)
    assert everything(store) == []


def test_equal_bytes_that_stand_there_are_adopted_and_others_refused(weed: Server, bucket: str) -> None:
    """P5."""
    store = weed.store(bucket)
    before = carry(store, {"file": b"content"})["file"]
    outcome = carried(store, ProofKind.CHECKSUM)
    assert isinstance(outcome, Verified)
    assert (outcome.manner, store.stat("file")) == (Manner.ADOPT, before)
    weed.client.put_object(Bucket=bucket, Key="file", Body=b"another")
    outcome = carried(store, ProofKind.CHECKSUM)
    assert isinstance(outcome, Trouble)
    assert outcome.state is State.REFUSED
    assert content_of(store, "file") == b"another"


def test_only_what_coldchain_stored_is_replaced(weed: Server, bucket: str) -> None:
    store = weed.store(bucket)
    carry(store, {"file": b"older"})
    outcome = carried(store, ProofKind.READBACK, Manner.REPLACE, old=b"not what stands there")
    assert isinstance(outcome, Trouble)
    assert content_of(store, "file") == b"older"
    assert isinstance(carried(store, ProofKind.READBACK, Manner.REPLACE, old=b"older"), Verified)
    assert content_of(store, "file") == b"content"
