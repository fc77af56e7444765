"""Do people hear of runs: once, in time, and without harm to the run, through the real command line?"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from coldchain.config.read import read_config
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.messages import Fate
from coldchain.monitor import Surroundings
from coldchain.operate.telling.posting import deliver_due
from tests.notify.posts import NOBODY, PASSWORD, USER, Authority, Office, closed, saying, serving

CONFIGURATION = """\
version = 1

[jobs.rig]
source = "source"
destinations = ["near"]
settle = "0 s"
notify = ["crew"]

[destinations.near]
url = "near"

[notify.crew]
"""
MAIL = 'mail = {{ host = "localhost", port = {port}, sender = "rig@example.org", to = ["anna@example.org"], {more} }}\n'
CANARY = "canary-t0ken-in-the-path"


class Rig:
    """A folder with a job, and a way to type commands in it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        (folder / "source").mkdir()
        (folder / "near").mkdir()
        (folder / "source" / "a.bin").write_bytes(b"a" * 1000)
        (folder / "source" / "b.bin").write_bytes(b"b" * 234)

    def tell(self, *ways: str) -> None:
        (self.folder / "coldchain.toml").write_text(CONFIGURATION + "".join(ways))

    def start(self, *words: str) -> subprocess.Popen[str]:
        line = [sys.executable, "-m", "coldchain", *words]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(line, cwd=self.folder, env={**os.environ, **self.environment}, text=True, **pipes)

    def type(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in out + err
        return process.returncode, out + err

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        config = read_config(self.folder / "coldchain.toml", {})
        with Ledger.open(config.ledger_url, create=False, now=datetime.now(UTC)) as ledger:
            yield ledger

    def deliver(self, after: timedelta) -> None:
        config = read_config(self.folder / "coldchain.toml", {})
        with self.ledger() as ledger:
            deliver_due(config, ledger, Surroundings("scope-2", lambda: datetime.now(UTC) + after))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def rig(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Rig:
    said = {"SSL_CERT_FILE": str(authority.file), "RIGMAIL_USER": USER, "RIGMAIL_PASSWORD": PASSWORD}
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "rig"
    folder.mkdir()
    return Rig(folder, said)


def plain_mail(port: int, more: str = "") -> str:
    return MAIL.format(port=port, more=f'security = "none"{more}')


@contextmanager
def webhook(status: int = 200) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """A local HTTP server that keeps what it is sent."""
    got: list[dict[str, Any]] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append({"path": self.path, **json.loads(body)})
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taker) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, got
        finally:
            server.shutdown()
            thread.join()


def text_of(office: Office, number: int = -1) -> str:
    body = office.mails[number].get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_run_is_told_by_mail_and_webhook_and_no_secret_is_anywhere(rig: Rig, authority: Authority) -> None:
    office = Office()
    with serving(office, tls=authority.context()) as port, webhook() as (web, got):
        more = 'security = "starttls", credentials = "env:RIGMAIL"'
        rig.tell(MAIL.format(port=port, more=more), f'urls = ["json://localhost:{web}/{CANARY}"]\n')
        code, said = rig.type("run", "--init")
    assert code == 0, said
    (mail,) = office.mails
    text = text_of(office)
    for wanted in (
        "rig",
        "2 files, 1.2 KiB",
        "verified before: 0 files",
        "near",
        "0: all verified",
        "coldchain report 1",
    ):
        assert wanted in text
    assert mail["Subject"].startswith("[coldchain] rig: ")
    assert [one["title"] for one in got] == [mail["Subject"]]
    assert got[0]["message"].splitlines()[0] == text.splitlines()[0]
    kept = b"".join(path.read_bytes() for path in (rig.folder / "coldchain-state").rglob("*") if path.is_file())
    for secret in (PASSWORD, CANARY):
        assert secret not in said
        assert secret.encode() not in kept
        assert secret not in str(office.envelopes[0].original_content)


def test_a_server_that_is_down_changes_no_exit_code_and_the_mail_arrives_later_once(rig: Rig) -> None:
    with closed() as port:
        rig.tell(plain_mail(port))
        code, said = rig.type("run", "--init")
        assert code == 0
        assert "a message waits and is tried again" in said
        assert "cannot be reached" in rig.type("doctor")[1]
    office = Office()
    with serving(office, port=port):
        rig.deliver(timedelta(seconds=1))
        assert not office.envelopes, "not before its time"
        rig.deliver(timedelta(minutes=2))
        rig.deliver(timedelta(minutes=20))
    assert len(office.envelopes) == 1
    assert office.mails[0]["Date"].datetime < datetime.now(UTC)


def test_a_run_in_trouble_keeps_its_exit_code_whatever_the_channel_does(rig: Rig) -> None:
    (rig.folder / "source" / "link").symlink_to("a.bin")
    rig.tell(plain_mail(NOBODY), f'urls = ["json://localhost:{NOBODY}/{CANARY}", "nonsense://{CANARY}"]\n')
    code, said = rig.type("run", "--init")
    assert code == 3
    assert CANARY not in said
    with rig.ledger() as ledger:
        assert len(ledger.messages(Fate.WAITING)) == 3


def test_what_waits_is_sent_by_the_next_run_and_by_the_doctor(rig: Rig) -> None:
    with closed() as port:
        rig.tell(plain_mail(port))
        assert rig.type("run", "--init")[0] == 0
    office = Office()
    with serving(office, port=port):
        code, said = rig.type("doctor", "--notify")
    assert code == 0, said
    assert "a test was taken for anna@example.org" in said
    subjects = [mail["Subject"] for mail in office.mails]
    assert len(subjects) == 2
    assert "this is a test" in subjects[0]
    assert len({mail["Message-ID"] for mail in office.mails}) == 2


def test_the_doctor_says_what_is_wrong_with_a_channel(rig: Rig) -> None:
    with serving(Office(rejected=("anna@example.org",))) as port:
        rig.tell(plain_mail(port))
        code, said = rig.type("doctor", "--notify")
    assert code == 3
    assert "550 5.1.1" in said
    assert "\x1b" not in said


class _Killing(Office):
    """Kills whoever sends at the moment when the mail was taken."""

    victim: subprocess.Popen[str] | None = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = await super().handle_DATA(server, session, envelope)
        if self.victim is not None:
            os.kill(self.victim.pid, signal.SIGKILL)
        return answer


def test_a_kill_between_sending_and_recording_costs_one_more_mail_with_the_same_message_id(rig: Rig) -> None:
    office = _Killing()
    with serving(office) as port:
        rig.tell(plain_mail(port))
        rig.type("init")
        office.victim = rig.start("run")
        office.victim.communicate(timeout=60)
        assert office.victim.returncode == -signal.SIGKILL
        office.victim = None
        rig.deliver(timedelta(seconds=30))
        assert len(office.envelopes) == 1, "claimed: nobody else may be sending it"
        for minutes in (3, 6, 90):
            rig.deliver(timedelta(minutes=minutes))
    assert len(office.envelopes) == 2
    assert len({mail["Message-ID"] for mail in office.mails}) == 1


def test_a_server_that_stalls_is_cut_off_and_the_message_waits(rig: Rig) -> None:
    rig.tell(plain_mail(NOBODY))
    rig.type("run", "--init")
    with saying(b"") as port:
        rig.tell(plain_mail(port))
        config = read_config(rig.folder / "coldchain.toml", {})
        with rig.ledger() as ledger:
            later = Surroundings("scope-2", lambda: datetime.now(UTC) + timedelta(hours=2))
            deliver_due(config, ledger, later, budget_s=2)
            waiting = ledger.messages(Fate.WAITING)
    assert [one.tries for one in waiting] == [2]
    assert re.search("did not come to an end within|timed out", waiting[0].said)


def test_messages_of_one_dataset_are_one_thread_and_two_runs_are_two_messages(rig: Rig) -> None:
    office = Office()
    with serving(office) as port:
        rig.tell(plain_mail(port))
        rig.type("run", "--init")
        (rig.folder / "source" / "c.bin").write_bytes(b"c")
        rig.type("run")
    first, second = office.mails
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]
    assert "1 in this run" in second["Subject"]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [name for name, _ in attrs if name in ("src", "href", "background") or name.startswith("on")]


@pytest.mark.skipif(sys.platform == "win32", reason="such names cannot be made there")
def test_hostile_names_break_neither_header_nor_html_nor_terminal(rig: Rig) -> None:
    name = b"x\r\nBcc: evil@example.org\r\n\r\n<script>alert(1)<\x1b[31m\xe2\x80\xae\xff"
    os.symlink(b"a.bin", os.path.join(os.fsencode(rig.folder), b"source", name))
    (rig.folder / "source" / ("<img src=x onerror=y>" + "n" * 200)).symlink_to("a.bin")
    office = Office()
    with serving(office) as port:
        rig.tell(plain_mail(port, ', problems_to = ["doc@example.org"]'))
        code, said = rig.type("run", "--init")
    assert code == 3
    assert "\x1b" not in said
    (mail,) = office.mails
    assert b"Subject: [coldchain]" in (office.envelopes[0].original_content or b"")
    assert office.envelopes[0].rcpt_tos == ["doc@example.org"]
    assert mail["Bcc"] is None
    assert "TROUBLE: 2 of 4 files not verified" in mail["Subject"]
    text = text_of(office)
    assert "\\r\\nBcc: evil@example.org" in text
    assert all(c.isprintable() or c == "\n" for c in text.replace("\r\n", "\n"))
    html = mail.get_body(("html",))
    assert html is not None
    seen = _Tags()
    seen.feed(html.get_content())
    assert not seen.tags & {"script", "img", "link", "iframe"}
    assert not seen.links


def test_a_run_that_cannot_be_is_told_too(rig: Rig) -> None:
    office = Office()
    with serving(office) as port:
        rig.tell(plain_mail(port))
        code, _ = rig.type("run")
    assert code == 3
    assert "could not run" in office.mails[0]["Subject"]
    assert office.mails[0]["Importance"] == "high"


def test_a_run_without_a_ledger_is_told_too_and_keeps_its_exit_code(rig: Rig) -> None:
    office = Office()
    with serving(office) as port:
        rig.tell(plain_mail(port))
        (rig.folder / "coldchain-state").mkdir(mode=0o700)
        (rig.folder / "coldchain-state" / "ledger.sqlite").write_bytes(
            b"this is no database, whatever its name says" * 9
        )
        code, _ = rig.type("run")
    assert code == 3
    assert len(office.mails) == 1
    assert "could not run" in office.mails[0]["Subject"]


def test_both_sides_are_counted_again_and_a_copy_that_went_is_named(rig: Rig) -> None:
    office = Office()
    with serving(office) as port:
        rig.tell(plain_mail(port), "recount = true\n")
        rig.type("run", "--init")
        well = text_of(office)
        (rig.folder / "near" / "a.bin").write_bytes(b"short")
        (rig.folder / "near" / "b.bin").unlink()
        (rig.folder / "near" / "other.bin").write_bytes(b"o")
        config = read_config(rig.folder / "coldchain.toml", {})
        from coldchain.notify.letter import Listing, Table
        from coldchain.operate.telling.recounting import counted
        from coldchain.steps.report import Report

        job = config.jobs["rig"]
        report = Report("rig", job.source.url, ("near",), frozenset({"near"}), datetime.now(UTC), 1)
        with rig.ledger() as ledger:
            for name in ledger.datasets("rig"):
                report.begin(name, ledger.tallies("rig")[0].tally, {})
            table, listing = counted(job, report, ledger)
    assert "by a fresh listing: 2 files, 1.2 KiB" in well
    assert "Differences" not in well
    assert "before the run: 0 files, 0 B" in well
    assert well.count("after the run: 2 files, 1.2 KiB") == 2
    assert "rsync --dry-run: would carry 0" in well
    assert isinstance(table, Table)
    assert isinstance(listing, Listing)
    assert listing.lines == ("near: a.bin: 5 bytes, should be 1,000", "near: b.bin: not there, should have 234 bytes")
    assert "1 file, 1 B that are not ours" in table.rows[1][2]
    assert "would carry 2" in table.rows[1][3]
