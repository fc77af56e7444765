"""Does a forgetful store lose in a power cut what was not made durable, and only that?"""

from __future__ import annotations

import pytest

from coldchain.errors import StoreGone
from coldchain.testing import ForgetfulStore, MemoryStore
from coldchain.testing.contract.acts import (
    carry,
    entry_for,
    everything,
    put_in,
    replace,
    staging_of,
)


def test_p04_what_was_flushed_before_it_was_published_survives(memory: MemoryStore) -> None:
    forgetful = ForgetfulStore(memory)
    carry(forgetful, {"a": b"1"})
    assert forgetful.power_cut() == []
    assert memory.get("a") == b"1"


@pytest.mark.parametrize("leaves_empty", [False, True])
def test_p04_what_was_published_without_a_flush_is_lost(memory: MemoryStore, *, leaves_empty: bool) -> None:
    forgetful = ForgetfulStore(memory, leaves_empty=leaves_empty)
    with staging_of(forgetful) as staging:
        put_in(staging, "a", b"1")
        staging.flush()
        put_in(staging, "late", b"1")
        staging.publish({"a": None, "late": None})
    assert everything(forgetful) == ["a", "late"]
    assert forgetful.power_cut() == ["late"]
    left = {"a": b"1", "late": b""} if leaves_empty else {"a": b"1"}
    assert {key: memory.get(key) for key in everything(memory)} == left


def test_p04_a_flush_after_publishing_counts(memory: MemoryStore) -> None:
    forgetful = ForgetfulStore(memory)
    with staging_of(forgetful) as staging:
        put_in(staging, "a", b"1")
        staging.publish({"a": None})
        staging.flush()
    assert forgetful.power_cut() == []


def test_p04_the_flush_of_another_staging_does_not_count(memory: MemoryStore) -> None:
    forgetful = ForgetfulStore(memory)
    with staging_of(forgetful) as one, staging_of(forgetful) as other:
        put_in(one, "a", b"1")
        other.flush()
        one.publish({"a": None})
    assert forgetful.power_cut() == ["a"]


def test_p04_a_disk_that_ignores_flushes_loses_everything(memory: MemoryStore) -> None:
    forgetful = ForgetfulStore(memory, flush_lies=True)
    carry(forgetful, {"a": b"1"})
    assert forgetful.power_cut() == ["a"]
    assert everything(memory) == []


@pytest.mark.parametrize("settle", [False, True])
def test_p04_what_others_wrote_survives_if_it_was_settled(memory: MemoryStore, *, settle: bool) -> None:
    forgetful = ForgetfulStore(memory)
    memory.put("theirs", b"1")
    forgetful.mark({"theirs"}, at_risk=True)
    with staging_of(forgetful) as staging:
        if settle:
            staging.settle("theirs")
        staging.flush()
    assert forgetful.power_cut() == ([] if settle else ["theirs"])


def test_p11_a_staging_does_not_survive_but_leaves_its_traces(memory: MemoryStore) -> None:
    forgetful = ForgetfulStore(memory)
    staging = forgetful.stage("job1")
    put_in(staging, "a", b"1")
    staging.flush()
    sink = staging.open("b", entry_for("b", b""))
    forgetful.power_cut()
    for verb in (staging.flush, sink.close, lambda: sink.write(b""), lambda: staging.publish({}), staging.close):
        with pytest.raises(StoreGone):
            verb()
    assert len(everything(memory)) == 2
    assert all(forgetful.is_leftover(key, "job1") for key in everything(memory))
    carry(forgetful, {"a": b"2"})
    assert forgetful.power_cut() == []


def test_p04_what_was_deleted_is_nobody_s_loss(memory: MemoryStore) -> None:
    forgetful = ForgetfulStore(memory)
    with staging_of(forgetful) as staging:
        for key in "ab":
            put_in(staging, key, b"1")
        staging.publish({"a": None, "b": None})
    forgetful.delete("a")
    memory.delete("b")
    assert forgetful.power_cut() == ["b"]
    assert everything(memory) == []


def test_p04_a_file_stored_anew_and_flushed_is_safe(memory: MemoryStore) -> None:
    forgetful = ForgetfulStore(memory)
    with staging_of(forgetful) as staging:
        put_in(staging, "a", b"1")
        staging.publish({"a": None})
    replace(forgetful, "a", b"2", forgetful.stat("a"))
    assert forgetful.power_cut() == []
    assert memory.get("a") == b"2"
