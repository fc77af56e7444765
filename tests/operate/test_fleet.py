"""Is silence noticed, and trouble, by what agents left at a place?"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from coldchain.config.values import Destination, Job
from coldchain.errors import ColdchainError, StoreError
from coldchain.ledger.ledger import Ledger
from coldchain.model import Place
from coldchain.monitor import Surroundings
from coldchain.operate.fleet.fleet import Agent, Asked, Condition, read_fleet
from coldchain.operate.fleet.heartbeat import due_after
from coldchain.operate.job import run_job
from coldchain.operate.opening import Wish
from coldchain.steps.identify import Consent, Writer
from coldchain.steps.publish import leave_word
from coldchain.stores.base import open_store

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "agent-1.json"


def now() -> datetime:
    return datetime.now(UTC)


class Bench:
    """A source, a destination, and a job that is expected to be heard every two hours."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.source, self.storage = folder, folder / "source", folder / "storage"
        self.source.mkdir()
        self.storage.mkdir()
        (self.source / "a.tif").write_bytes(b"a" * 100)
        self.ledger = folder / "ledger.sqlite"

    @property
    def place(self) -> Place:
        return Place("storage", self.storage.as_uri())

    @property
    def file(self) -> Path:
        return self.storage / ".coldchain" / "agents" / "ship.json"

    def run(self, name: str = "ifcb", *, at: datetime | None = None, **changes: Any) -> int:
        """The exit code of a run; ``at`` is what its clock shows."""
        more: dict[str, Any] = {"expect": 2 * HOUR, "settle": timedelta(0)} | changes
        command, datasets = more.pop("command", "run"), more.pop("only", frozenset())
        job = Job(name, Place("", self.source.as_uri()), (Destination(self.place),), **more)
        around = Surroundings("ship", lambda: at or now())
        wish = Wish(Consent(init=True), datasets, command)
        with Ledger.open(f"sqlite:///{self.ledger}", now=now()) as ledger:
            try:
                return run_job(job, ledger, wish, around).exit_code
            except ColdchainError as error:
                return error.exit_code

    def word(self, job: str = "ifcb") -> dict[str, Any]:
        word: dict[str, Any] = json.loads(self.file.read_text())["jobs"][job]
        return word

    def asked(self, when: datetime | None = None, **asked: Any) -> list[Agent]:
        return list(read_fleet(self.place, Asked(**asked), when or now()))

    def one(self, when: datetime | None = None, **asked: Any) -> Agent:
        (agent,) = self.asked(when, **asked)
        return agent


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_run_leaves_word_in_the_described_form(bench: Bench) -> None:
    assert bench.run() == 0
    jsonschema.validate(json.loads(bench.file.read_text()), json.loads(SCHEMA.read_text()))
    word = bench.word()
    assert (word["exit_code"], word["files"], word["backlog"]) == (0, 1, {"files": 0, "size_bytes": 0})
    assert word["last_success"] == word["last_new"] == word["ended"]
    assert bench.one().condition is Condition.WELL


def test_who_is_silent_for_longer_than_it_may_is_late(bench: Bench) -> None:
    bench.run()
    assert bench.one(now() + 1.9 * HOUR).condition is Condition.WELL
    late = bench.one(now() + 2.1 * HOUR)
    assert late.condition is Condition.LATE
    assert "was heard 2 h ago" in late.why


def test_the_reader_may_set_another_limit(bench: Bench) -> None:
    bench.run(expect=None)
    agent = bench.one(now() + 300 * DAY)
    assert agent.condition is Condition.WELL
    assert any("--late" in remark for remark in agent.remarks)
    assert bench.one(now() + 27 * HOUR, late=26 * HOUR).condition is Condition.LATE
    assert bench.one(now() + 25 * HOUR, late=26 * HOUR).condition is Condition.WELL


def test_a_missed_schedule_is_late_and_a_night_between_is_not(bench: Bench) -> None:
    at = datetime(2026, 5, 4, 2, 0, 30, tzinfo=UTC)
    job = Job("j", Place("", "file:///x"), (), schedule="0 2 * * *", timezone="UTC")
    following, due = due_after(job, at, at + timedelta(minutes=10), watched=False)
    assert following == datetime(2026, 5, 5, 2, 0, tzinfo=UTC)
    assert due == following + HOUR + timedelta(minutes=10)


def test_a_watcher_is_late_when_it_did_not_look_twice(bench: Bench) -> None:
    bench.run(expect=None, command="watch", look_every=HOUR)
    assert bench.word()["watched"]
    assert bench.one(now() + 1.9 * HOUR).condition is Condition.WELL
    assert bench.one(now() + 2.1 * HOUR).condition is Condition.LATE


def test_a_run_that_could_not_begin_is_heard_of_too(bench: Bench) -> None:
    bench.run()
    before = bench.word()
    bench.source.rename(bench.folder / "unplugged")
    assert bench.run() == 3
    agent = bench.one()
    assert agent.condition is Condition.TROUBLE
    assert "cannot be opened" in agent.why
    after = bench.word()
    kept = ("ledger", "event", "event_hash", "source", "last_success", "backlog", "files")
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    assert after["ended"] > before["ended"]
    (bench.folder / "unplugged").rename(bench.source)
    assert bench.run() == 0
    assert bench.one().condition is Condition.WELL


def test_word_of_trouble_does_not_make_a_lost_ledger_look_known(bench: Bench) -> None:
    """A run that fails with a new ledger must not write that ledger's name: the next one would learn nothing (P8)."""
    bench.run()
    lost = bench.word()["ledger"]
    bench.ledger.unlink()
    away = bench.source.rename(bench.folder / "unplugged")
    assert bench.run() == 3
    assert bench.word()["ledger"] == lost
    away.rename(bench.source)
    assert bench.run() == 0
    with Ledger.open_read_only(f"sqlite:///{bench.ledger}") as ledger:
        assert any("were learnt from" in str(note) for note in ledger.runs()[0].summary["notes"])  # type: ignore[attr-defined]


def test_word_of_trouble_does_not_hide_that_the_ledger_is_an_older_copy(bench: Bench) -> None:
    bench.run()
    older = bench.ledger.read_bytes()
    (bench.source / "b.tif").write_bytes(b"b")
    bench.run()
    for beside in bench.folder.glob("ledger.sqlite*"):
        beside.unlink()
    bench.ledger.write_bytes(older)
    assert bench.run() == 3
    assert bench.run() == 3, "the word of the first failure made the second forget"


def test_another_disk_under_the_same_path_gets_no_word(bench: Bench) -> None:
    bench.run()
    bench.storage.rename(bench.folder / "right")
    other = bench.storage / ".coldchain"
    other.mkdir(parents=True)
    marker = json.loads((bench.folder / "right" / ".coldchain" / "destination.json").read_text())
    (other / "destination.json").write_text(json.dumps(marker | {"id": "0" * 32}))
    assert bench.run() == 3
    assert not (other / "agents").exists()


def test_files_that_are_held_are_said_and_are_no_trouble(bench: Bench) -> None:
    assert bench.run(settle=HOUR) == 3
    agent = bench.one()
    assert agent.condition is Condition.HOLDING
    assert agent.word is not None
    assert agent.word.backlog is not None
    assert agent.word.backlog.files == 1
    assert agent.word.last_success is None


def test_files_that_are_refused_are_trouble(bench: Bench) -> None:
    (bench.source / "link").symlink_to("a.tif")
    assert bench.run() == 3
    assert bench.one().condition is Condition.TROUBLE


def test_a_run_of_one_dataset_makes_nothing_well_again(bench: Bench) -> None:
    (bench.source / "one").mkdir()
    (bench.source / "one" / "x").write_bytes(b"x")
    (bench.source / "link").symlink_to("a.tif")
    assert bench.run() == 3
    assert bench.run(only=frozenset({"one"})) == 0
    agent = bench.one()
    assert agent.condition is Condition.TROUBLE
    assert bench.word()["heard"] > bench.word()["ended"]


def test_who_sends_nothing_new_can_be_asked_for(bench: Bench) -> None:
    bench.run(at=now() - 8 * DAY, expect=30 * DAY)
    bench.run(expect=30 * DAY)
    assert bench.one().condition is Condition.WELL
    agent = bench.one(nothing_new=7 * DAY)
    assert agent.condition is Condition.TROUBLE
    assert "nothing new for 8 days" in agent.why


def test_who_may_write_and_never_left_word_is_missed(bench: Bench) -> None:
    bench.run()
    bench.file.unlink()
    agent = bench.one()
    assert (agent.condition, agent.host, agent.job) == (Condition.SILENT, "ship", "ifcb")
    assert not bench.asked(ignored=frozenset({"ship/ifcb"}))


@pytest.mark.parametrize(
    "spoil",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"format": "coldchain-agent", "version": 1, "host": "other", "jobs": {}}',
        b'{"format": "coldchain-agent", "version": 2, "host": "ship", "jobs": {}}',
        b'{"format": "coldchain-agent", "version": 1, "host": "ship", "jobs": {"ifcb": []}}',
        b'{"format": "coldchain-agent", "version": 1, "host": "ship", "jobs": {"ifcb": {"heard": "soon"}}}',
        b'{"format": "coldchain-agent", "version": 1, "host": "ship", "jobs": {"ifcb": {"due": "2026-01-01"}}}',
        b'{"format": "coldchain-agent", "version": 1, "host": "ship", "jobs": {"ifcb": {"due": "9999-12-31T23:59Z"}}}',
        b'{"format": "coldchain-agent", "version": 1, "host": "ship", "jobs": {"ifcb": {"due": "0001-01-01T00:00Z"}}}',
        b'{"format": "coldchain-agent", "version": 1, "host": "ship", "jobs": {"ifcb": {"exit_code": "0"}}}',
        b'{"format": "coldchain-agent", "version": 1, "host": "ship", "jobs": {"ifcb": {"backlog": {"files": -1}}}}',
        b" " * (2 << 20),
    ],
)
def test_a_file_that_somebody_damaged_is_told_and_not_trusted(bench: Bench, spoil: bytes) -> None:
    bench.run()
    bench.file.write_bytes(spoil)
    agent = bench.one()
    assert agent.condition is Condition.DAMAGED
    assert "damaged by somebody" in agent.why
    assert bench.run() == 0
    assert bench.one().condition is Condition.WELL


def test_what_is_too_deep_to_be_written_again_stops_no_run(bench: Bench) -> None:
    """From Python 3.12 on lists can be read that are nested too deeply to be written."""
    bench.file.parent.mkdir(parents=True)
    for depth in (900, 5000):
        nested = "[" * depth + "]" * depth
        word = f'{{"format": "coldchain-agent", "version": 1, "host": "ship", "jobs": {{"x": {{"y": {nested}}}}}}}'
        bench.file.write_text(word)
        leave_word(open_store(bench.place), Writer("ifcb", "ship"), {"exit_code": 0})
        assert bench.word()["exit_code"] == 0


def test_a_version_of_five_thousand_digits_is_an_odd_one_and_no_reason_to_fail(bench: Bench) -> None:
    bench.run()
    bench.file.write_text(bench.file.read_text().replace('"coldchain": "', '"coldchain": "' + "9" * 5000))
    assert bench.one().condition is Condition.WELL


def test_jobs_of_one_host_leave_word_beside_each_other(bench: Bench) -> None:
    bench.run("a")
    bench.run("b")
    assert [(agent.job, agent.condition) for agent in bench.asked()] == [("a", Condition.WELL), ("b", Condition.WELL)]


def test_the_word_of_an_older_coldchain_is_understood(bench: Bench) -> None:
    bench.run()
    values = json.loads(bench.file.read_text())
    old = ("ledger", "event", "event_hash", "run", "ended", "source", "exit_code", "files")
    values["jobs"]["ifcb"] = {key: values["jobs"]["ifcb"][key] for key in old}
    values["coldchain"] = "0.0.1"
    bench.file.write_text(json.dumps(values))
    agent = bench.one()
    assert agent.condition is Condition.WELL
    assert any("runs coldchain 0.0.1" in remark for remark in agent.remarks)
    assert bench.one(now() + 2 * DAY, late=DAY).condition is Condition.LATE


def test_a_clock_that_is_a_year_ahead_hides_no_silence(bench: Bench) -> None:
    bench.run(at=now() + 365 * DAY)
    assert any("ahead of the store's" in remark for remark in bench.one().remarks)
    assert bench.one(now() + 3 * HOUR).condition is Condition.LATE


def test_a_clock_that_is_behind_is_told_and_is_no_silence(bench: Bench) -> None:
    bench.run(at=now() - 5 * HOUR)
    agent = bench.one()
    assert agent.condition is Condition.WELL
    assert any("behind the store's" in remark for remark in agent.remarks)


def test_a_fresh_copy_of_an_old_word_is_still_an_old_word(bench: Bench) -> None:
    bench.run(at=now() - 9 * DAY)
    os.utime(bench.file)
    agent = bench.one()
    assert agent.condition is Condition.LATE
    assert any("copy" in remark for remark in agent.remarks)


def test_a_place_that_is_not_there_is_no_place_without_agents(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        list(read_fleet(Place("x", (tmp_path / "gone").as_uri()), Asked(), now()))
