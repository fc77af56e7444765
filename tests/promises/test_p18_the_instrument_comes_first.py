"""P18: reading never blocks, slows or breaks an acquisition; a file that is being written is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import cast

import pytest

from coldchain.content.digests import digest_of
from coldchain.model import Entry, Manner, Place, ProofKind, Target, Verified
from coldchain.steps.abreast import LaneThread
from coldchain.steps.lane import Lane
from coldchain.stores.base import Store, open_store
from coldchain.testing import SlowStore
from tests.promises.lab import Hook, Lab, data, reasons, states, writer
from tests.promises.tracing import needs_strace, traced

PROMPT_S = 8
"""A lease that somebody holds keeps a writer waiting for 45 s."""
DEEDS = {
    "append": "open(sys.argv[1], 'ab').write(b'more')",
    "rewrite": "f = open(sys.argv[1], 'r+b'); f.write(b'new'); f.close()",
    "truncate": "os.truncate(sys.argv[1], 5)",
    "rename": "os.rename(sys.argv[1], sys.argv[1] + '.done')",
    "remove": "os.unlink(sys.argv[1])",
    "lock": "import fcntl; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)",
}


def test_a_file_that_is_open_for_writing_is_left_alone_and_its_writer_named(lab: Lab) -> None:
    file = lab.write("run/x", b"half")
    lab.write("run/y", b"whole")
    with writer(file):
        report = lab.run()
    assert states(report) == {"held": 1, "verified": 1}
    assert "open in python" in reasons(report)["run/x"]
    assert data(lab.nas) == {"run/y": b"whole"}
    assert lab.run().exit_code == 0


def test_a_file_that_is_opened_for_writing_after_the_plan_is_left_alone(lab: Lab) -> None:
    lab.write("run/a", os.urandom(3 << 20))
    late = lab.write("run/z", b"half")
    held: list[subprocess.Popen[bytes]] = []
    text = "import sys; f = open(sys.argv[1], 'r+b'); print('open', flush=True); sys.stdin.read()"

    def open_it() -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", text, str(late)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        held.append(process)

    report = lab.run(monitor=Hook(open_it), workers=1)
    for process in held:
        process.communicate(timeout=10)
    assert states(report) == {"held": 1, "verified": 1}
    assert "still being written" in reasons(report)["run/z"]
    assert set(data(lab.nas)) == {"run/a"}


@pytest.mark.parametrize("deed", DEEDS)
def test_whatever_the_instrument_does_to_a_file_that_is_being_read_is_done_at_once(lab: Lab, deed: str) -> None:
    file = lab.write("run/x", os.urandom(5 << 20))

    def do() -> None:
        subprocess.run([sys.executable, "-c", f"import os, sys; {DEEDS[deed]}", file], check=True, timeout=PROMPT_S)

    report = lab.run(monitor=Hook(do))
    assert report.exit_code in {0, 3}
    copies = data(lab.nas)
    assert copies.get("run/x") in {None, *data(lab.source).values()} or deed in {"rename", "remove"}


@needs_strace
def test_every_file_is_read_once_for_both_destinations(two: Lab) -> None:
    two.acquire(20)
    two.write("run/large.bin", os.urandom(33 << 20))
    done, calls = traced(two, "run", "--init", calls="read,pread64,readv,mmap,copy_file_range,sendfile")
    assert done.code == 0, done.said
    for name, content in data(two.source).items():
        taken = sum(max(c.result, 0) for c in calls if f"<{two.source}/{name}>" in c.arguments)
        assert taken == len(content), name
    assert data(two.roots["nas"]) == data(two.roots["usb"]) == data(two.source)


def test_a_destination_that_hangs_does_not_hold_the_other_up(two: Lab) -> None:
    fast, usb = (open_store(Place(name, str(root))) for name, root in two.roots.items())
    slow = SlowStore(usb)
    stall = slow.stall("sink.write")
    over = threading.Event()
    lanes = {
        "nas": LaneThread(Lane("nas", fast, "ab", ProofKind.READBACK, fast.volume()), 0.2, lambda: None),
        "usb": LaneThread(Lane("usb", cast("Store", slow), "ab", ProofKind.READBACK, fast.volume()), 0.2, over.set),
    }
    content, pieces = bytes(1 << 20), 40
    digest, size_bytes = digest_of("sha256", [content] * pieces)
    for name, lane in lanes.items():
        lane.begin(Entry("x", size_bytes, 1, mode=0o644), Target(name, "x", Manner.NEW, "new"))
    for _ in range(pieces):
        for lane in lanes.values():
            lane.take(content)
    for lane in lanes.values():
        lane.finish(digest)
        lane.begin_to_settle()
    settled = lanes["nas"].settle()
    assert settled is not None
    assert [type(outcome) for outcome in settled] == [Verified]
    assert lanes["usb"].settle() is None  # it dropped out, and its files get a read of their own
    stall.release()
    assert over.wait(10)
    assert data(two.roots["nas"]) == {"x": content * pieces}
    assert data(two.roots["usb"]) == {}
