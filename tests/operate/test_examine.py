"""What is said of a folder that no job knows yet?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from coldchain.config.values import Job
from coldchain.model import REST, Oddity, Place, Tally
from coldchain.operate.examine import examine, fits
from coldchain.testing import MemoryStore
from coldchain.verdict import Condition
from tests.operate.scope import START, Scope

BIN = "D20230810T113059_IFCB134"


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    made = MemoryStore(f"memory://{uuid4().hex}")
    yield made
    made.forget()


def test_p01_every_file_of_a_folder_is_counted_in_its_dataset_and_what_is_none_is_named(store: MemoryStore) -> None:
    for path in ("p1/DONE", "p1/a", "p2/x.part", "loose"):
        store.put(path, b"abc")
    store.put_oddity(Oddity("p1/link", "symlink", "a link"))
    store.put_oddity(Oddity("p1/pipe", "special", "a pipe"))
    found = {one.dataset.name: one for one in examine(Scope(), store, Job("j", Place("", store.url), ()), START)}
    assert {name: one.tally for name, one in found.items()} == {REST: Tally(1, 3), "p1": Tally(2, 6), "p2": Tally(1, 3)}
    assert [odd.path for odd in found["p1"].oddities] == ["p1/link", "p1/pipe"]
    assert found["p2"].oddities == ()
    assert found["p1"].verdict.condition is Condition.COMPLETE
    assert found["p1"].verdict.summary == "2 files"
    assert found["p2"].verdict.unwhole == {"p2/x.part": "it is cut"}


def test_instruments_are_known_by_the_names_of_their_files_however_deep(store: MemoryStore) -> None:
    assert fits(store) == ([], 0)
    for ending in ("roi", "adc", "hdr"):
        store.put(f"a/b/c/D2023/D20230810/{BIN}.{ending}", b"x")
    store.put(f".coldchain/x/{BIN}.hdr", b"")
    store.put("notes.txt", b"")
    found, looked = fits(store)
    assert [(fit.instrument, fit.recognised) for fit in found] == [("ifcb", 3)]
    assert looked == 1 + 5 + 3, "each folder is a name, and coldchain's own is none"


def test_an_instrument_of_another_package_that_is_broken_is_passed_over(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[coldchain.instruments]\nbroken = nowhere.at_all:INSTRUMENT\n")
    monkeypatch.syspath_prepend(tmp_path)
    store.put(f"{BIN}.hdr", b"x")
    assert [fit.instrument for fit in fits(store)[0]] == ["ifcb"]


def test_the_sample_ends_however_large_or_deep_a_folder_is(store: MemoryStore) -> None:
    for number in range(250):
        store.put(f"flat/D20230810T{number // 60:04}{number % 60:02}_IFCB134.hdr", b"")
        store.put(f"many/{number:03}/{BIN}.hdr", b"")
    store.put(f"1/2/3/4/5/6/{BIN}.hdr", b"")
    store.put(f"1/2/3/4/5/6/7/{BIN}.hdr", b"")
    ((fit,), looked) = fits(store)
    assert fit.recognised == 200 + 99 + 1, "200 files of a folder, 100 folders of a level, six levels down"
    assert looked == fit.recognised + len(["1", "flat", "many"]) + 250 + 6, "and the names of the folders"
