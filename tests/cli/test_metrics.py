"""``coldchain metrics`` at the command line, and what it answers at an address."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from coldchain.operate.watching.agent import AgentState, agent_lock, write_state
from tests.cli.conftest import CONFIGURATION, Desk

Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Values:
    """What a reader of the format makes of it; every family says what it is."""
    values: Values = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.name.startswith("coldchain_")
        for sample in family.samples:
            values[sample.name.removeprefix("coldchain_"), tuple(sorted(sample.labels.items()))] = sample.value
    return values


def value(values: Values, name: str, **labels: str) -> float:
    return values[name, tuple(sorted(labels.items()))]


def agents(desk: Desk) -> Path:
    folder = desk.folder / "coldchain-state" / "agents"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def a_watcher_was_started(desk: Desk) -> None:
    moment = datetime.now(UTC)
    write_state(agents(desk), AgentState("rig", 1, "ship", "1", moment, moment))


def test_a_good_run_in_numbers(stored: Desk) -> None:
    values = parsed(stored.type("metrics").out)
    assert value(values, "last_run_exit_code", job="rig") == 0
    assert value(values, "last_run_files", job="rig", destination="near", state="verified") == 4
    assert value(values, "last_run_bytes", job="rig", destination="near", state="verified") == 800
    assert value(values, "backlog_files", job="rig", destination="near") == 0
    assert value(values, "agent_up", job="rig") == 0
    for name in ("last_run_timestamp_seconds", "last_success_timestamp_seconds"):
        assert abs(value(values, name, job="rig") - time.time()) < 60
    assert abs(value(values, "oldest_proof_timestamp_seconds", job="rig", destination="near") - time.time()) < 60


def test_what_is_held_is_a_backlog(desk: Desk) -> None:
    assert desk.type("run", "--init", "--set", "jobs.rig.settle=1 h").code == 3
    values = parsed(desk.type("metrics", "rig").out)
    assert value(values, "last_run_exit_code", job="rig") == 3
    assert value(values, "backlog_files", job="rig", destination="near") == 4
    assert ("last_success_timestamp_seconds", (("job", "rig"),)) not in values


def test_before_the_first_run_there_are_metrics_too(desk: Desk) -> None:
    ended = desk.type("metrics")
    assert ended.code == 0
    assert value(parsed(ended.out), "agent_started", job="rig") == 0
    assert not (desk.folder / "coldchain-state").exists()


def test_no_name_of_a_file_or_dataset_is_told(stored: Desk) -> None:
    out = stored.type("metrics").out
    assert not re.search(r"tif|\bone\b|\btwo\b", out)
    assert str(stored.folder) not in out


def test_a_watcher_that_died_is_told(stored: Desk) -> None:
    a_watcher_was_started(stored)
    values = parsed(stored.type("metrics").out)
    assert value(values, "agent_started", job="rig") == 1
    assert value(values, "agent_up", job="rig") == 0
    with agent_lock(agents(stored), "rig"):
        assert value(parsed(stored.type("metrics").out), "agent_up", job="rig") == 1


@pytest.mark.parametrize("where", ["127.0.0.1", "127.0.0.1:x", ":80", "127.0.0.1:99999"])
def test_an_address_that_is_none_ends_with_2(stored: Desk, where: str) -> None:
    ended = stored.type("metrics", "--listen", where)
    assert ended.code == 2
    assert "HOST:PORT" in ended.err


@pytest.mark.parametrize("where", ["0.0.0.0:0", "[::]:0", "10.0.0.1:9464"])
def test_an_address_that_others_can_reach_must_be_asked_for(stored: Desk, where: str) -> None:
    ended = stored.type("metrics", "--listen", where)
    assert ended.code == 2
    assert "--public" in ended.err


def test_an_address_that_is_taken_is_said(stored: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = stored.type("metrics", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert ended.code == 2
    assert "cannot listen" in ended.err


class Listening:
    def __init__(self, desk: Desk, program: subprocess.Popen[bytes]) -> None:
        self.desk = desk
        assert program.stdout is not None
        said = program.stdout.readline().decode()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/metrics\n", said)
        assert found, said
        self.port = int(found[1])

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def raw(self, sent: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as line:
            line.sendall(sent)
            answer = b""
            while piece := line.recv(65536):
                answer += piece
        return answer


@pytest.fixture
def listening(stored: Desk) -> Iterator[Listening]:
    program = stored.start("metrics", "--listen", "127.0.0.1:0")
    try:
        yield Listening(stored, program)
        program.terminate()
        out, err = program.communicate(timeout=60)
        assert (program.returncode, out) == (0, b"")
        assert b"Traceback" not in err
    finally:
        if program.poll() is None:
            program.kill()
            program.communicate()


def test_metrics_are_served_and_nothing_else(listening: Listening) -> None:
    status, text = listening.ask("/metrics")
    assert status == 200
    assert value(parsed(text), "last_run_exit_code", job="rig") == 0
    assert listening.ask("/metrics?x=1")[0] == 200
    assert listening.ask("/metrics", "HEAD") == (200, "")
    assert listening.ask("/")[0] == 404
    assert listening.ask("/../../etc/passwd")[0] == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert listening.ask("/metrics", method)[0] == 501


def test_a_name_that_somebody_else_gave_this_address_is_refused(listening: Listening) -> None:
    for host in ("evil.example", f"evil.example:{listening.port}", "127.0.0.1.evil.example", ""):
        assert listening.ask("/metrics", Host=host)[0] == 421
    for host in ("localhost", f"localhost:{listening.port}", f"[::1]:{listening.port}", "127.0.0.1"):
        assert listening.ask("/metrics", Host=host)[0] == 200


def test_requests_that_are_too_large_or_no_requests_are_refused_and_others_still_served(listening: Listening) -> None:
    assert b" 414 " in listening.raw(b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n").splitlines()[0]
    assert b" 431 " in listening.raw(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n").splitlines()[0]
    listening.raw(b"\x16\x03\x01\x00\x00\r\n\r\n")
    slow = [socket.create_connection(("127.0.0.1", listening.port)) for _ in range(8)]
    for line in slow:
        line.sendall(b"GET /metrics HTTP/1.1\r\nx: ")
    assert listening.ask("/metrics")[0] == 200
    for line in slow:
        line.close()


def test_health_says_which_watcher_is_dead(stored: Desk) -> None:
    a_watcher_was_started(stored)
    program = stored.start("metrics", "--listen", "127.0.0.1:0")
    try:
        listening = Listening(stored, program)
        assert listening.ask("/healthz") == (503, "rig: its watcher was started and is dead\n")
    finally:
        program.terminate()
        program.communicate(timeout=60)


def test_health_says_which_job_is_late(desk: Desk) -> None:
    desk.configure(CONFIGURATION.replace('settle = "0 s"', 'settle = "0 s"\nexpect = "1 s"'))
    assert desk.type("run", "--init").code == 0
    limit = time.monotonic() + 20
    while value(parsed(desk.type("metrics").out), "job_late", job="rig") == 0:
        assert time.monotonic() < limit
        time.sleep(0.1)


def test_all_is_well(listening: Listening) -> None:
    assert listening.ask("/healthz") == (200, "all is well\n")


@pytest.mark.skipif(sys.platform == "win32", reason="/proc and signals")
def test_a_drop_now_and_then_does_not_keep_a_line_for_ever(listening: Listening) -> None:
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", listening.port), timeout=30) as line:
        try:
            while time.monotonic() - begun < 30:
                line.sendall(b"G")
                time.sleep(0.2)
        except OSError:
            pass
    assert time.monotonic() - begun < 20


def test_start_lets_somebody_answer_and_stop_ends_it(stored: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stored.configure(CONFIGURATION.replace("version = 1", f'version = 1\nlisten = "127.0.0.1:{port}"'))
    try:
        ended = stored.type("start")
        assert ended.code == 0
        assert f"metrics: http://127.0.0.1:{port}/metrics" in ended.out
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"all is well\n"
        connection.close()
    finally:
        assert stored.type("stop").code == 0
    limit = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            break
        assert time.monotonic() < limit
        time.sleep(0.1)
