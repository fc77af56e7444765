"""Does somebody who counts heartbeats hear of a run, and does nothing else change?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from coldchain.config.values import Config, Destination, Job
from coldchain.errors import ColdchainError
from coldchain.ledger.ledger import Ledger
from coldchain.model import Place
from coldchain.monitor import SilentMonitor, Surroundings
from coldchain.operate.ending import run_and_tell
from coldchain.operate.opening import Wish
from coldchain.steps.identify import Consent
from tests.ports import free_port

SECRET = "a1b2c3-secret"


class Listener(SilentMonitor):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


class Checks:
    """A server of health checks, which can refuse, stall and drip."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.answers: list[int] = []
        self.over = Event()
        self.manners: list[str] = []
        checks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                checks.heard.append((self.path, body))
                manner = checks.manners.pop(0) if checks.manners else ""
                if manner == "stalls":
                    checks.over.wait(30)
                    return
                if manner == "drips":
                    self.wfile.write(b"HTTP/1.0 200 OK\r\n")
                    while not checks.over.wait(0.2):
                        self.wfile.write(b"X")
                    return
                self.send_response(checks.answers.pop(0) if checks.answers else 200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """Be quiet."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                """Who asked has gone away: that is what is tested."""

        self.server = Server(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/{SECRET}?rid=7"

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def checks() -> Iterator[Checks]:
    server = Checks()
    yield server
    server.close()


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder, self.source = folder, folder / "source"
        self.source.mkdir()
        (folder / "storage").mkdir()
        (self.source / "patient-17.tif").write_bytes(b"a" * 100)
        self.listener = Listener()
        self.now = datetime(2026, 5, 4, tzinfo=UTC)

    def run(self, url: str, *, watched: bool = False) -> int:
        place = Place("storage", str(self.folder / "storage"))
        job = Job("j", Place("", str(self.source)), (Destination(place),), settle=timedelta(0), ping=url)
        config = Config(self.folder / "c.toml", self.folder / "state", f"sqlite:///{self.folder}/l.sqlite", {"j": job})
        around = Surroundings("ship", lambda: self.now, self.listener)
        with Ledger.open(config.ledger_url, now=self.now) as ledger:
            try:
                return run_and_tell(config, job, ledger, Wish(Consent(init=True)), around, watched=watched).exit_code
            except ColdchainError as error:
                return error.exit_code


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_success_is_heard_with_numbers_and_without_names(bench: Bench, checks: Checks) -> None:
    assert bench.run(checks.url) == 0
    ((path, body),) = checks.heard
    assert path == f"/{SECRET}?rid=7"
    assert "selected: 1 files, 100 bytes" in body
    assert "storage: verified 1, held 0, refused 0, failed 0" in body
    assert "patient" not in body


def test_a_run_that_ends_badly_or_cannot_begin_is_a_failure(bench: Bench, checks: Checks) -> None:
    (bench.source / "link").symlink_to("nowhere")
    assert bench.run(checks.url) == 3
    bench.source.rename(bench.folder / "unplugged")
    assert bench.run(checks.url) == 3
    assert [path for path, _ in checks.heard] == [f"/{SECRET}/fail?rid=7"] * 2
    assert "SourceAbsent" in checks.heard[1][1]


def test_a_hiccup_is_tried_once_more(bench: Bench, checks: Checks) -> None:
    checks.answers = [503]
    assert bench.run(checks.url) == 0
    assert len(checks.heard) == 2
    assert bench.listener.notes == []


def test_a_server_that_says_no_changes_nothing_and_the_url_is_not_told(bench: Bench, checks: Checks) -> None:
    checks.answers = [404, 404]
    assert bench.run(checks.url) == 0
    (note,) = bench.listener.notes
    assert "the answer was 404" in note
    assert SECRET not in note


@pytest.mark.parametrize("scheme", ["http", "https", "file"])
def test_nobody_at_the_other_end_changes_nothing(
    bench: Bench, scheme: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    assert bench.run(f"{scheme}://127.0.0.1:{free_port()}/{SECRET}") == 0
    (note,) = bench.listener.notes
    said = capfd.readouterr()
    assert SECRET not in note + caplog.text + said.out + said.err


def test_a_server_that_never_comes_to_its_end_holds_nobody_up(bench: Bench, checks: Checks) -> None:
    checks.manners = ["stalls", "drips"]
    begun = time.monotonic()
    assert bench.run(checks.url) == 0
    assert time.monotonic() - begun < 20
    assert "no answer within 5 s" in bench.listener.notes[0] or "Timeout" in bench.listener.notes[0]


def test_a_watcher_is_heard_every_few_minutes_and_at_once_when_the_outcome_changes(
    bench: Bench, checks: Checks
) -> None:
    def outcomes() -> str:
        return "".join("F" if "fail" in path else "." for path, _ in checks.heard)

    bench.run(checks.url, watched=True)
    bench.now += timedelta(minutes=1)
    bench.run(checks.url, watched=True)
    assert outcomes() == "."
    away = bench.source.rename(bench.folder / "unplugged")
    for _ in range(2):
        bench.now += timedelta(seconds=10)
        bench.run(checks.url, watched=True)
    assert outcomes() == ".F"
    away.rename(bench.source)
    bench.run(checks.url, watched=True)
    assert outcomes() == ".F."
    bench.now += timedelta(minutes=6)
    bench.run(checks.url, watched=True)
    assert outcomes() == ".F.."


def test_a_clock_that_was_put_back_does_not_make_it_silent(bench: Bench, checks: Checks) -> None:
    bench.run(checks.url, watched=True)
    bench.now -= timedelta(days=300)
    bench.run(checks.url, watched=True)
    assert len(checks.heard) == 2
