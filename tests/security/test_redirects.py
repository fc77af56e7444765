"""What if whoever is spoken to sends us elsewhere: does anything go there, above all a password?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from coldchain.config.values import Channel, Config, Job
from coldchain.errors import DestinationAbsent, StoreError
from coldchain.ledger.ledger import Ledger
from coldchain.model import Entry, Place
from coldchain.monitor import SilentMonitor, Surroundings
from coldchain.notify.base import Message, NotifyError, Tone, lines_of
from coldchain.operate.ending import run_and_tell
from coldchain.operate.opening import Wish
from coldchain.stores.base import Store, open_store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CANARY = "c4nary-pa55word"
AT = datetime(2026, 3, 4, tzinfo=UTC)
STATUSES = [301, 302, 303, 307, 308]


class Answering:
    """A server that notes what it is sent, and sends everybody elsewhere, or says that all is well."""

    def __init__(self, elsewhere: str = "", status: int = 200) -> None:
        self.heard: list[str] = []
        answering = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answering.heard.append(f"{self.command} {self.path}\n{self.headers}\n{body!r}")
                self.send_response(status)
                if elsewhere:
                    self.send_header("Location", f"{elsewhere}{self.path}")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def __getattr__(self, name: str) -> object:
                if name.startswith("do_"):
                    return self.answer
                raise AttributeError(name)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """Be quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def sent_elsewhere(status: int) -> Iterator[tuple[Answering, Answering]]:
    """Who is spoken to, and the stranger to whom he sends us: another port, and another name."""
    stranger = Answering()
    first = Answering(f"http://localhost:{stranger.port}", status)
    try:
        yield first, stranger
    finally:
        first.close()
        stranger.close()


class Listener(SilentMonitor):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


@pytest.mark.parametrize("status", STATUSES)
def test_a_ping_goes_nowhere_else_and_counts_as_not_heard(tmp_path: Path, status: int) -> None:
    listener = Listener()
    (tmp_path / "source").mkdir()
    with sent_elsewhere(status) as (first, stranger):
        job = Job("j", Place("", str(tmp_path / "source")), (), ping=f"http://127.0.0.1:{first.port}/{CANARY}")
        config = Config(tmp_path / "c.toml", tmp_path / "state", f"sqlite:///{tmp_path}/l.sqlite", {"j": job})
        around = Surroundings("ship", lambda: AT, listener)
        with Ledger.open(config.ledger_url, now=AT) as ledger, pytest.raises(DestinationAbsent):
            run_and_tell(config, job, ledger, Wish(), around, watched=False)
    assert first.heard
    assert stranger.heard == []
    assert f"the answer was {status}" in listener.notes[-1]
    assert CANARY not in "".join(listener.notes)


@pytest.mark.parametrize("status", STATUSES)
def test_a_message_goes_nowhere_else_and_counts_as_not_sent(status: int) -> None:
    news = Message("ab", "[coldchain] rig", "text", "<p>", Tone.TROUBLE, AT)
    with sent_elsewhere(status) as (first, stranger):
        (line,) = lines_of(Channel("crew", (f"json://me:{CANARY}@127.0.0.1:{first.port}/{CANARY}",)), "scope-2")
        with pytest.raises(NotifyError, match=str(status)):
            line.send(news, (), 20)
    assert first.heard
    assert stranger.heard == []


def place(kind: str, port: int) -> Place:
    where = f"http://127.0.0.1:{port}"
    if kind == "azure":
        return Place("far", "az://container/x", (("endpoint", f"{where}/account"),))
    anonymous = (("anonymous", "true"),) if kind == "gs" else ()  # its keys are asked for at Google's own address
    return Place("far", f"{kind}://bucket/x", (("endpoint", where), *anonymous))


@pytest.mark.parametrize(("kind", "status"), [("s3", 307), ("gs", 301), ("gs", 307), ("azure", 301), ("azure", 307)])
def test_no_store_takes_a_key_or_bytes_to_a_stranger(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, status: int
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"id-{CANARY}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "account")
    monkeypatch.setenv("AZURE_STORAGE_KEY", "Y2FuYXJ5")
    with sent_elsewhere(status) as (first, stranger), pytest.raises(StoreError):
        _use(open_store(place(kind, first.port)))
    assert first.heard
    for heard in stranger.heard:
        assert "authorization:" not in heard.lower(), heard
        assert CANARY not in heard
        assert "precious" not in heard


def _use(store: Store) -> None:
    try:
        staging = store.stage("a" * 8)
        sink = staging.open("file", Entry("file", 8, 0))
        sink.write(b"precious")
        sink.close()
        staging.flush()
        list(store.list())
    finally:
        store.close()
