"""Does what comes in order go out in order, file by file, whatever the names are?"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from coldchain.config.values import Job, OnChange
from coldchain.model import ADDED, WHOLE_SOURCE, Entry, Hold, Keep, Part, Place, ProofKind, Refuse, Send
from coldchain.steps.compare import Side, Standard, compare
from coldchain.steps.layout import Layout
from coldchain.steps.plan import Aim, plan
from coldchain.steps.scan import Walks, scan
from coldchain.steps.settle import Settling
from coldchain.stores.base import open_store
from coldchain.stores.names import NameRules
from coldchain.testing import MemoryStore
from tests.properties.searching import few

# bytes as a disk of Linux may hold them, many of which sort otherwise as text than as bytes
_name = (
    st.binary(min_size=1, max_size=6)
    .map(lambda raw: raw.replace(b"/", b"-").replace(b"\0", b"0"))
    .filter(lambda raw: raw not in {b".", b".."})
)
_near = st.sampled_from(
    [b"a", b"a-", b"a.x", b"a0", b"A", b"\xff", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xef\xbf\xbf"]
)
_paths = st.sets(st.lists(_near | _name, min_size=1, max_size=3).map(b"/".join), max_size=12)


def _tree(folder: Path, paths: set[bytes]) -> list[str]:
    """Write what of the paths can stand beside one another; the paths that are there, as the system says them."""
    root = os.fsencode(folder)
    for path in sorted(paths):
        above, _, _ = path.rpartition(b"/")
        try:
            os.makedirs(os.path.join(root, above), exist_ok=True)
            with open(os.path.join(root, path), "xb"):
                pass
        except OSError:
            continue
    return [os.path.relpath(os.path.join(base, name), folder) for base, _, names in os.walk(folder) for name in names]


@few(80)
@given(_paths)
def test_p16_a_listing_of_a_disk_holds_every_name_once_and_in_order(paths: set[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        there = _tree(Path(folder), paths)
        store = open_store(Place("", Path(folder).as_uri()))
        listed = [one.path for one in store.list()]
        assert listed == sorted(there)
        job = Job("j", Place("", ""), ())
        assert [one.path for one in scan(Walks(store), WHOLE_SOURCE, job, lambda entry: None)] == listed
        for name in store.folders():
            below = [one.path for one in scan(Walks(store), Part(name), job, lambda entry: None)]
            assert below == [path for path in listed if path.startswith(f"{name}/")]


_texts = st.lists(
    st.text(st.characters(exclude_categories=[], exclude_characters="/\0"), min_size=1, max_size=4), max_size=12
)


@few(100)
@given(_texts, st.sets(st.integers(0, 11)), st.booleans())
def test_what_is_compared_and_planned_comes_out_in_the_order_in_which_it_came(
    names: list[str], there: set[int], folds: bool
) -> None:
    entries = [Entry(name, number, 1) for number, name in enumerate(sorted({one for one in names if one.strip(".")}))]
    store = MemoryStore(f"memory://order-{folds}", rules=NameRules(folds_case=folds))
    found = [entry for number, entry in enumerate(entries) if number in there]
    try:
        side = Side(store, iter(()), Standard(ProofKind.SIZE, True))
        side.enter(Layout("", 0), iter(found))
        differences = list(compare(entries, [side]))
        assert [difference.entry for difference in differences] == entries
        assert [difference.changes[0] is ADDED for difference in differences] == [one not in found for one in entries]
        aim = Aim("d", store, Walks(store), NameRules(folds_case=folds), OnChange.REPLACE)
        settling = Settling(timedelta(0), datetime(2026, 1, 1, tzinfo=UTC), lambda path: None, lambda path: "")
        actions = list(plan(iter(differences), [aim], settling))
        assert list(_paths_of(actions)) == [entry.path for entry in entries], "each once, none lost, in order"
    finally:
        store.forget()


def _paths_of(actions: list[Send | Keep | Hold | Refuse]) -> Iterator[str]:
    return (action.path if isinstance(action, Refuse) else action.entry.path for action in actions)
