"""Does a place in memory behave as a place does, and play what it is told?"""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from functools import partial

import pytest

from coldchain.errors import ConfigurationError, NameRefused, NotAFile, NotFound, Occupied, StoreFull, StoreGone
from coldchain.model import Oddity, Place
from coldchain.stores.base import Traits, open_store
from coldchain.stores.names import NameRules
from coldchain.testing import MemoryStore
from coldchain.testing.contract.acts import carry, content_of, entry_for, everything, joined, put_in, staging_of


@pytest.fixture
def store(memory: MemoryStore) -> MemoryStore:
    return memory


def test_the_fakes_need_no_pytest() -> None:
    code = "import sys, coldchain.testing; raise SystemExit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_url_opened_twice_is_one_place_with_one_set_of_rules(store: MemoryStore) -> None:
    MemoryStore(store.url, rules=NameRules(folds_case=True), traits=Traits(mtime_step_ns=1000), room_bytes=5)
    again = open_store(Place("again", store.url))
    store.put("a", b"123")
    assert content_of(again, "A") == b"123"
    assert again.traits.mtime_step_ns == 1000
    assert again.free_bytes() == 2


def test_places_of_other_names_share_nothing(store: MemoryStore) -> None:
    other = MemoryStore(store.url + "-other")
    store.put("a", b"1")
    assert everything(other) == []
    assert other.volume() != store.volume()
    other.forget()


def test_p10_a_forgotten_place_is_another_volume_and_empty(store: MemoryStore) -> None:
    volume = store.volume()
    store.put("a", b"1")
    store.forget()
    again = MemoryStore(store.url)
    assert (again.volume() == volume, everything(again)) == (False, [])


@pytest.mark.parametrize("url", ["memory://", "memory", "file:///x", ""])
def test_what_names_no_place_in_memory_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="memory://NAME"):
        MemoryStore(url)


def test_p16_folding_places_keep_the_first_spelling_also_of_folders(store: MemoryStore) -> None:
    MemoryStore(store.url, rules=NameRules(folds_case=True))
    store.put("Run/File", b"1")
    store.put("run/other", b"2")
    assert everything(store) == ["Run/File", "Run/other"]
    assert [item.path for item in store.list("RUN")] == ["RUN/File", "RUN/other"]
    assert list(store.list("RUN", without=["rUN"])) == []
    with staging_of(store) as staging:
        put_in(staging, "RUN/FILE", b"3")
        assert isinstance(staging.publish({"RUN/FILE": None})["RUN/FILE"], Occupied)
    assert store.get("run/file") == b"1"


def test_p16_a_place_can_give_names_back_in_another_form(store: MemoryStore) -> None:
    MemoryStore(store.url, rules=NameRules(folds_unicode=True), respell=partial(unicodedata.normalize, "NFD"))
    store.put("caf\u00e9", b"1")
    assert everything(store) == ["cafe\u0301"]
    assert store.stat("caf\u00e9").path == "caf\u00e9"


def test_p16_a_limited_place_refuses_a_name_before_anything_is_written(store: MemoryStore) -> None:
    MemoryStore(store.url, rules=NameRules(name_limit=3))
    with staging_of(store) as staging, pytest.raises(NameRefused, match="4 bytes long"):
        staging.open("a/1234", entry_for("a/1234", b""))
    assert everything(store) == []


def test_times_are_as_coarse_as_the_place(store: MemoryStore) -> None:
    MemoryStore(store.url, traits=Traits(mtime_step_ns=2_000_000_000))
    assert store.put("a", b"1", mtime_ns=3_999_999_999).mtime_ns == 2_000_000_000
    assert (store.stat("a").inode, store.stat("a").ctime_ns) == (0, 0)


def test_a_full_place_takes_no_more_and_gives_room_back(store: MemoryStore) -> None:
    MemoryStore(store.url, room_bytes=10)
    carry(store, {"a": b"1234"})
    with staging_of(store) as staging:
        sink = staging.open("b", entry_for("b", b""))
        sink.write(b"123456")
        with pytest.raises(StoreFull) as caught:
            sink.write(b"7")
        assert caught.value.ends_store
        assert store.free_bytes() == 0
    assert store.free_bytes() == 6
    store.delete("a")
    assert store.free_bytes() == 10
    store.put("c", b"123")
    store.put("c", b"1")
    assert store.free_bytes() == 9


def test_a_file_that_is_written_on_is_seen_by_its_reader(store: MemoryStore) -> None:
    store.put("a", b"first")
    with store.read("a") as reader:
        store.put("a", b"longer than before")
        assert reader.look_again() != reader.entry
        assert reader.look_again().inode == reader.entry.inode
        assert joined(reader) == b"longer than before"


def test_a_file_of_the_same_name_is_another_file(store: MemoryStore) -> None:
    before = store.put("a", b"1", mtime_ns=5)
    with store.read("a") as reader:
        store.delete("a")
        after = store.put("a", b"1", mtime_ns=5)
        assert joined(reader) == b"1"
    assert (before.size_bytes, before.mtime_ns) == (after.size_bytes, after.mtime_ns)
    assert before.inode != after.inode


def test_each_put_is_later_than_the_one_before(store: MemoryStore) -> None:
    assert store.put("a", b"1").mtime_ns < store.put("b", b"1").mtime_ns < store.put("a", b"1").mtime_ns


def test_p1_oddities_are_listed_and_are_no_files(store: MemoryStore) -> None:
    store.put("a", b"1")
    oddity = Oddity("a-link", "symlink", "a symbolic link")
    store.put_oddity(oddity)
    assert [item for item in store.list() if isinstance(item, Oddity)] == [oddity]
    for verb in (store.stat, store.read, store.delete):
        with pytest.raises(NotAFile):
            verb("a-link")
    with staging_of(store) as staging:
        put_in(staging, "a-link/below", b"")
        assert isinstance(staging.publish({"a-link/below": None})["a-link/below"], Occupied)


def test_p18_a_file_that_is_held_open_is_busy(store: MemoryStore) -> None:
    store.put("a", b"1")
    store.hold_open("a", "open in acquire.exe")
    with store.read("a") as reader:
        assert reader.being_written()
        assert store.busy("a") == "open in acquire.exe"
        store.hold_open("a", "")
        assert not reader.being_written()


def test_p10_an_unplugged_place_is_not_found_and_comes_back_as_it_was(store: MemoryStore) -> None:
    carry(store, {"a": b"1"})
    staging = store.stage()
    store.unplug()
    with pytest.raises(NotFound):
        list(store.list())
    for verb in (lambda: store.stat("a"), store.stage, staging.flush, store.volume):
        with pytest.raises(StoreGone):
            verb()
    store.plug_in()
    staging.close()
    assert content_of(store, "a") == b"1"
