"""Does a store know which place it is, and can it be opened anywhere?"""

from __future__ import annotations

import pickle
from itertools import pairwise

import pytest

from coldchain.errors import NotFound, Occupied, StoreError
from coldchain.model import Place
from coldchain.stores.base import Store, Traits
from coldchain.stores.names import NameRules
from coldchain.testing.contract.acts import Subject, carry, content_of, everything, put_in, staging_of


class PlaceContract(Subject):
    """``url``, ``traits``, ``volume``, ``free_bytes``, ``close``, and what travels to other processes."""

    def test_the_same_place_opened_twice_shows_the_same(self, store: Store) -> None:
        """Its content and its volume (P10), before and after something was written."""
        again = self.reopen(store)
        volumes = [store.volume(), again.volume()]
        carry(store, {"run/x": b"x"})
        assert content_of(again, "run/x") == b"x"
        assert everything(again) == ["run/x"]
        volumes += [store.volume(), again.volume(), self.reopen(store).volume()]
        assert volumes[0]
        assert all(one == other for one, other in pairwise(volumes))

    def test_the_room_left_is_a_number_or_unknown(self, store: Store) -> None:
        """None where nobody can tell."""
        room = store.free_bytes()
        assert room is None or (type(room) is int and room >= 0)

    def test_traits_and_rules_are_plain_values(self, store: Store) -> None:
        """They are compared, written down and sent to other machines."""
        assert isinstance(store.traits, Traits)
        assert store.traits.mtime_step_ns >= 1
        rules = store.probe_names()
        assert NameRules.from_json(rules.as_json()) == rules
        assert pickle.loads(pickle.dumps(store.traits)) == store.traits  # noqa: S301

    def test_a_closed_store_can_be_used_again(self, store: Store) -> None:
        """Closing lets go of what is open, and closing twice does no harm."""
        carry(store, {"a": b"1"})
        store.close()
        store.close()
        assert content_of(store, "a") == b"1"
        carry(store, {"b": b"2"})
        assert everything(store) == ["a", "b"]

    def test_a_place_travels_by_pickle(self, store: Store) -> None:
        """It is enough to open the store in another process."""
        place = Place("there", store.url)
        assert pickle.loads(pickle.dumps(place)) == place  # noqa: S301

    def test_errors_travel_by_pickle_with_url_and_key(self, store: Store) -> None:
        """A worker's error says in the parent what it said in the worker."""
        carry(store, {"taken": b"x"})
        with pytest.raises(NotFound) as caught:
            store.stat("absent")
        with staging_of(store) as staging:
            put_in(staging, "taken", b"y")
            staging.flush()
            occupied = staging.publish({"taken": None})["taken"]
        assert isinstance(occupied, Occupied)
        for error in (caught.value, occupied):
            again = pickle.loads(pickle.dumps(error))  # noqa: S301
            assert isinstance(again, StoreError)
            assert _facts(again) == _facts(error)
            assert error.reason, "an error says in words what is wrong"


def _facts(error: StoreError) -> tuple[object, ...]:
    return type(error), error.reason, error.url, error.key, error.temporary, str(error)
