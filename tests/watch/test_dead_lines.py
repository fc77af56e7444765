"""Does a watcher serve the others while a server or a whole network says nothing?"""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.links import Cable, laid
from tests.notify.posts import Office, serving
from tests.ports import free_port
from tests.stores.sftp.serving import Sshd
from tests.watch.lab import COLDCHAIN, Lab, until


class Linked(Lab):
    """A job with a destination here and one at the end of a wire."""

    def __init__(self, folder: Path, server: Sshd, cable: Cable) -> None:
        self._server = server
        (folder / "far").mkdir()
        super().__init__(folder, ("near", "far"), wrap=cable.here)

    def configure(self, said: dict[str, str]) -> str:
        """The text of the configuration."""
        text = super().configure(said).replace('url = "far"', f'url = "{self._server.url(self.folder / "far")}"')
        options = {**self._server.options(), "patience": "4 s"}
        return text + "".join(f'{name} = "{value}"\n' for name, value in options.items())


@pytest.fixture
def cable() -> Iterator[Cable]:
    yield from laid()


@pytest.fixture
def linked(cable: Cable, tmp_path: Path) -> Iterator[Linked]:
    server = Sshd(tmp_path / "sshd", free_port(), host=cable.address, wrap=cable.there)
    server.start()
    try:
        lab = Linked(tmp_path, server, cable)
        yield lab
        lab.close()
    finally:
        server.stop()


def events_of(lab: Lab) -> dict[tuple[str, str], int]:
    """How often each file was stored at each destination."""
    with sqlite3.connect(lab.folder / "coldchain-state" / "ledger.sqlite") as connection:
        rows = connection.execute(
            "SELECT destination, path, detail FROM events WHERE kind IN ('stored', 'replaced', 'repaired', 'kept-both')"
        ).fetchall()
    connection.close()
    counts: dict[tuple[str, str], int] = {}
    for destination, path, _ in rows:
        counts[destination, bytes(path).decode()] = counts.get((destination, bytes(path).decode()), 0) + 1
    return counts


@pytest.mark.faults
def test_a_network_that_drops_every_packet_holds_up_nobody_else(linked: Linked, cable: Cable) -> None:
    """The link is cut while an instrument writes; it comes back, and everything is there once."""
    linked.write("first/0")
    linked.start()
    until(linked.is_carried, "the first", 60)
    words = [*COLDCHAIN, "simulate", "ifcb", str(linked.source), "--rate", "100 KB/s"]
    with subprocess.Popen(words, cwd=linked.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as instrument:
        try:
            until(lambda: len(linked.stored("far")) > 1, "something is far away", 60)
            cable.cut()
            until(lambda: "down         far" in linked.type("status").stdout, "that it is away is said", 90)
        finally:
            instrument.kill()
            instrument.communicate()
    for number in range(2):  # while it is asked, and does not answer
        linked.write(f"later/{number}")
        until(lambda number=number: f"later/{number}" in linked.stored("near"), "the near one is served", 60)  # type: ignore[misc]
    assert "later/1" not in linked.stored("far")
    assert "down         far" in linked.type("status").stdout
    cable.mend()
    until(linked.is_carried, "what it missed", 120)
    linked.judge()
    assert set(events_of(linked).values()) == {1}
    assert linked.said.count("the others are served meanwhile") <= 4, linked.said


def test_it_stops_while_nobody_answers(linked: Linked, cable: Cable) -> None:
    linked.write("one/first")
    linked.start()
    until(linked.is_carried, "the first", 60)
    cable.cut()
    linked.write("one/second")
    until(lambda: "far" in linked.type("status").stdout, "somewhere in the middle")
    assert linked.type("stop").returncode == 0
    assert linked.process is not None
    assert linked.process.wait(10) in {0, 130}
    linked.process = None
    cable.mend()
    linked.start()
    until(linked.is_carried, "the second", 120)
    linked.judge()


def test_a_mail_server_that_says_nothing_holds_up_nobody(tmp_path: Path) -> None:
    office = Office(stall_s=600)
    with serving(office) as port:
        people = 'sender = "rig@example.org", to = ["crew@example.org"]'
        mail = f'{{ host = "127.0.0.1", port = {port}, {people}, security = "none" }}'
        lab = Mailing(tmp_path, f"[notify.crew]\nmail = {mail}\n")
        (lab.at["near"] / "one").mkdir()
        (lab.at["near"] / "one" / "wrong").write_bytes(b"somebody else's")
        lab.write("one/wrong")
        lab.start()
        until(lambda: lab.waiting_messages() > 0, "a message waits", 60)
        try:
            lab.write("two/0")
            until(lambda: "two/0" in lab.stored(), "the others", 60)
            assert "a message waits" not in lab.said, "the server is given up after 20 s: it was waited for"
            assert lab.type("stop").returncode == 0
            assert lab.process is not None
            assert lab.process.wait(30) == 0
            lab.process = None
        finally:
            lab.close()
    until(lambda: lab.waiting_messages() == 1, "it is not lost")


class Mailing(Lab):
    """A job whose people hear of it."""

    def __init__(self, folder: Path, more: str) -> None:
        self._more = more
        super().__init__(folder)

    def configure(self, said: dict[str, str]) -> str:
        """The text of the configuration."""
        text = super().configure(said)
        return text.replace("settle =", 'notify = ["crew"]\nsettle =') + self._more
