"""What happens when a destination becomes another one while a run is under way?"""

from __future__ import annotations

from pathlib import Path

from coldchain.model import Entry, Manner, Place, ProofKind, Send, State, Target, Trouble
from coldchain.steps.transfer import Batch, process_batch
from coldchain.stores.base import open_store


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
