"""Is a watcher held up by a destination that takes calls and never answers?"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coldchain.config.values import Destination, Job
from coldchain.ledger.ledger import Ledger
from coldchain.model import Place
from coldchain.monitor import Surroundings
from coldchain.operate.opening import Wish, admit_all
from coldchain.operate.watching.down import Down
from coldchain.operate.watching.once import Once
from coldchain.steps.identify import Consent


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Connections are made, and then nothing is said for ever."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield listener


@pytest.fixture
def job(tmp_path: Path, silent: socket.socket) -> Job:
    for name in ("source", "near"):
        (tmp_path / name).mkdir()
    known = tmp_path / "known_hosts"
    known.touch()
    url = f"sftp://crew@127.0.0.1:{silent.getsockname()[1]}/data"
    far = Place("far", url, (("known_hosts", str(known)), ("patience", "120 s")))
    near = Place("near", (tmp_path / "near").as_uri())
    return Job("rig", Place("source", (tmp_path / "source").as_uri()), (Destination(near), Destination(far)))


def test_a_destination_that_never_answers_is_asked_without_holding_up_the_others(job: Job) -> None:
    """Its own patience is two minutes."""
    said: list[str] = []
    around = Surroundings("scope-2", lambda: datetime.now(UTC))
    near = Job("rig", job.source, job.destinations[:1])
    begun = time.monotonic()
    with Ledger.empty(datetime.now(UTC)) as ledger:
        assert list(admit_all(near, ledger, Wish(Consent(init=True)), around))
        down = Down(job, around, Once(said.append))
        assert down.ask_all(ledger)
        assert down.names == {"far"}
        assert [one.name for one in down.rest] == ["near"]
        assert said == ["far: it does not answer\n(the others are served meanwhile, and it is tried again)"]
        for _ in range(1000):  # nobody waits for it, and nobody calls it a second time
            assert not down.due(time.monotonic() + 3600)
            assert not down.ask_again(ledger, time.monotonic() + 3600)
    assert time.monotonic() - begun < 60
    assert len(said) == 1


def test_a_destination_that_answers_late_is_back(job: Job, silent: socket.socket, tmp_path: Path) -> None:
    """Here it ends the call; what it says then replaces that it said nothing."""
    said: list[str] = []
    around = Surroundings("scope-2", lambda: datetime.now(UTC))
    with Ledger.empty(datetime.now(UTC)) as ledger:
        list(admit_all(Job("rig", job.source, job.destinations[:1]), ledger, Wish(Consent(init=True)), around))
        down = Down(job, around, Once(said.append))
        assert down.ask_all(ledger)
        silent.close()
        (tmp_path / "near" / ".coldchain").rename(tmp_path / "gone")
        assert down.ask_all(ledger)
        assert down.names == {"near", "far"}
        (tmp_path / "gone").rename(tmp_path / "near" / ".coldchain")
        ends = time.monotonic() + 60
        while "near is back" not in said or not any("cannot be opened" in one for one in said):
            assert time.monotonic() < ends, said
            if down.due(time.monotonic()):
                down.ask_again(ledger, time.monotonic())
            time.sleep(0.05)
        assert down.names == {"far"}
