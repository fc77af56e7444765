"""Are the traces of a killed run recognised by their owner, and by nobody else?"""

from __future__ import annotations

import pytest

from coldchain.stores.base import Sink, Staging, Store
from coldchain.testing.contract.acts import (
    Subject,
    arrived,
    carry,
    content_of,
    entry_for,
    everything,
    put_in,
    staging_of,
)

OWNERS = ["job1", "job10", "1job", "job"]


class LeftoversContract(Subject):
    """``is_leftover``."""

    def test_the_leftovers_of_a_killed_run_are_its_owner_s(self, store: Store) -> None:
        """Whatever an abandoned staging left is a leftover of that owner, and of no other with a similar name."""
        abandoned = [_abandon(store, owner) for owner in OWNERS[:2]]
        keys = everything(self.reopen(store))
        for key in keys:
            owned = [owner for owner in OWNERS if store.is_leftover(key, owner)]
            assert len(owned) == 1, f"{key!r} is a leftover of {owned or 'nobody'}"
            assert owned[0] in OWNERS[:2]
        del abandoned

    def test_leftovers_can_be_deleted_and_the_work_done_again(self, store: Store) -> None:
        """The next run cleans up by listing, and leaves nothing of the first (P11)."""
        abandoned = _abandon(store, "job1")
        again = self.reopen(store)
        for key in everything(again):
            assert again.is_leftover(key, "job1")
            again.delete(key)
        assert everything(again) == []
        carry(again, {"run/closed": b"1", "run/open": b"2", "top": b"3"})
        assert everything(again) == ["run/closed", "run/open", "top"]
        del abandoned

    def test_an_abandoned_staging_hinders_nobody(self, store: Store) -> None:
        """The same keys can be written by the next run before anything is cleaned up."""
        abandoned = _abandon(store, "job1")
        with staging_of(self.reopen(store), "job1") as staging:
            put_in(staging, "run/closed", b"again")
            staging.flush()
            arrived(staging.publish({"run/closed": None})["run/closed"])
        assert content_of(store, "run/closed") == b"again"
        del abandoned

    @pytest.mark.parametrize(
        "key",
        ["run/file.tif", ".coldchain/destination.json", ".coldchain/manifests/job1/run.sha256", "job1", ".~x", "x~"],
    )
    def test_data_are_no_leftovers(self, store: Store, key: str) -> None:
        """What was published under its name is never taken for a trace."""
        assert not any(store.is_leftover(key, owner) for owner in OWNERS)

    def test_two_owners_can_write_the_same_folder_at_once(self, store: Store) -> None:
        """Closing one staging takes nothing away from the other."""
        with staging_of(store, "job1") as one:
            put_in(one, "run/a", b"1")
            with staging_of(store, "job10") as other:
                put_in(other, "run/b", b"2")
            one.flush()
            arrived(one.publish({"run/a": None})["run/a"])
        assert everything(store) == ["run/a"]


def _abandon(store: Store, owner: str) -> tuple[Staging, Sink]:
    """Leave a staging as a killed process does; whoever holds the result keeps it from being tidied up."""
    staging = store.stage(owner)
    put_in(staging, "run/closed", b"closed")
    put_in(staging, "top", b"closed")
    sink = staging.open("run/open", entry_for("run/open", b"open"))
    sink.write(b"op")
    return staging, sink
