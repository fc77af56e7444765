"""Does every message leave the spool once, whoever sends?"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

from coldchain.ledger.ledger import Ledger
from coldchain.ledger.messages import CLAIM, KEPT, Fate, Post, Told
from tests.ledger.making import JOB, LATER, NOW, ODD_NAMES


def post(number: int = 1, way: str = "mail") -> Post:
    return Post("crew", way, f"{number:032x}", JOB, "".join(ODD_NAMES), {"text": "".join(ODD_NAMES)})


def test_a_message_is_kept_whole_and_put_there_once(url: str) -> None:
    with Ledger.open(url, now=NOW) as ledger:
        for _ in range(2):
            ledger.post([post(), post(way="url 1")], (), NOW)
    with Ledger.open(url, now=NOW) as ledger:
        first, second = ledger.messages(Fate.WAITING)
        assert (first.way, second.way) == ("mail", "url 1")
        assert first.content == post().content
        assert ledger.count_messages(Fate.WAITING) == 2


def test_of_two_processes_only_one_sends_a_message(url: str) -> None:
    with Ledger.open(url, now=NOW) as ledger:
        ledger.post([post(number) for number in range(20)], (), NOW)
    claimed: list[int] = []

    def take(by: str) -> None:
        with Ledger.open(url, now=NOW) as mine:
            while len(claimed) < 60 and (found := mine.claim_message(by, NOW)):
                claimed.append(found.number)

    threads = [threading.Thread(target=take, args=(f"{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(claimed) == len(set(claimed)) == 20


def test_what_a_killed_process_had_claimed_is_free_again_after_a_while(url: str) -> None:
    with Ledger.open(url, now=NOW) as ledger:
        ledger.post([post()], (), NOW)
        assert ledger.claim_message("a", NOW)
        assert ledger.claim_message("b", NOW + CLAIM / 2) is None
        again = ledger.claim_message("b", NOW + CLAIM)
        assert again is not None
        assert again.message_id == post().message_id


def test_a_clock_that_was_set_back_neither_holds_a_claim_nor_a_wait_for_ever(url: str) -> None:
    with Ledger.open(url, now=NOW) as ledger:
        ledger.post([post()], (), NOW)
        claimed = ledger.claim_message("a", NOW)
        assert claimed is not None
        early = NOW - timedelta(days=365)
        assert ledger.claim_message("b", early) is not None
        ledger.settle_message(replace(claimed, tries=1), NOW, timedelta(hours=1))
        assert ledger.claim_message("b", NOW) is None
        assert ledger.claim_message("b", early) is not None


def test_a_way_that_is_left_alone_does_not_hold_up_the_others(url: str) -> None:
    with Ledger.open(url, now=NOW) as ledger:
        ledger.post([post(), post(2), post(2, "url 1")], (), NOW)
        found = ledger.claim_message("a", NOW, [("crew", "mail")])
        assert found is not None
        assert found.way == "url 1"


def test_what_was_sent_leaves_no_content_and_is_forgotten_after_a_season(url: str) -> None:
    with Ledger.open(url, now=NOW) as ledger:
        ledger.post([post()], (), NOW)
        claimed = ledger.claim_message("a", NOW)
        assert claimed is not None
        ledger.settle_message(replace(claimed, state=Fate.SENT, done=("anna@example.org",)), NOW)
        (sent,) = ledger.messages(Fate.SENT)
        assert not sent.content
        assert sent.done == ("anna@example.org",)
        ledger.post((), (), NOW + KEPT + timedelta(days=1))
        assert not ledger.messages(Fate.SENT)


def test_what_was_given_up_is_an_event(url: str) -> None:
    with Ledger.open(url, now=NOW) as ledger:
        ledger.post([post()], (), NOW)
        claimed = ledger.claim_message("a", NOW)
        assert claimed is not None
        ledger.settle_message(replace(claimed, state=Fate.GIVEN_UP, said="554 no"), NOW)
        (event,) = ledger.events(job=JOB)
        assert (event.kind, event.detail["why"]) == ("message-given-up", "554 no")
        assert ledger.verify_chain().first_broken is None


def test_what_was_told_is_remembered_by_channel_and_topic(url: str) -> None:
    with Ledger.open(url, now=NOW) as ledger:
        topic = ("dataset", JOB, "half \ud83d pair")
        assert ledger.told("crew", topic) is None
        for at, state in ((NOW, "a"), (LATER, "b")):
            ledger.post((), [Told("crew", topic, state, at)], at)
        assert ledger.told("crew", topic) == Told("crew", topic, "b", LATER)
        assert ledger.told("others", topic) is None


def test_runs_since_a_time_come_newest_first(url: str) -> None:
    with Ledger.open(url, now=NOW) as ledger:
        numbers = [ledger.begin_run(JOB, "run", NOW + timedelta(minutes=one)) for one in range(120)]
        ledger.begin_run("other", "run", LATER)
        found = [run.id for run in ledger.runs_since(JOB, NOW + timedelta(minutes=5))]
    assert found == numbers[:4:-1]


# --- in memory, and to the microsecond --------------------------------------------------------------------------------

MOMENT = timedelta(microseconds=1)


def test_a_message_that_was_sent_is_not_put_there_again_while_it_is_remembered() -> None:
    with Ledger.empty(NOW) as ledger:
        assert ledger.count_messages(Fate.WAITING) == 0
        ledger.post([post()], (), NOW)
        claimed = ledger.claim_message("a", NOW)
        assert claimed is not None
        assert (claimed.tries, claimed.created, claimed.state) == (0, NOW, Fate.WAITING)
        ledger.settle_message(replace(claimed, state=Fate.SENT), NOW)
        for at in (NOW, NOW + KEPT):
            ledger.post([post()], (), at)
            assert (ledger.count_messages(Fate.WAITING), ledger.count_messages(Fate.SENT)) == (0, 1)
        ledger.post((), (), NOW + KEPT + MOMENT)
        assert ledger.count_messages(Fate.SENT) == 0


def test_a_message_that_waits_is_never_forgotten() -> None:
    with Ledger.empty(NOW) as ledger:
        ledger.post([post()], (), NOW)
        ledger.post((), (), NOW + 9 * KEPT)
        assert ledger.count_messages(Fate.WAITING) == 1
        assert ledger.claim_message("a", NOW + 9 * KEPT) is not None


def test_a_message_is_due_again_at_its_moment_and_not_before() -> None:
    with Ledger.empty(NOW) as ledger:
        ledger.post([post()], (), NOW)
        claimed = ledger.claim_message("a", NOW)
        assert claimed is not None
        ledger.settle_message(replace(claimed, tries=1, said="busy"), NOW, CLAIM / 2)
        due = NOW + CLAIM / 2
        assert ledger.claim_message("a", due - MOMENT) is None
        assert [one.next for one in ledger.messages(Fate.WAITING)] == [due]
        early = ledger.claim_message("a", NOW, early=True)
        assert early is not None
        assert (early.tries, early.said) == (1, "busy")
        assert ledger.claim_message("b", due) is None, "somebody has it"
        assert ledger.claim_message("b", NOW + CLAIM - MOMENT, early=True) is None
        ledger.settle_message(early, NOW)
        assert ledger.claim_message("b", NOW) is not None


def test_the_oldest_message_is_sent_first_and_what_is_given_up_belongs_to_no_run() -> None:
    with Ledger.empty(NOW) as ledger:
        ledger.post([post(2), post(1)], (), NOW)
        first, second = ledger.claim_message("a", NOW), ledger.claim_message("a", NOW)
        assert first is not None
        assert second is not None
        assert (first.message_id, second.message_id) == (post(2).message_id, post(1).message_id)
        ledger.settle_message(replace(first, state=Fate.GIVEN_UP), NOW)
        (event,) = ledger.events()
        assert (event.run, event.job) == (0, JOB)
        assert [one.message_id for one in ledger.messages(Fate.WAITING, limit=1)] == [second.message_id]
        assert ledger.claim_message("a", NOW + CLAIM) == replace(second)
