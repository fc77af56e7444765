"""Is a list of files by which somebody checked a whole dataset ever lost?"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from coldchain.config.values import Destination, Job, OnChange
from coldchain.errors import StoreError, StoreFull, StoreGone, Unreliable
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import ManifestHeader, generation_key, manifest_keys
from coldchain.ledger.manifest_read import lines_of, read_whole_manifest
from coldchain.model import Digest, Manner, Place, Record
from coldchain.monitor import Surroundings
from coldchain.steps.generations import read_standing
from coldchain.steps.identify import Writer
from coldchain.steps.plan import Aim
from coldchain.steps.publish import publish_manifests
from coldchain.steps.recollect import RebuildReport, Recollection
from coldchain.steps.scan import Walks
from coldchain.stores.base import Store, open_store
from coldchain.stores.names import NameRules
from coldchain.testing import FaultyStore, MemoryStore
from coldchain.verdict import Condition, Verdict
from tests.ledger.making import DATASET, DISK, JOB, LATER, NOW, identity, meet, verified

WHOLE = Verdict(Condition.COMPLETE, "2 bins, all whole", units=({"unit": "D1\udcff", "roiCount": 3}, {"unit": "D2"}))
OPEN = Verdict(Condition.ACQUIRING, "short by 1 of 3 bins: D3")
SUMS, JSON = manifest_keys(JOB, DATASET, "sha256")


@dataclass
class Bench:
    """A ledger, a job and one destination."""

    store: Store
    url: str
    ledger: Ledger = field(default_factory=lambda: Ledger.empty(NOW))
    digest: str = "sha256"
    run: int = 0

    def __post_init__(self) -> None:
        self.run = meet(self.ledger)

    @property
    def job(self) -> Job:
        destination = Destination(Place(DISK, self.url))
        return Job(JOB, Place("source", "memory://none"), (destination,), "ifcb", digest=self.digest)

    def stored(self, **contents: str) -> None:
        """Let files be there, and be recorded."""
        outcomes = []
        for path, content in contents.items():
            value = hashlib.new(self.digest, content.encode()).hexdigest()
            outcomes.append(verified(path, digest=Digest(self.digest, value), manner=Manner.REPLACE))
            if isinstance(self.store, MemoryStore):
                self.store.put(path, content.encode())
            elif not isinstance(self.store, FaultyStore):
                (Path(self.url) / path).write_text(content)
        self.ledger.record(self.run, JOB, DATASET, outcomes, LATER)

    def judged(self, verdict: Verdict = WHOLE, stamp: str = "aa") -> None:
        self.ledger.judge(self.run, JOB, DATASET, "ifcb", stamp, verdict, {"D1": ["s", 1]}, NOW)

    def publish(self, *, sealed: bool = False, store: Store | None = None) -> list[tuple[str, StoreError]]:
        place = store or self.store
        aim = Aim(DISK, place, Walks(place), NameRules(), OnChange.REPLACE)
        writer, named = Writer(JOB, "bench-pc"), [DATASET] if sealed else []
        return list(publish_manifests(self.ledger, self.job, aim, [DATASET], writer, LATER, named))

    def read(self, key: str = JSON) -> tuple[ManifestHeader, list[dict[str, Any]], list[Record]]:
        header, units, records = read_whole_manifest(lines_of([self.bytes(key)]))
        return header, list(units), list(records)

    def bytes(self, key: str) -> bytes:
        with self.store.read(key) as reader:
            return b"".join(map(bytes, reader.chunks()))

    def standing(self) -> tuple[int, bool, list[str]]:
        """Generation, sealed, and the files of the manifest."""
        header, _, records = self.read()
        assert header.acquisition is not None
        return header.acquisition.generation, header.acquisition.sealed, [record.path for record in records]

    def generations(self) -> list[str]:
        return [found.path for found in self.store.list(".coldchain/generations")]

    def leftovers(self) -> list[str]:
        return [found.path for found in self.store.list(".coldchain/staging")]


def kept(number: int, *endings: str) -> list[str]:
    return [generation_key(JOB, DATASET, number, ending) for ending in endings or ("json", "sha256")]


@pytest.fixture
def bench() -> Iterator[Bench]:
    url = f"memory://{uuid4().hex}"
    made = Bench(MemoryStore(url), url)
    yield made
    made.ledger.close()


@pytest.fixture
def sealed(bench: Bench) -> Bench:
    """Two files, sealed."""
    bench.stored(a="one", b="two")
    bench.judged()
    assert bench.publish(sealed=True) == []
    return bench


def test_a_manifest_tells_what_the_instrument_said(sealed: Bench) -> None:
    header, units, records = sealed.read()
    assert header.acquisition is not None
    assert header.acquisition.verdict == replace(WHOLE, units=())
    assert (header.acquisition.first_seen, header.acquisition.completed) == (NOW, NOW)
    assert units == [dict(unit) for unit in WHOLE.units]
    assert [record.path for record in records] == ["a", "b"]
    assert sealed.standing() == (1, True, ["a", "b"])


def test_a_dataset_that_nobody_judged_has_no_generations(bench: Bench) -> None:
    bench.stored(a="one")
    for _ in range(2):
        assert bench.publish(sealed=True) == []
    assert bench.read()[0].acquisition is None
    bench.stored(b="two")
    bench.publish()
    assert bench.generations() == []


def test_only_what_is_complete_and_named_is_sealed(bench: Bench) -> None:
    bench.stored(a="one")
    for verdict in (OPEN, Verdict(Condition.INCOMPLETE), Verdict(Condition.UNKNOWN)):
        bench.judged(verdict)
        bench.publish(sealed=True)
        assert bench.standing() == (1, False, ["a"])
    bench.judged()
    bench.publish()
    assert bench.standing() == (1, False, ["a"])
    bench.publish(sealed=True)
    assert bench.standing() == (1, True, ["a"])


def test_a_late_file_begins_a_generation_and_the_old_list_is_kept_byte_for_byte(sealed: Bench) -> None:
    before = sealed.bytes(SUMS), sealed.bytes(JSON)
    sealed.stored(c="late")
    sealed.judged(stamp="bb")
    assert sealed.publish(sealed=True) == []
    assert sealed.standing() == (2, True, ["a", "b", "c"])
    assert sealed.generations() == kept(1)
    assert (sealed.bytes(kept(1, "sha256")[0]), sealed.bytes(kept(1, "json")[0])) == before
    sealed.stored(a="changed")
    assert sealed.publish(sealed=True) == []
    assert sealed.standing() == (3, True, ["a", "b", "c"])
    assert sealed.generations() == kept(1) + kept(2)
    assert (sealed.bytes(kept(1, "sha256")[0]), sealed.bytes(kept(1, "json")[0])) == before
    assert sealed.leftovers() == []


def test_an_old_generation_is_checked_by_coreutils_alone(tmp_path: Path) -> None:
    bench = Bench(open_store(Place(DISK, str(tmp_path))), str(tmp_path))
    bench.stored(a="one", b="two")
    bench.judged()
    bench.publish(sealed=True)
    bench.stored(c="late", b="changed")
    bench.publish(sealed=True)
    done = subprocess.run(["sha256sum", "-c", kept(1, "sha256")[0]], cwd=tmp_path, capture_output=True, check=False)
    assert done.stdout.splitlines() == [b"a: OK", b"b: FAILED"]
    lines = "head -n -2 '{}' | sha256sum".format(kept(1, "json")[0])
    said = subprocess.run(lines, shell=True, cwd=tmp_path, capture_output=True, check=True).stdout.split()[0].decode()
    assert json.loads((tmp_path / kept(1, "json")[0]).read_bytes())["digest"] == f"sha256:{said}"
    assert (tmp_path / kept(1, "json")[0]).stat().st_mode & 0o777 == 0o644


def test_other_proofs_of_the_same_files_begin_no_generation(sealed: Bench) -> None:
    records = list(sealed.ledger.all_records(JOB, DISK, DATASET))
    again = [record._replace(proved_at_us=record.proved_at_us + 1, proof_how="evicted", mode=1) for record in records]
    sealed.ledger.refresh(sealed.run, JOB, DATASET, DISK, again, LATER)
    for named in (False, True):
        assert sealed.publish(sealed=named) == []
        assert sealed.standing() == (1, True, ["a", "b"])
    assert sealed.read()[2][0].proof_how == "evicted"
    assert sealed.generations() == []


def test_a_list_that_was_not_sealed_keeps_its_number(bench: Bench) -> None:
    bench.judged(OPEN)
    for name in "abc":
        bench.stored(**{name: name})
        bench.publish()
    assert bench.standing() == (1, False, ["a", "b", "c"])
    assert bench.generations() == []


def test_a_dataset_that_is_reopened_before_its_late_file_is_carried_keeps_the_sealed_list(sealed: Bench) -> None:
    before = sealed.bytes(JSON)
    sealed.judged(OPEN, "bb")
    for _ in range(2):  # the late file is held: nothing new is stored
        sealed.publish()
        assert sealed.standing() == (2, False, ["a", "b"])
    sealed.stored(c="late")
    sealed.publish()
    assert sealed.standing() == (2, False, ["a", "b", "c"])
    sealed.judged(WHOLE, "cc")
    sealed.publish(sealed=True)
    assert sealed.standing() == (2, True, ["a", "b", "c"])
    assert sealed.generations() == kept(1)
    assert sealed.bytes(kept(1)[0]) == before


def test_a_copy_that_was_lost_breaks_the_seal_and_the_list_stays(sealed: Bench) -> None:
    record = next(sealed.ledger.all_records(JOB, DISK, DATASET))
    sealed.ledger.forget(sealed.run, JOB, DATASET, DISK, record, "lost: it is not there", LATER)
    sealed.publish()
    assert sealed.standing() == (2, False, ["a", "b"])
    sealed.stored(a="one")
    sealed.publish(sealed=True)
    assert sealed.standing() == (2, True, ["a", "b"])
    assert sealed.generations() == kept(1)


def test_what_has_the_number_already_is_never_written_over(sealed: Bench) -> None:
    assert isinstance(sealed.store, MemoryStore)
    sealed.store.put(kept(1)[0], b"somebody else's")
    sealed.store.put(kept(2)[1], b"somebody else's sums")
    sealed.stored(c="late")
    assert sealed.publish(sealed=True) == []
    assert sealed.standing() == (4, True, ["a", "b", "c"])
    assert sealed.generations() == [kept(1)[0], kept(2)[1], *kept(3)]
    assert sealed.bytes(kept(1)[0]) == b"somebody else's"
    assert sealed.bytes(kept(2)[1]) == b"somebody else's sums"


VERBS = ["store.stage", "staging.open", "sink.write", "sink.close", "staging.flush", "staging.publish", "publish.key"]


@pytest.mark.parametrize("verb", [*VERBS, "store.read", "reader.chunk"])
@pytest.mark.parametrize("nth", range(1, 13))
@pytest.mark.parametrize("late", [False, True])
def test_p11_whatever_is_cut_off_the_same_run_again_keeps_the_list_once(verb: Any, nth: int, late: bool) -> None:
    url = f"memory://{uuid4().hex}"
    bench = Bench(MemoryStore(url), url)
    bench.stored(a="one", b="two")
    bench.judged()
    bench.publish(sealed=True)
    before = sealed_sums, sealed_json = bench.bytes(SUMS), bench.bytes(JSON)
    bench.stored(c="late", b="changed")
    faulty = FaultyStore(bench.store)
    if late:
        faulty.lose_reply(verb, StoreGone, nth=nth, forever=True)
    else:
        faulty.fail(verb, StoreGone, nth=nth, forever=True)
    bench.publish(sealed=True, store=faulty)
    if bench.bytes(JSON) != sealed_json or bench.bytes(SUMS) != sealed_sums:
        assert bench.generations() == kept(1)
    for _ in range(2):
        assert bench.publish(sealed=True) == []
        assert bench.standing() == (2, True, ["a", "b", "c"])
        assert bench.generations() == kept(1)
        assert (bench.bytes(kept(1, "sha256")[0]), bench.bytes(kept(1, "json")[0])) == before


@pytest.mark.parametrize("error", [StoreFull, Unreliable])
def test_what_cannot_be_kept_is_not_written_over(sealed: Bench, error: type[StoreError]) -> None:
    before = sealed.bytes(SUMS), sealed.bytes(JSON)
    sealed.stored(c="late")
    faulty = FaultyStore(sealed.store)
    faulty.fail("publish.key", error, forever=True, keys=kept(1))
    ((dataset, failed),) = sealed.publish(sealed=True, store=faulty)
    assert (dataset, type(failed)) == (DATASET, error)
    assert (sealed.bytes(SUMS), sealed.bytes(JSON)) == before


def test_the_standing_manifest_is_read_once_unless_it_is_kept(sealed: Bench) -> None:
    def reads() -> int:
        faulty = FaultyStore(sealed.store)
        sealed.publish(sealed=True, store=faulty)
        return sum(call.verb == "store.read" and call.key == JSON for call in faulty.calls)

    assert reads() == 1
    sealed.stored(c="late")
    assert reads() > 1
    assert reads() == 1


def test_a_sealed_manifest_that_is_damaged_is_set_aside_and_numbers_find_their_way(sealed: Bench) -> None:
    assert isinstance(sealed.store, MemoryStore)
    sealed.stored(c="late")
    sealed.publish(sealed=True)
    spoiled = sealed.bytes(JSON).replace(b'"sealed":true', b'"sealed":TRUE')
    sealed.store.put(JSON, spoiled)
    assert sealed.publish(sealed=True) == []
    aside = [found.path for found in sealed.store.list(".coldchain/set-aside")]
    assert [sealed.bytes(key) for key in aside] == [spoiled]
    assert sealed.standing() == (1, True, ["a", "b", "c"])
    sealed.stored(d="later")
    assert sealed.publish(sealed=True) == []
    assert sealed.standing() == (3, True, ["a", "b", "c", "d"])
    assert sealed.generations() == kept(1) + kept(2)


def test_each_digest_that_a_generation_lists_has_its_sums(sealed: Bench) -> None:
    sealed.digest = "md5"
    sealed.stored(c="late")
    sealed.publish(sealed=True)
    sealed.stored(d="later")
    sealed.publish(sealed=True)
    assert sealed.generations() == kept(1) + kept(2, "json", "md5", "sha256")
    assert sealed.bytes(kept(2, "md5")[0]) == hashlib.md5(b"late").hexdigest().encode() + b"  c\n"


def test_a_ledger_that_knows_nothing_carries_over_what_the_instrument_said(sealed: Bench) -> None:
    lost = Bench(sealed.store, sealed.url)
    lost.stored(c="of another ledger")
    assert lost.publish() == []
    header, units, _ = lost.read()
    assert lost.standing() == (2, False, ["a", "b", "c"])
    assert header.acquisition is not None
    assert header.acquisition.verdict == replace(WHOLE, units=())
    assert units == [dict(unit) for unit in WHOLE.units]
    assert lost.generations() == kept(1)


def test_p17_comparing_takes_the_memory_of_a_page(tmp_path: Path) -> None:
    store = MemoryStore(f"memory://{uuid4().hex}")
    bench = Bench(store, store.url)
    for start in range(0, 20_000, 2_000):
        some = [verified(f"{number:07d}", number) for number in range(start, start + 2_000)]
        bench.ledger.record(bench.run, JOB, DATASET, some, NOW)
    bench.judged(replace(WHOLE, units=tuple({"unit": f"D{number}"} for number in range(20_000))))
    bench.publish(sealed=True)
    assert len(bench.read()[1]) == 20_000
    file = tmp_path / "manifest.json"
    file.write_bytes(bench.bytes(JSON))
    local = open_store(Place(DISK, str(tmp_path)))
    tracemalloc.start()
    mine = bench.ledger.all_records(JOB, DISK, DATASET)
    found = read_standing(local, "manifest.json", DATASET, mine, units=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.sealed, found.differs, found.others, found.units) == (True, False, [], [])
    assert peak < 12_000_000


# --- a lost ledger ----------------------------------------------------------------------------------------------------


def rebuilt(bench: Bench, ledger: Ledger | None = None) -> tuple[Bench, RebuildReport]:
    """A bench with another ledger, which read the manifests."""
    other = Bench(bench.store, bench.url, ledger=ledger) if ledger else Bench(bench.store, bench.url)
    around = Surroundings("bench-pc", lambda: LATER)
    recollection = Recollection(other.ledger, other.run, bench.store, Place(DISK, bench.url), around)
    recollection.recollect(JOB, identity(DISK).id, quick=True)
    return other, recollection.report


def test_p08_a_lost_ledger_learns_from_the_manifest_what_the_instrument_said(sealed: Bench) -> None:
    other, _ = rebuilt(sealed)
    known, found = sealed.ledger.acquisition(JOB, DATASET), other.ledger.acquisition(JOB, DATASET)
    assert known is not None
    assert found is not None
    assert found == replace(known, stamp=found.stamp, remembered={})
    assert found.learnt
    assert other.ledger.conditions(JOB) == {DATASET: Condition.COMPLETE}
    before = sealed.standing(), sealed.read()[1]
    other.stored(a="one", b="two")
    other.publish(sealed=True)
    assert (other.standing(), other.read()[1]) == before


def test_what_was_judged_here_is_not_overwritten_by_a_manifest(sealed: Bench) -> None:
    ledger = Ledger.empty(NOW)
    run = meet(ledger)
    ledger.judge(run, JOB, DATASET, "ifcb", "bb", OPEN, {}, LATER)
    other, report = rebuilt(sealed, ledger)
    assert other.ledger.conditions(JOB) == {DATASET: Condition.ACQUIRING}
    assert report.manifests == 1


def test_kept_generations_are_not_read_as_manifests(sealed: Bench) -> None:
    sealed.stored(c="late")
    sealed.publish(sealed=True)
    assert sealed.generations() == kept(1)
    _, report = rebuilt(sealed)
    assert report.manifests == 1


def test_units_that_are_wrong_are_damage_before_anything_is_believed(sealed: Bench) -> None:
    assert isinstance(sealed.store, MemoryStore)
    lines = sealed.bytes(JSON).splitlines(keepends=True)
    spoiled = [lines[0], b"5,\n", *lines[2:]]
    digest = hashlib.sha256(b"".join(spoiled[:-2])).hexdigest()
    footer = json.loads(b"{" + lines[-1]) | {"digest": f"sha256:{digest}"}
    sealed.store.put(JSON, b"".join([*spoiled[:-1], json.dumps(footer).encode()[1:] + b"\n"]))
    other, report = rebuilt(sealed)
    assert report.integrity
    assert report.manifests == 0
    assert other.ledger.acquisition(JOB, DATASET) is None
    assert list(other.ledger.all_records(JOB, DISK, DATASET)) == []
