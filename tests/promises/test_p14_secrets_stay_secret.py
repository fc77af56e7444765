"""P14: secrets never reach a log, the ledger, a report, an error message or the process list."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.promises.lab import Lab

CANARY = "c4nary-pa55word"
COMMANDS = [
    ("run", "--init"),
    ("run", "--json"),
    ("plan",),
    ("doctor",),
    ("check",),
    ("list",),
    ("history",),
    ("rebuild",),
]


def give_secret(lab: Lab) -> None:
    env = lab.folder / ".env"
    env.write_text(f"LEDGER_PASSWORD={CANARY}\n")
    env.chmod(0o600)
    lab.configure(more='ledger = "postgresql://me:${LEDGER_PASSWORD}@127.0.0.1:1/ledger?connect_timeout=2"')


@pytest.mark.parametrize("words", COMMANDS)
def test_the_password_of_the_ledger_is_in_no_output_and_no_file(lab: Lab, words: tuple[str, ...]) -> None:
    lab.acquire(1)
    give_secret(lab)
    done = lab.cli(*words)
    assert done.code != 0
    assert CANARY not in done.said
    assert "127.0.0.1" in done.said
    for file in lab.folder.rglob("*"):
        if file.is_file() and file.name != ".env":
            assert CANARY.encode() not in file.read_bytes(), file


def test_it_is_not_in_the_process_list(lab: Lab) -> None:
    lab.acquire(1)
    give_secret(lab)
    seen: set[bytes] = set()
    with lab.started("run", "--init") as process:
        while process.poll() is None:
            for name in ("cmdline", "comm"):
                try:
                    seen.add(Path(f"/proc/{process.pid}/{name}").read_bytes())
                except OSError:
                    break
            time.sleep(0.005)
    assert any(b"coldchain" in text for text in seen)
    assert not any(CANARY.encode() in text for text in seen)


def test_a_secret_that_others_can_read_is_refused_with_the_command_that_mends_it(lab: Lab) -> None:
    lab.acquire(1)
    give_secret(lab)
    (lab.folder / ".env").chmod(0o644)
    done = lab.cli("run", "--init")
    assert done.code == 2, done.said
    assert "chmod" in done.err
    assert CANARY not in done.said


def test_a_password_on_the_command_line_is_refused_and_not_repeated(lab: Lab) -> None:
    done = lab.cli("run", "--set", f"ledger=postgresql://me:{CANARY}@127.0.0.1:1/x")
    assert done.code == 2, done.said
    assert CANARY not in done.said
