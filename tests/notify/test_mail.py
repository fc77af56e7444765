"""Does a message reach people by mail, whatever the server and the names are like?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coldchain.config.values import Mail, Security
from coldchain.notify.base import Message, NotifyError, NotifyRefused, Tone, lines_of
from coldchain.notify.mail import MailLine, compose
from tests.notify.posts import NOBODY, PASSWORD, USER, Authority, Office, saying, serving

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NEWS = Message(
    "ab" * 16, "[coldchain] rig: 3 files verified", "All is well.\n", "<p>All is well.</p>", Tone.WELL, AT, "cd"
)
MAIL = Mail("127.0.0.1", "Rig <rig@example.org>", ("anna@example.org", "bert@example.org"), security=Security.NONE)
ONCE = ("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "MIME-Version")


def line(port: int, **changes: object) -> MailLine:
    return MailLine("crew", replace(MAIL, port=port, **changes), "scope-2")  # type: ignore[arg-type]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    monkeypatch.setenv("RIGMAIL_USER", USER)
    monkeypatch.setenv("RIGMAIL_PASSWORD", PASSWORD)
    yield made


def test_a_mail_has_every_header_once_both_parts_and_all_recipients_and_is_seven_bit_clean() -> None:
    office = Office()
    news = replace(
        NEWS, subject="[coldchain] Größe 細胞 🧪 " + "x" * 90, text="Zelle 細胞\n" + "y" * 3000 + "\n.\nend\n"
    )
    with serving(office) as port:
        sent = line(port).send(news, (), 10)
    assert sent.accepted == MAIL.to
    assert not sent.refused
    raw = office.envelopes[0].original_content or b""
    assert max(raw) < 128
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.count(b"\n") == raw.count(b"\r\n")
    head = raw.partition(b"\r\n\r\n")[0]
    assert all(len(one) <= 78 for one in head.split(b"\r\n"))
    mail = office.mails[0]
    for name in ONCE:
        assert len(mail.get_all(name) or ()) == 1, name
    assert not mail.defects
    assert mail["Subject"] == news.subject
    assert mail["Message-ID"] == f"<{'ab' * 16}@coldchain.invalid>"
    assert mail["References"] == mail["In-Reply-To"] == "<cd@coldchain.invalid>"
    assert mail["Date"].datetime == AT
    assert [one.addr_spec for one in mail["To"].addresses] == list(MAIL.to)
    assert office.envelopes[0].mail_from == "rig@example.org"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert mail.get_content_type() == "multipart/alternative"
    assert text is not None
    assert text.get_content().replace("\r\n", "\n") == news.text
    assert html is not None
    assert "All is well" in html.get_content()


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=400)
    | st.sampled_from(["a\r\nBcc: x@example.org", "\udcff\ud83d", "\u202egnp.exe\x1b[31m", "=?utf-8?q?x?=", "\0" * 50])
)
def test_no_name_breaks_a_header_or_loses_an_alarm(name: str) -> None:
    news = replace(
        NEWS, subject=f"[coldchain] {name}: TROUBLE", text=f"{name}\n", html=f"<p>{name}</p>", tone=Tone.TROUBLE
    )
    office_to = ("anna@example.org",)
    raw = compose(MAIL, news, office_to).as_bytes()
    from email import message_from_bytes
    from email.policy import default

    mail = message_from_bytes(raw, policy=default)
    assert set(mail.keys()) <= {*ONCE, "Importance", "Content-Type", "Content-Transfer-Encoding"}
    assert [one.addr_spec for one in mail["To"].addresses] == list(office_to)
    assert "TROUBLE" in mail["Subject"]
    assert len(mail["Subject"]) <= 130
    assert max(raw) < 128


def test_one_recipient_who_is_refused_does_not_keep_it_from_the_others_and_is_named() -> None:
    office = Office(rejected=("bert@example.org",))
    with serving(office) as port:
        sent = line(port).send(NEWS, (), 10)
    assert sent.accepted == ("anna@example.org",)
    assert "550" in sent.refused["bert@example.org"]
    assert "\x1b" not in sent.refused["bert@example.org"]
    assert len(office.envelopes) == 1


def test_a_recipient_who_is_put_off_gets_it_later_and_the_others_not_again() -> None:
    office = Office(greylisted=("bert@example.org",))
    with serving(office) as port:
        first = line(port).send(NEWS, (), 10)
        office.greylisted = ()
        second = line(port).send(NEWS, first.accepted, 10)
    assert list(first.later) == ["bert@example.org"]
    assert second.accepted == ("bert@example.org",)
    assert [one.rcpt_tos for one in office.envelopes] == [["anna@example.org"], ["bert@example.org"]]


def test_nobody_accepted_is_an_error_that_says_why() -> None:
    with serving(Office(rejected=MAIL.to)) as port, pytest.raises(NotifyRefused, match="no recipient was accepted"):
        line(port).send(NEWS, (), 10)


@pytest.mark.parametrize("implicit", [True, False])
def test_password_and_mail_go_over_a_line_that_is_proved(authority: Authority, implicit: bool) -> None:
    office = Office()
    security = Security.TLS if implicit else Security.STARTTLS
    with serving(office, tls=authority.context(), implicit=implicit) as port:
        line(port, host="localhost", security=security, credentials="env:RIGMAIL").send(NEWS, (), 10)
    assert len(office.envelopes) == 1


@pytest.mark.parametrize("implicit", [True, False])
def test_a_server_with_a_certificate_of_somebody_else_is_told_nothing(authority: Authority, implicit: bool) -> None:
    office = Office()
    security = Security.TLS if implicit else Security.STARTTLS
    with (
        serving(office, tls=authority.context("other.example.org"), implicit=implicit) as port,
        pytest.raises(NotifyRefused, match="cannot prove that it is localhost"),
    ):
        line(port, host="localhost", security=security, credentials="env:RIGMAIL").send(NEWS, (), 10)
    assert not office.envelopes


def test_a_server_that_offers_no_safe_line_gets_no_password_and_no_mail(authority: Authority) -> None:
    office = Office()
    with serving(office) as port, pytest.raises(NotifyRefused, match="STARTTLS"):
        line(port, security=Security.STARTTLS, credentials="env:RIGMAIL").send(NEWS, (), 10)
    assert not office.envelopes
    with pytest.raises(NotifyRefused, match="anybody can read"):
        line(9, host="mail.example.org", credentials="env:RIGMAIL").send(NEWS, (), 10)


def test_a_wrong_password_is_said_without_it(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGMAIL_PASSWORD", "canary-wrong-0815")
    with serving(Office(), tls=authority.context()) as port, pytest.raises(NotifyRefused) as said:
        line(port, host="localhost", security=Security.STARTTLS, credentials="env:RIGMAIL").send(NEWS, (), 10)
    assert "does not accept user and password" in str(said.value)
    assert "canary" not in f"{said.value!r} {said.value.__cause__!r}"


def test_a_server_that_answers_with_the_password_does_not_get_it_into_words(authority: Authority) -> None:
    said = f"454 4.7.0 no: {PASSWORD}\r\n".encode()
    with (
        saying(b"220 hi\r\n", b"250-hi\r\n250 AUTH PLAIN LOGIN\r\n", said, said, said) as port,
        pytest.raises(NotifyError) as error,
    ):
        line(port, credentials="env:RIGMAIL").send(NEWS, (), 5)
    assert PASSWORD not in str(error.value)


def test_a_password_that_is_nowhere_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RIGMAIL_PASSWORD", raising=False)
    with pytest.raises(NotifyRefused, match="RIGMAIL_PASSWORD"):
        line(9, credentials="env:RIGMAIL").send(NEWS, (), 5)


def test_a_line_that_breaks_after_the_mail_was_accepted_is_no_failure() -> None:
    """The server says 250, and is gone before QUIT."""
    words = (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n")
    with saying(*words, b"250 taken\r\n") as port:
        sent = line(port).send(NEWS, (), 2)
    assert sent.accepted == MAIL.to


def test_a_line_that_breaks_before_the_answer_is_tried_again_with_the_same_message_id() -> None:
    office = Office(drop_after_data=True)
    with serving(office) as port:
        with pytest.raises(NotifyError) as error:
            line(port).send(NEWS, (), 5)
        assert error.value.temporary
        office.drop_after_data = False
        line(port).send(NEWS, (), 5)
    assert len({mail["Message-ID"] for mail in office.mails}) == 1


@pytest.mark.parametrize("answer", ["552 too large", "554 no", "451 busy", "421 later"])
def test_a_server_that_does_not_take_it_is_quoted(answer: str) -> None:
    with serving(Office(answer=answer)) as port, pytest.raises(NotifyError, match=answer[:3]) as error:
        line(port).send(NEWS, (), 5)
    assert error.value.temporary == answer.startswith("4")


@pytest.mark.parametrize(
    ("words", "drip"),
    [
        ((), b""),
        ((b"2",), b"2"),
        ((b"220 hi\r\n",), b"2"),
        ((b"220-slow\r\n",), b"220-slow\r\n"),
        ((b"554 go away\r\n",), b""),
    ],
    ids=["no greeting", "greets for ever", "stalls", "drips lines", "refuses"],
)
def test_a_server_that_stalls_or_drips_holds_nobody_up_for_longer_than_patience(
    words: tuple[bytes, ...], drip: bytes
) -> None:
    with saying(*(words or (b"",)), then_drip=drip) as port:
        before = time.monotonic()
        with pytest.raises(NotifyError):
            line(port).send(NEWS, (), 1.0)
        assert time.monotonic() - before < 6  # the task: nobody waits for ever


def test_a_server_that_is_down_is_said_in_words() -> None:
    with pytest.raises(NotifyError, match=r"127\.0\.0\.1 cannot be reached"):
        line(NOBODY).send(NEWS, (), 5)


def test_trouble_goes_to_those_who_look_after_it_and_its_end_to_both() -> None:
    office = Office()
    with serving(office) as port:
        by = line(port, problems_to=("carl@example.org",))
        for tone in Tone:
            by.send(replace(NEWS, tone=tone), (), 5)
    assert [one.rcpt_tos for one in office.envelopes] == [
        list(MAIL.to),
        ["carl@example.org"],
        [*MAIL.to, "carl@example.org"],
        list(MAIL.to),
    ]
    assert [mail["Importance"] for mail in office.mails] == [None, "high", None, None]


@pytest.mark.parametrize("address", ["a@b.c\r\nBcc: x@y.z", "ä@b.c", "a b@c.d", "", "a@b.c, d@e.f"])
def test_an_address_that_is_none_is_refused_in_words(address: str) -> None:
    with pytest.raises(NotifyRefused, match="no address"):
        line(9, to=(address,)).send(NEWS, (), 5)


def test_a_channel_without_ways_has_no_lines() -> None:
    from coldchain.config.values import Channel

    assert lines_of(Channel("none"), "host") == ()
