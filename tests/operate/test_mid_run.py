"""What happens when a destination becomes another one while a run is under way?"""

from __future__ import annotations

from pathlib import Path

from coldchain.errors import LedgerStale
from coldchain.model import Entry, Manner, Place, ProofKind, Send, State, Target, Trouble
from coldchain.operate.opening import Wish, opened
from coldchain.steps.transfer import Batch, process_batch
from coldchain.stores.base import open_store
from tests.faults.world import World


def test_p10_a_share_that_drops_in_mid_run_gets_not_one_byte_more(tmp_path: Path) -> None:
    source, there = tmp_path / "source", tmp_path / "there"
    source.mkdir()
    there.mkdir()
    (source / "a").write_bytes(b"a week and an animal")
    origin, place = Place("source", str(source)), Place("nas", str(there))
    (entry,) = open_store(origin).list()
    assert isinstance(entry, Entry)
    send = Send(entry, (Target("nas", "a", Manner.NEW, "new"),))
    volumes = ("the share that was mounted when the run began",)
    result = process_batch(Batch(origin, (place,), volumes, (send,), "sha256", ProofKind.READBACK, "me"))
    (outcome,) = result.outcomes
    assert isinstance(outcome, Trouble)
    assert outcome.state is State.FAILED
    assert dict(result.broken)["nas"] == outcome.reason == "another volume lies there than when the run began"
    assert list(there.iterdir()) == []


def test_p11_a_run_that_lost_its_destination_is_swept_up_after_also_when_an_older_one_went_well(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write("first", b"went well")
    assert world.run().code == 0
    with world.ledger() as ledger, opened(world.job, ledger, Wish(), world.around()) as opened_job:
        owner = opened_job.writer.owner
        lost = ledger.begin_run("j", "run", world.now)
        summary = {"datasets": [{"destinations": {"nas": {"failed": {"files": 1}}}}]}
        ledger.end_run(lost, world.now, 3, summary)
    open_store(Place("nas", str(world.at["nas"]))).stage(owner).open("second", Entry("second", 4, 1)).write(b"half")
    assert world.leftovers()
    assert world.run().code == 0
    assert not world.leftovers()


def test_p11_a_run_that_was_killed_is_swept_up_after_also_when_the_ledger_was_put_back_to_before_it(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.write("first", b"in the older copy")
    assert world.run().code == 0
    older = world.ledger_file.read_bytes()
    world.write("second", b"not in it")
    assert world.run().code == 0
    with world.ledger() as ledger, opened(world.job, ledger, Wish(), world.around()) as opened_job:
        owner = opened_job.writer.owner
    open_store(Place("nas", str(world.at["nas"]))).stage(owner).open("third", Entry("third", 4, 1)).write(b"half")
    for file in world.ledger_file.parent.glob("ledger.sqlite*"):
        file.unlink()
    world.ledger_file.write_bytes(older)
    assert isinstance(world.run().error, LedgerStale)
    world.rebuild()
    assert world.leftovers()
    assert world.run().code == 0
    assert not world.leftovers()
