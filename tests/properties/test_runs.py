"""Does every file end every run in exactly one state, and is there nothing left to do after it, whatever lies where?"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from coldchain.config.values import Destination, Job, OnChange
from coldchain.errors import NothingSelected
from coldchain.ledger.ledger import Ledger
from coldchain.model import OWN_FOLDER, Entry, Oddity, Place, State
from coldchain.monitor import Surroundings
from coldchain.operate.job import run_job
from coldchain.operate.opening import Wish
from coldchain.steps.identify import Consent
from coldchain.steps.report import Report
from coldchain.stores.base import Traits
from coldchain.stores.names import NameRules
from coldchain.testing import MemoryStore
from tests.properties.searching import few

NOW = datetime(2026, 1, 1, tzinfo=UTC)

# --- what there may be ------------------------------------------------------------------------------------------------

_name = st.sampled_from([
    "a", "A", "b.tif", "b.TIF", "\u00e9", "e\u0301", "new\nline",
    "\udcff.raw", "CON", "nul.txt", "dot.", "space ", "\x01", "-rf *",
    "\U0001f600", "\uffff", "x" * 60, "a:b", "a\\b", ".hidden",
    OWN_FOLDER, ".COLDCHAIN", "a~v2", "\u0130", "\u00df", "ss",
])  # fmt: skip
_path = st.lists(_name, min_size=1, max_size=3).map("/".join)
_content = st.sampled_from([b"", b"x", b"y", b"xx", b"z" * 300])
_tree = st.dictionaries(_path, _content, max_size=8)
_rules = st.builds(
    NameRules,
    folds_case=st.booleans(),
    folds_unicode=st.booleans(),
    forbidden=st.sampled_from(["", ":\\*?"]),
    control_characters=st.booleans(),
    trailing_dot=st.booleans(),
    trailing_space=st.booleans(),
    reserved_words=st.booleans(),
    invalid_utf8=st.booleans(),
    name_limit=st.sampled_from([255, 40]),
    key_bytes=st.sampled_from([0, 100]),
)
_traits = st.builds(
    Traits,
    mtime_step_ns=st.sampled_from([1, 2_000_000_000]),
    stable_inodes=st.booleans(),
    largest_bytes=st.sampled_from([0, 200]),
)


class Site(NamedTuple):
    """A destination, and what somebody put there before."""

    rules: NameRules
    traits: Traits
    before: dict[str, bytes]
    layout: str
    required: bool


_sites = st.lists(
    st.builds(Site, _rules, _traits, _tree, st.sampled_from(["{path}", "x/{path}", "{dataset}/{path}"]), st.booleans()),
    min_size=1,
    max_size=2,
)


class World:
    """One job between places in memory."""

    def __init__(self, tree: dict[str, bytes], sites: list[Site], datasets: str, on_change: OnChange) -> None:
        serial = uuid.uuid4().hex
        self.source = MemoryStore(f"memory://{serial}-source")
        for path, content in _possible(tree).items():
            self.source.put(path, content)
        self.stores, destinations = [], []
        for number, site in enumerate(sites):
            store = MemoryStore(f"memory://{serial}-{number}", rules=site.rules, traits=site.traits)
            for path, content in _possible(site.before, site.rules).items():
                store.put(path, content)
            self.stores.append(store)
            place = Place(str(number), store.url)
            destinations.append(Destination(place, layout=site.layout, required=site.required))
        self.job = Job(
            "fuzz", Place("source", self.source.url), tuple(destinations), datasets=datasets,
            settle=timedelta(0), on_change=on_change,
        )  # fmt: skip
        self.before = [contents_of(store) for store in self.stores]
        self.ledger = Ledger.empty(NOW)
        self.now = NOW

    def run(self) -> Report:
        self.now += timedelta(hours=1)
        around = Surroundings("pc", lambda: self.now)
        return run_job(self.job, self.ledger, Wish(Consent(init=True, accept_changes=True)), around)

    def verified(self, number: int) -> dict[str, str]:
        """By path, the key under which the ledger holds a copy for verified."""
        name = str(number)
        return {
            record.path: record.key
            for dataset in self.ledger.datasets("fuzz")
            for record in self.ledger.stored("fuzz", name, dataset)
        }


@contextmanager
def world(tree: dict[str, bytes], sites: list[Site], datasets: str, on_change: OnChange) -> Iterator[World]:
    """The world, which is forgotten afterwards."""
    made = World(tree, sites, datasets, on_change)
    try:
        yield made
    finally:
        made.ledger.close()
        for store in (made.source, *made.stores):
            store.forget()


def _possible(tree: dict[str, bytes], rules: NameRules | None = None) -> dict[str, bytes]:
    """Those paths of a tree that can stand beside one another in a place, and that are not coldchain's own."""
    standard = rules or NameRules()
    files: dict[str, str] = {}
    folders: set[str] = set()
    for path in sorted(tree):
        folded = standard.fold(path)
        above = {folded[:at] for at, char in enumerate(folded) if char == "/"}
        own = rules is not None and folded.partition("/")[0] == OWN_FOLDER
        if standard.refusal(path) or folded in files or folded in folders or above & files.keys() or own:
            continue
        files[folded] = path
        folders |= above
    return {path: tree[path] for path in files.values()}


def contents_of(store: MemoryStore) -> dict[str, bytes]:
    """What lies at a place, without what is coldchain's own."""
    found = (one for one in store.list(without=[OWN_FOLDER]) if isinstance(one, Entry))
    return {one.path: store.get(one.path) for one in found}


# --- the properties ---------------------------------------------------------------------------------------------------

worlds = {
    "tree": _tree,
    "sites": _sites,
    "datasets": st.sampled_from(["whole", "folders"]),
    "on_change": st.sampled_from(OnChange),
}


@few(60)
@given(**worlds, odd=st.none() | _path)
def test_p01_every_file_ends_in_one_state_and_the_exit_code_says_so(
    tree: dict[str, bytes], sites: list[Site], datasets: str, on_change: OnChange, odd: str | None
) -> None:
    with world(tree, sites, datasets, on_change) as lab:
        if odd is not None and not _collides(odd, contents_of(lab.source)):
            lab.source.put_oddity(Oddity(odd, "symlink", "a symbolic link; links are not followed"))
        selected = [one.path for one in lab.source.list() if one.path.partition("/")[0] != OWN_FOLDER]
        try:
            report = lab.run()
        except NothingSelected:
            assert not selected
            return
        _accounted(lab, report, selected)


def _collides(path: str, tree: dict[str, bytes]) -> bool:
    return any(one == path or one.startswith(f"{path}/") or path.startswith(f"{one}/") for one in tree)


def _accounted(lab: World, report: Report, selected: list[str]) -> None:
    assert not list(report.unaccounted())
    troubles = Counter((trouble.destination, trouble.path) for _, trouble in lab.ledger.troubles(report.run))
    assert all(number == 1 for number in troubles.values()), "a file with two states"
    source = contents_of(lab.source) | {
        one.path: lab.source.get(one.path) for one in lab.source.list(OWN_FOLDER) if isinstance(one, Entry)
    }
    all_verified = True
    for number, store in enumerate(lab.stores):
        verified = lab.verified(number)
        troubled = {path for destination, path in troubles if destination in (str(number), "")}
        assert not verified.keys() & troubled
        everything = set(source) | {one.path for one in lab.source.list() if isinstance(one, Oddity)}
        assert verified.keys() | troubled >= set(selected)
        assert verified.keys() | troubled <= everything
        for path, key in verified.items():
            assert store.get(key) == source[path], "what is called verified is there, byte for byte"
        for key, content in lab.before[number].items():
            assert store.get(key) == content, "what somebody else had stored is untouched (P5)"
        if lab.job.destinations[number].required:
            all_verified &= not troubled
    assert (report.exit_code == 0) is all_verified


@few(60)
@given(**worlds)
def test_p11_after_a_run_there_is_nothing_left_to_do(
    tree: dict[str, bytes], sites: list[Site], datasets: str, on_change: OnChange
) -> None:
    with world(tree, sites, datasets, on_change) as lab:
        try:
            first = lab.run()
        except NothingSelected:
            return
        copies, kept = [contents_of(store) for store in lab.stores], [lab.verified(n) for n in range(len(lab.stores))]
        inodes = [_inodes(store) for store in lab.stores]
        second = lab.run()
        assert [contents_of(store) for store in lab.stores] == copies
        assert [_inodes(store) for store in lab.stores] == inodes, "a file was written again"
        assert [lab.verified(n) for n in range(len(lab.stores))] == kept
        assert _states(second) == _states(first)
        for dataset in second.datasets:
            assert not any(lot.sent.files for lot in dataset.lots.values())


def _inodes(store: MemoryStore) -> list[tuple[str, int, int]]:
    found = (one for one in store.list(without=[OWN_FOLDER]) if isinstance(one, Entry))
    return [(one.path, one.inode, one.ctime_ns) for one in found]


def _states(report: Report) -> list[tuple[str, str, State, int]]:
    return [
        (dataset.name, destination, state, lot.tally(state).files)
        for dataset in report.datasets
        for destination, lot in dataset.lots.items()
        for state in State
    ]
