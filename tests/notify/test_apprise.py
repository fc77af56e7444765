"""Does a message reach the services of Apprise, and does their key stay where it is?"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

import pytest

from coldchain.config.values import Channel
from coldchain.notify.base import Line, Message, NotifyError, NotifyRefused, Tone, lines_of
from tests.notify.posts import NOBODY, saying
from tests.operate.test_telling import CANARY, webhook

# Apprise imports its hundred services when the first one is asked for, and some of them use what is going away.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NEWS = Message("ab", "[coldchain] rig", "Zelle 細胞 <b>\n", "<p>", Tone.TROUBLE, AT)


def line(url: str) -> Line:
    (made,) = lines_of(Channel("crew", (url,)), "scope-2")
    return made


def test_a_webhook_gets_subject_text_and_tone() -> None:
    with webhook() as (port, got):
        assert line(f"json://localhost:{port}/{CANARY}").send(NEWS, (), 10).accepted
    (body,) = got
    assert (body["title"], body["message"].strip(), body["type"]) == (NEWS.subject, NEWS.text.strip(), "failure")


@pytest.mark.parametrize("status", [500, 403])
def test_a_service_that_refuses_is_told_by_its_answer_and_never_by_its_key(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with webhook(status) as (port, _), pytest.raises(NotifyError, match=str(status)) as error:
        line(f"json://crew:{CANARY}@localhost:{port}/{CANARY}").send(NEWS, (), 10)
    assert CANARY not in f"{error.value} {error.value.__cause__!r} {caplog.text}"


def test_a_service_that_is_away_or_none_at_all_is_said_without_its_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(NotifyError) as away:
        line(f"json://localhost:{NOBODY}/{CANARY}").send(NEWS, (), 10)
    with pytest.raises(NotifyRefused, match="does not understand") as nonsense:
        line(f"nonsense://{CANARY}").send(NEWS, (), 10)
    assert CANARY not in f"{away.value} {nonsense.value} {caplog.text}"


def test_a_service_that_stalls_holds_nobody_up_for_longer_than_patience() -> None:
    with saying(b"") as port:
        before = time.monotonic()
        with pytest.raises(NotifyError, match="no answer within"):
            line(f"json://localhost:{port}/?rto=2").send(NEWS, (), 0.5)
        assert time.monotonic() - before < 5


def test_a_way_is_known_by_its_address_and_does_not_name_it() -> None:
    one, other = lines_of(Channel("crew", (f"json://{CANARY}", f"slack://{CANARY}/b/c")), "scope-2")
    assert one.way != other.way
    assert CANARY not in f"{one.way}{one.name}{other.way}{other.name}"
    assert lines_of(Channel("crew", (f"slack://{CANARY}/b/c",)), "scope-2")[0].way == other.way
