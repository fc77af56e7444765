"""Do worker processes carry what threads would, end with their run, and is one that is killed no success?"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldchain.errors import ConfigurationError, StoreError, WorkerLost
from coldchain.model import (
    Digest,
    Entry,
    Manner,
    Place,
    ProofKind,
    Secret,
    Send,
    State,
    Tally,
    Target,
    Trouble,
    Verified,
)
from coldchain.monitor import SILENT, Monitor, SilentMonitor
from coldchain.steps.encoding import decode_batch, decode_result, encode_batch, encode_result
from coldchain.steps.transfer import Batch, BatchResult, Expected
from coldchain.steps.workers import MANY_FILES, Carry, Workers
from coldchain.stores.base import open_store
from tests.promises.lab import Lab, data, leftovers

MANY = Tally(MANY_FILES, MANY_FILES * 100)
WORKER = "coldchain.steps.worker"

texts = st.text(st.characters(codec=None), max_size=9)  # lone surrogates, newlines, everything
numbers = st.integers(-(2**62), 2**62)
digests = st.builds(Digest, texts, texts)
entries = st.builds(Entry, texts, numbers, numbers, numbers, numbers, numbers)
manners = st.sampled_from(Manner)
targets = st.builds(Target, texts, texts, manners, texts, st.none() | digests, texts, st.booleans())
sends = st.builds(Send, entries, st.lists(targets, max_size=3).map(tuple), st.lists(texts).map(tuple), st.booleans())
places = st.builds(Place, texts, texts, st.lists(st.tuples(texts, texts), max_size=2).map(tuple))
proofs = st.sampled_from(ProofKind)
batches = st.builds(
    Batch,
    places,
    st.lists(places, max_size=2).map(tuple),
    st.lists(texts, max_size=2).map(tuple),
    st.lists(sends, max_size=3).map(tuple),
    texts,
    proofs,
    texts,
    st.lists(st.builds(Expected, digests, numbers, numbers), max_size=2).map(tuple),
    st.floats(0, 99),
)
outcomes = st.builds(Verified, texts, entries, texts, digests, numbers, proofs, texts, manners, texts) | st.builds(
    Trouble, texts, texts, numbers, st.sampled_from(State), texts, st.booleans(), st.booleans()
)
results = st.builds(
    BatchResult, st.lists(outcomes, max_size=4), st.frozensets(texts), st.lists(st.tuples(texts, texts)).map(tuple)
)


@given(batches)
def test_a_batch_comes_over_as_it_is(batch: Batch) -> None:
    assert decode_batch(json.loads(json.dumps(encode_batch(batch)))) == batch


@given(results)
def test_so_does_what_came_of_it(result: BatchResult) -> None:
    assert decode_result(json.loads(json.dumps(encode_result(result)))) == result


def test_p14_a_secret_does_not_leave_the_process() -> None:
    place = Place("nas", "smb://nas/lab", secret=Secret("canary"))
    for source, destinations in ((place, ()), (Place("here", "/here"), (place,))):
        batch = Batch(source, destinations, ("",) * len(destinations), (), "sha256", ProofKind.SIZE, "me")
        with pytest.raises(ValueError, match="stays in its process"):
            encode_batch(batch)


# --- one batch, two ways ----------------------------------------------------------------------------------------------


def batch_of(lab: Lab) -> Batch:
    """Everything that lies at the source, and one file that does not."""
    source, nas = Place("source", str(lab.source)), Place("nas", str(lab.nas))
    entries = [item for item in open_store(source).list() if isinstance(item, Entry)]
    entries.append(Entry("run/gone", 3, 4))
    sends = tuple(Send(entry, (Target("nas", entry.path, Manner.NEW, "new"),)) for entry in entries)
    return Batch(source, (nas,), (open_store(nas).volume(),), sends, "sha256", ProofKind.READBACK, "me")


@contextlib.contextmanager
def carried(to_read: Tally, number: int, monitor: Monitor = SILENT, *, anywhere: bool = True) -> Iterator[Carry]:
    with contextlib.closing(Workers(number, monitor, anywhere=anywhere)) as workers, workers.carrying(to_read) as carry:
        yield carry


def test_a_worker_says_what_a_thread_says(tmp_path: Path) -> None:
    said = []
    for name, to_read in (("apart", MANY), ("here", Tally(1, 1))):
        lab = Lab(tmp_path / name)
        lab.write(os.fsdecode(b"run/\xff\n.raw"), b"bytes")
        lab.acquire(5)
        with carried(to_read, 2) as carry:
            assert bool(workers_of(os.getpid())) is (to_read == MANY)
            said.append(sorted(map(undated, carry(batch_of(lab)).outcomes)))
        assert data(lab.nas) == data(lab.source)
        assert not workers_of(os.getpid())
    assert said[0] == said[1]
    assert len(said[0]) == 7


def undated(outcome: Verified | Trouble) -> tuple[object, ...]:
    if isinstance(outcome, Trouble):
        return ("trouble", *outcome)
    return ("verified", outcome.key, outcome.digest, outcome.proof_kind, outcome.proof_how, outcome.manner)


@pytest.mark.parametrize(
    ("to_read", "workers", "anywhere"),
    [
        (Tally(MANY_FILES - 1, 1), 2, True),
        (Tally(MANY_FILES, MANY_FILES << 21), 2, True),
        (MANY, 1, True),
        (MANY, 2, False),
    ],
    ids=["few", "large", "one worker", "places of this process"],
)
def test_no_process_is_begun_where_it_is_of_no_use(to_read: Tally, workers: int, *, anywhere: bool) -> None:
    with carried(to_read, workers, anywhere=anywhere):
        assert not workers_of(os.getpid())


def test_processes_begin_while_the_rest_is_planned_and_end_where_nothing_comes_of_it() -> None:
    with contextlib.closing(Workers(2, SILENT, anywhere=True)) as workers:
        workers.expect(Tally(MANY_FILES - 1, 1))
        assert not workers_of(os.getpid())
        workers.expect(MANY)
        begun = workers_of(os.getpid())
        assert len(begun) == 2
        workers.expect(MANY)
        with workers.carrying(Tally(MANY_FILES, MANY_FILES << 21)):  # large files came after the small ones
            assert workers_of(os.getpid()) == begun
    assert not workers_of(os.getpid())


def test_p11_a_signal_that_is_meant_for_the_run_harms_no_worker_not_even_while_it_begins(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab")
    lab.acquire(1)
    with contextlib.closing(Workers(2, SILENT, anywhere=True)) as workers:
        workers.expect(MANY)
        for worker in workers_of(os.getpid()):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                worker.send_signal(number)
        with workers.carrying(MANY) as carry:
            assert len(carry(batch_of(lab)).outcomes) == 2
            assert len(workers_of(os.getpid())) == 2
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []), "this thread hears of everything again"


def test_where_no_process_is_to_be_had_threads_carry(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab")
    lab.acquire(2)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(map(int, os.listdir("/dev/fd")))
    gaps = [os.dup(0)]
    while gaps[-1] <= most:
        gaps.append(os.dup(0))
    # a first worker finds its descriptors, a second one does not
    resource.setrlimit(resource.RLIMIT_NOFILE, (gaps[-1] + 7, before[1]))
    try:
        with carried(MANY, 2) as carry:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            assert len(workers_of(os.getpid())) < 2
            carry(batch_of(lab))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for gap in gaps:
            os.close(gap)
    assert data(lab.nas) == data(lab.source)
    assert not workers_of(os.getpid())


def test_an_error_comes_over_with_its_kind(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab")
    lab.acquire(1)
    batch = batch_of(lab)
    there = Place("nas", str(tmp_path / "nowhere"))
    with carried(MANY, 2) as carry:
        gone = carry(Batch(batch.source, (there,), ("volume",), batch.sends, "sha256", ProofKind.SIZE, "me"))
        assert [name for name, _ in gone.broken] == ["nas"]
        with pytest.raises(ConfigurationError, match="no digest is called 'crc'"):
            carry(replace(batch, algorithm="crc"))
        with pytest.raises(RuntimeError, match="ValueError"):
            carry(replace(batch, volumes=()))
        assert len(carry(batch).outcomes) == 2, "it goes on after that"


def test_p10_a_source_that_went_away_comes_over_as_that_with_its_place(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab")
    lab.acquire(1)
    batch = batch_of(lab)
    lab.source.rename(tmp_path / "unplugged")
    said = []
    for to_read in (MANY, Tally(1, 1)):
        with carried(to_read, 2) as carry, pytest.raises(StoreError) as error:
            carry(batch)
        said.append((type(error.value), error.value.reason, error.value.url, error.value.key))
    assert said[0] == said[1], "a worker's error is that of a thread"


def test_one_that_is_killed_is_told(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab")
    lab.acquire(1)
    with carried(MANY, 2) as carry:
        for worker in workers_of(os.getpid()):
            worker.kill()
        with pytest.raises(WorkerLost, match="run the job again"):
            carry(batch_of(lab))


class Stopping(SilentMonitor):
    """Somebody has asked to stop."""

    stopping = True


def test_it_hears_that_the_run_shall_stop(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab")
    lab.acquire(3)
    batch = batch_of(lab)
    until = time.monotonic() + 20
    with carried(MANY, 2, Stopping()) as carry:
        while any(isinstance(outcome, Verified) for outcome in carry(batch).outcomes):
            assert time.monotonic() < until, "it is told within a moment"
        assert {o.reason for o in carry(batch).outcomes if isinstance(o, Trouble)} == {
            "the run was interrupted before its turn"
        }


# --- whole runs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    for number in range(MANY_FILES + 200):
        lab.write(f"run/{number:05d}", b"%d" % number)
    return lab


def workers_of(run: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [child for child in psutil.Process(run).children() if WORKER in said_by(child)]
    return []


def said_by(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


def finishes(lab: Lab) -> None:
    done = lab.cli("run", "--init")
    assert done.code == 0, done.said
    assert {key: held for key, held in data(lab.nas).items() if not key.startswith(".coldchain")} == data(lab.source)
    assert not leftovers(lab.nas)


def test_p11_they_end_when_their_run_is_killed(many: Lab) -> None:
    with many.started("run", "--init") as process:
        wait_for(lambda: len(workers_of(process.pid)) == 2 and leftovers(many.nas))
        workers = workers_of(process.pid)
        process.kill()
    wait_for(lambda: not any(worker.is_running() for worker in workers))
    finishes(many)


def test_p11_a_run_whose_worker_is_killed_is_no_success_and_the_next_one_sweeps_up(many: Lab) -> None:
    with many.started("run", "--init") as process:
        wait_for(lambda: len(workers_of(process.pid)) == 2 and leftovers(many.nas))
        for worker in workers_of(process.pid):
            worker.kill()
        assert process.wait(60) == WorkerLost.exit_code
    finishes(many)


def test_p11_a_signal_to_all_of_them_is_a_polite_end(many: Lab) -> None:
    with many.started("run", "--init") as process:
        wait_for(lambda: len(workers_of(process.pid)) == 2 and leftovers(many.nas))
        for one in [*workers_of(process.pid), psutil.Process(process.pid)]:
            one.send_signal(signal.SIGINT)
            one.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    assert not leftovers(many.nas)
    finishes(many)
