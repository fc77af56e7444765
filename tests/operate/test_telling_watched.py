"""Of the many looks of a watcher, what do people hear; and what do digests tell them?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coldchain.config.values import Channel, Config, Destination, Job, Mail, Security, When
from coldchain.errors import ColdchainError, DestinationAbsent, LedgerError, SourceAbsent
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.messages import Fate
from coldchain.model import Place, State, Tally, Trouble
from coldchain.monitor import Surroundings
from coldchain.operate.ending import Ending, run_and_tell
from coldchain.operate.opening import Wish
from coldchain.operate.telling.digest import send_due
from coldchain.operate.telling.tell import deliver_due, tell
from coldchain.operate.telling.trying import examine_spool
from coldchain.steps.identify import Consent
from coldchain.steps.report import DatasetReport, Report
from coldchain.verdict import Condition, Verdict
from tests.notify.posts import Office, serving

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
COMPLETE = Verdict(Condition.COMPLETE)


@dataclass
class World:
    """A job that is watched, its ledger, and the mails that people got."""

    config: Config
    ledger: Ledger
    office: Office
    now: datetime = NOW
    notes: list[str] = field(default_factory=list)

    @property
    def around(self) -> Surroundings:
        return Surroundings("scope-2", lambda: self.now)

    @property
    def job(self) -> Job:
        return self.config.jobs["rig"]

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]).removeprefix("[coldchain] rig: ") for mail in self.office.mails]

    def look(
        self,
        *datasets: DatasetReport,
        troubles: Sequence[Trouble] = (),
        error: ColdchainError | None = None,
        watched: bool = True,
    ) -> None:
        """One more look that came to this."""
        self.now += timedelta(minutes=5)
        run = self.ledger.begin_run("rig", "watch", self.now)
        names = tuple(destination.name for destination in self.job.destinations)
        report = Report("rig", "source", names, frozenset(names), self.now, run, self.now, 1.0)
        report.datasets.extend(datasets)
        for dataset in datasets:
            self.ledger.add_troubles(run, "rig", dataset.name, troubles)
            dataset.add(troubles)
        code = error.exit_code if error else report.exit_code
        self.ledger.end_run(run, self.now, code, report.as_json() | {"exit_code": code})
        ending = Ending(self.job, "watch", self.now, self.now, None if error else report, error, watched=watched)
        tell(self.config, ending, self.ledger, self.around)


def dataset(name: str, files: int = 2, verdict: Verdict = COMPLETE, failed: int = 0) -> DatasetReport:
    report = Report("rig", "source", ("near",), frozenset({"near"}), NOW)
    return replace(
        report.begin(name, Tally(files, files * 10), {"near": Tally(files - failed, (files - failed) * 10)}),
        verdict=verdict,
    )


def failed(path: str) -> Trouble:
    return Trouble("near", path, 10, State.FAILED, "input or output error")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    office = Office()
    (tmp_path / "source").mkdir()
    with serving(office) as port:
        mail = Mail("127.0.0.1", "rig@example.org", ("anna@example.org",), port=port, security=Security.NONE)
        channel = Channel("crew", mail=mail)
        near = Destination(Place("near", str(tmp_path / "near")))
        job = Job("rig", Place("rig", str(tmp_path / "source")), (near,), notify=(channel,), settle=timedelta(0))
        config = Config(
            tmp_path / "coldchain.toml", tmp_path, f"sqlite:///{tmp_path}/l.sqlite", {"rig": job}, {"crew": channel}
        )
        with Ledger.open(config.ledger_url, now=NOW) as ledger:
            yield World(config, ledger, office)


def with_channel(world: World, **changes: object) -> None:
    channel = replace(world.config.channels["crew"], **changes)  # type: ignore[arg-type]
    job = replace(world.job, notify=(channel,))
    world.config = replace(world.config, jobs={"rig": job}, channels={"crew": channel})


def test_a_dataset_is_told_once_when_it_is_complete_and_verified_and_again_when_it_grew(world: World) -> None:
    world.look(dataset("day1", verdict=Verdict(Condition.ACQUIRING)))
    world.look(dataset("day1", failed=1))
    for _ in range(3):
        world.look(dataset("day1"))
    world.look(dataset("day1", files=3))
    assert world.subjects == [
        "day1 is complete and verified: 2 files, 20 B",
        "day1 is complete and verified: 3 files, 30 B",
    ]
    first, second = world.office.mails
    assert first["References"] == second["References"]


def test_many_datasets_that_become_complete_at_once_share_a_message(world: World) -> None:
    world.look(*(dataset(f"day{number}") for number in range(40)))
    assert world.subjects == ["40 datasets are complete and verified: 80 files, 800 B"]


def test_a_file_that_fails_for_ever_is_told_once_and_its_end_once(world: World) -> None:
    for _ in range(4):
        world.look(dataset("day1", failed=1), troubles=[failed("a")])
    world.look(dataset("day2"))
    world.look(dataset("day1", failed=2), troubles=[failed("a"), failed("b")])
    world.look(dataset("day1"))
    world.look(dataset("day1"))
    assert world.subjects == [
        "TROUBLE: trouble began: 1 file cannot be carried",
        "day2 is complete and verified: 2 files, 20 B",
        "TROUBLE: trouble began: 1 file cannot be carried",
        "day1 is complete and verified: 2 files, 20 B",
        "the trouble is over",
    ]


def test_a_source_that_is_away_is_told_once_and_its_return_once(world: World) -> None:
    with_channel(world, when=When.PROBLEMS)
    for _ in range(3):
        world.look(error=SourceAbsent("rig: the source is not there"))
    world.look(dataset("day1"))
    assert world.subjects == ["TROUBLE: it could not run: rig: the source is not there", "the trouble is over"]


def test_a_look_that_left_a_destination_out_does_not_say_that_its_trouble_is_over(world: World) -> None:
    world.look(error=DestinationAbsent("near is away"))
    far = Destination(Place("far", "elsewhere"))
    whole = replace(world.job, destinations=(*world.job.destinations, far))
    served = world.config
    world.config = replace(served, jobs={"rig": whole})
    ending_job = served.jobs["rig"]
    run = world.ledger.begin_run("rig", "watch", world.now)
    report = Report("rig", "source", ("near",), frozenset({"near"}), world.now, run, world.now, 1.0)
    report.datasets.append(dataset("day1"))
    tell(
        world.config,
        Ending(ending_job, "watch", world.now, world.now, report, watched=True),
        world.ledger,
        world.around,
    )
    assert world.subjects == ["TROUBLE: it could not run: near is away"]


def test_change_tells_of_a_job_that_was_well_and_is_not_and_the_other_way_round(world: World) -> None:
    with_channel(world, when=When.CHANGE)
    for bad in (0, 0, 1, 1, 0, 0):
        world.look(dataset("day1", failed=bad), troubles=[failed("a")] * bad, watched=False)
    assert len(world.subjects) == 2
    assert world.subjects[0].startswith("TROUBLE")
    assert world.subjects[1] == "day1: 2 files, 20 B verified, nothing new"


def test_problems_tells_of_problems_only(world: World) -> None:
    with_channel(world, when=When.PROBLEMS)
    for bad in (0, 1, 0):
        world.look(dataset("day1", failed=bad), troubles=[failed("a")] * bad, watched=False)
    assert world.subjects == ["TROUBLE: 1 of 2 files not verified"]


def test_a_real_run_that_is_watched_tells_a_refused_file_once(world: World) -> None:
    source = Path(world.job.source.url)
    (source / "a").write_bytes(b"a")
    (source / "link").symlink_to("a")
    for number in range(3):
        wish = Wish(Consent(init=number == 0))
        assert run_and_tell(world.config, world.job, world.ledger, wish, world.around, watched=True).exit_code == 3
        assert len(world.subjects) == min(number, 1), "the watcher sends them, while it carries"
        send_due(world.config, world.ledger, world.around)
    assert world.subjects == ["TROUBLE: trouble began: 1 file cannot be carried"]


def test_a_digest_is_sent_once_when_it_is_due_and_names_what_still_fails(world: World) -> None:
    with_channel(world, when=When.PROBLEMS, digest="0 7 * * *")
    world.look(dataset("day1"))
    world.look(dataset("day2", failed=1), troubles=[failed("a\x1b[31m")])
    world.office.envelopes.clear()
    send_due(world.config, world.ledger, world.around)
    assert not world.subjects
    world.now += timedelta(days=3)
    for _ in range(3):
        send_due(world.config, world.ledger, world.around)
    (mail,) = world.office.mails
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert mail["Subject"] == "[coldchain] digest of scope-2: 1 of 1 jobs need somebody to look"
    assert "failed at near: day2: a\\x1b[31m: input or output error" in text
    assert "1 ended with 0, 1 ended with 3" in text
    world.now += timedelta(days=1)
    send_due(world.config, world.ledger, world.around)
    assert "none: it is silent" in str(world.office.mails[-1].get_body(("plain",)))


def test_a_recipient_who_is_put_off_gets_it_later_and_the_others_not_twice(world: World) -> None:
    mail = world.config.channels["crew"].mail
    assert mail is not None
    with_channel(world, mail=replace(mail, to=("anna@example.org", "bert@example.org")))
    world.office.greylisted = ("bert@example.org",)
    world.look(dataset("day1"))
    world.office.greylisted = ()
    for _ in range(3):
        world.now += timedelta(minutes=2)
        deliver_due(world.config, world.ledger, world.around)
    assert [one.rcpt_tos for one in world.office.envelopes] == [["anna@example.org"], ["bert@example.org"]]
    assert world.office.mails[0]["Message-ID"] == world.office.mails[1]["Message-ID"]


def test_a_recipient_who_is_refused_for_good_is_named_and_not_tried_again(world: World) -> None:
    mail = world.config.channels["crew"].mail
    assert mail is not None
    with_channel(world, mail=replace(mail, to=("anna@example.org", "bert@example.org")))
    world.office.rejected = ("bert@example.org",)
    world.look(dataset("day1"))
    assert [one.rcpt_tos for one in world.office.envelopes] == [["anna@example.org"]]
    (sent,) = world.ledger.messages(Fate.SENT)
    assert "bert@example.org: 550" in sent.said
    assert not world.ledger.messages(Fate.WAITING)


def test_a_server_that_refuses_one_message_is_not_asked_for_each_of_those_that_wait(world: World) -> None:
    world.office.answer = "451 busy"
    world.look(dataset("day1"))
    world.look(dataset("day2"))
    assert [one.tries for one in world.ledger.messages(Fate.WAITING)] == [2, 0]


def test_when_the_ledger_cannot_be_written_the_message_goes_at_once(world: World) -> None:
    with Ledger.open_read_only(world.config.ledger_url) as ledger:
        ending = Ending(world.job, "run", NOW, NOW, error=SourceAbsent("rig: away"))
        tell(world.config, ending, ledger, world.around)
    assert world.subjects == ["TROUBLE: it could not run: rig: away"]


def test_when_the_ledger_cannot_even_be_read_the_alarm_goes_at_once(world: World) -> None:
    world.ledger.close()
    ending = Ending(world.job, "run", NOW, NOW, error=LedgerError("the ledger is damaged"))
    tell(world.config, ending, world.ledger, world.around)
    assert world.subjects == ["TROUBLE: it could not run: the ledger is damaged"]


def test_a_side_that_cannot_be_counted_again_does_not_cost_the_message(world: World) -> None:
    with_channel(world, recount=True)
    Path(world.job.source.url).rmdir()
    world.look(dataset("day1", failed=1), troubles=[failed("a")], watched=False)
    (mail,) = world.office.mails
    assert "Not counted again" in str(mail.get_body(("plain",)))


def test_a_message_that_nobody_takes_for_a_week_is_given_up_and_the_history_says_so(world: World) -> None:
    world.office.answer = "554 never"
    world.look(dataset("day1"))
    for _ in range(3 * 9):
        world.now += timedelta(hours=8)
        deliver_due(world.config, world.ledger, world.around)
    assert not world.ledger.messages(Fate.WAITING)
    (lost,) = world.ledger.messages(Fate.GIVEN_UP)
    assert "554" in lost.said
    assert [one.kind for one in world.ledger.events(job="rig", limit=1)] == ["message-given-up"]
    assert [advice.ok for advice in examine_spool(world.ledger, world.now)] == [False]
    assert not list(examine_spool(world.ledger, world.now + timedelta(days=60)))
    assert world.ledger.verify_chain().first_broken is None


def test_a_clock_that_jumps_back_a_year_does_not_silence_anybody(world: World) -> None:
    world.office.answer = "451 busy"
    world.look(dataset("day1"))
    world.office.answer = "250 taken"
    world.now -= timedelta(days=365)
    deliver_due(world.config, world.ledger, world.around)
    assert len(world.subjects) == 1
