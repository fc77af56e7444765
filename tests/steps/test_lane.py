"""Is one file's trouble its own, and a failed flush everybody's?"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import cast

import pytest

from coldchain.content.digests import digest_of
from coldchain.errors import Denied, FlushFailed, NotAFile, NotFound, StoreError, StoreGone
from coldchain.model import Entry, Manner, Outcome, ProofKind, State, Target, Trouble, Verified
from coldchain.steps.begun import notes_in, recall
from coldchain.steps.lane import Lane
from coldchain.stores.base import Store
from coldchain.testing.contract.acts import carry
from coldchain.testing.faulty import FaultyStore
from coldchain.testing.memory import MemoryStore

CONTENTS = {f"run/{name}": name.encode() * 100 for name in "abcd"}


@pytest.fixture
def store() -> FaultyStore:
    """A place at which two of the files stand already."""
    memory = MemoryStore(f"memory://lane-{uuid.uuid4().hex}")
    memory.make()
    carry(memory, {key: CONTENTS[key] for key in ("run/a", "run/b")})
    return FaultyStore(cast("Store", memory))


def settled(store: FaultyStore, standing: Manner, begun: str = "") -> dict[str, Outcome]:
    """What becomes of a batch of which two files stand there; ``standing`` is how those are sent."""
    lane = Lane("nas", cast("Store", store), "ab", ProofKind.READBACK, store.volume(), begun)
    for key, content in CONTENTS.items():
        manner = standing if key in {"run/a", "run/b"} else Manner.NEW
        lane.begin(Entry(key, len(content), 1), Target("nas", key, manner, ""))
        lane.take(content)
        lane.finish(digest_of("sha256", [content])[0])
    outcomes = lane.settle()
    assert len(outcomes) == len(CONTENTS)
    return {outcome.entry.path if isinstance(outcome, Verified) else outcome.path: outcome for outcome in outcomes}


@pytest.mark.parametrize("standing", [Manner.ADOPT, Manner.NEW])
@pytest.mark.parametrize("error", [NotAFile, NotFound, Denied])
def test_p01_a_file_that_cannot_be_settled_takes_no_other_with_it(
    store: FaultyStore, standing: Manner, error: type[StoreError]
) -> None:
    store.fail("staging.settle", error, keys=["run/a"])
    outcomes = settled(store, standing)
    trouble = outcomes.pop("run/a")
    assert isinstance(trouble, Trouble)
    assert trouble.state in {State.FAILED, State.REFUSED}
    assert error.__name__ in trouble.reason
    assert all(isinstance(outcome, Verified) for outcome in outcomes.values())


@pytest.mark.parametrize("error", [FlushFailed, StoreGone])
@pytest.mark.parametrize("verb", ["staging.settle", "staging.flush"])
def test_p04_a_flush_that_failed_vouches_for_none_of_the_batch(
    store: FaultyStore, error: type[StoreError], verb: str
) -> None:
    store.fail(verb, error)  # type: ignore[arg-type]
    outcomes = settled(store, Manner.ADOPT)
    assert [type(outcome) for outcome in outcomes.values()] == [Trouble] * len(CONTENTS)


def test_p11_what_is_about_to_appear_is_noted_before_it_does(store: FaultyStore, tmp_path: Path) -> None:
    """So that the next run knows it for coldchain's own, should this one be killed before it is recorded."""
    store.fail("staging.publish", StoreGone)
    settled(store, Manner.ADOPT, str(tmp_path / "begun" / "x.0"))
    noted = recall(notes_in(tmp_path / "begun"))["nas"]
    assert {path: (one.key, one.digest) for path, one in noted.items()} == {
        path: (path, digest_of("sha256", [CONTENTS[path]])[0]) for path in ("run/c", "run/d")
    }


def test_nothing_is_noted_where_nothing_is_about_to_appear(store: FaultyStore, tmp_path: Path) -> None:
    store.fail("staging.flush", StoreGone)
    settled(store, Manner.ADOPT, str(tmp_path / "begun" / "x.0"))
    assert notes_in(tmp_path / "begun") == []
