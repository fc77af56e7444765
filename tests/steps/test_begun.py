"""What does the next run know of what a killed one published, and what does it not believe?"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from coldchain.model import Digest, Entry, ProofKind
from coldchain.steps.begun import forget, note, notes_in, recall
from tests.promises.lab import Lab

ENTRY = Entry(os.fsdecode(b"run/\xff\n.raw"), 3, 4, 5, 6, 0o644)
DIGEST = Digest("sha256", "ab")


def test_what_was_written_down_is_known_by_destination_and_path_and_proves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "begun" / "lab"
    note(str(folder / "a.0"), "nas", [(ENTRY, "key", DIGEST), (ENTRY._replace(path="b"), "b", DIGEST)])
    note(str(folder / "a.1"), "usb", [(ENTRY, "key", DIGEST)])
    known = recall(notes_in(folder))
    assert {name: set(records) for name, records in known.items()} == {"nas": {ENTRY.path, "b"}, "usb": {ENTRY.path}}
    record = known["nas"][ENTRY.path]
    assert (record.key, record.digest, record.size_bytes, record.source_inode) == ("key", DIGEST, 3, 6)
    assert record.proof_kind is ProofKind.SIZE
    assert folder.parent.stat().st_mode & 0o077 == 0
    forget(notes_in(folder))
    assert recall(notes_in(folder)) == {}


@pytest.mark.parametrize(
    "line",
    [
        b'["nas", ["b", 1, 2, 3, 4, 5], "b", ["sha256", "a',
        b"\xff\xfe",
        b"7",
        b'["nas"]',
        b'["nas", ["b", "1", 2, 3, 4, 5], "b", ["sha256", "ab"]]',
        b'["nas", ["b", 1, 2, 3, 4, 5], null, ["sha256", "ab"]]',
        b"[" * 100_000,
    ],
)
def test_a_line_that_makes_no_sense_says_nothing(tmp_path: Path, line: bytes) -> None:
    note(str(tmp_path / "a"), "nas", [(ENTRY, "key", DIGEST)])
    with (tmp_path / "a").open("ab") as file:
        file.write(line + b"\n")
    assert set(recall(notes_in(tmp_path))["nas"]) == {ENTRY.path}


def test_nothing_is_worse_where_it_cannot_be_written_or_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    note(str(tmp_path / "file" / "a"), "nas", [(ENTRY, "key", DIGEST)])
    assert notes_in(tmp_path / "file") == notes_in(tmp_path / "nowhere") == []
    assert recall([tmp_path / "nowhere"]) == {}


def left(lab: Lab, path: str, content: bytes, *, said: bytes) -> None:
    """A killed run published a copy; ``said``: of which content it had written that down."""
    file = lab.write(path, content)
    seen = file.stat()
    entry = Entry(path, len(content), seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino, seen.st_mode)
    (lab.nas / path).parent.mkdir(parents=True, exist_ok=True)
    (lab.nas / path).write_bytes(content)
    digest = Digest("sha256", hashlib.sha256(said).hexdigest())
    note(str(lab.state / "begun" / "lab" / "a.0"), "nas", [(entry, path, digest)])


@pytest.fixture
def done(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    lab.write("run/other", b"other")
    assert lab.cli("run", "--init").code == 0
    return lab


def test_p11_what_a_killed_run_published_is_replaced_when_the_source_was_written_anew(done: Lab) -> None:
    left(done, "run/a", b"first", said=b"first")
    done.write("run/a", b"second")
    plan = done.cli("plan")
    assert "refuse" not in plan.said
    ran = done.cli("run")
    assert ran.code == 0, ran.said
    assert (done.nas / "run/a").read_bytes() == b"second"
    assert notes_in(done.state / "begun" / "lab") == []


def test_p05_what_is_not_what_was_written_down_is_left_alone(done: Lab) -> None:
    left(done, "run/a", b"theirs", said=b"_mine_")
    done.write("run/a", b"second")
    ran = done.cli("run")
    assert ran.code == 3
    assert "left alone" in ran.said
    assert (done.nas / "run/a").read_bytes() == b"theirs"
    assert notes_in(done.state / "begun" / "lab")
