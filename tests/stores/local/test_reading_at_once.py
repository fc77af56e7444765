"""Are small files that are read many at once those that were asked for, whatever the system says of some of them?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from coldchain.stores.local import aio
from coldchain.stores.local.base import ReadsAtOnce
from coldchain.stores.local.posix import PosixRoot
from coldchain.stores.local.store import LocalStore
from tests.stores.local.carrying import OWNER, Mounts, entry, needs_root, watched
from tests.stores.local.test_reading import descriptors

NAMES = [f"f{number:02}" for number in range(40)]
CHILD = f"""
import os, sys
from coldchain.model import Entry
from coldchain.stores.local.store import LocalStore

staging = LocalStore(sys.argv[1]).stage({OWNER!r})
bodies = {{f"f{{number:02}}": os.urandom(1 + 997 * number) for number in range(40)}}
for key, body in bodies.items():
    sink = staging.open(key, Entry(key, len(body), 1, mode=0o100644))
    sink.write(body)
    sink.close()
staging.flush()
for key, body in bodies.items():
    with staging.read_back(key) as reader:
        assert b"".join(map(bytes, reader.chunks())) == body, key
        assert reader.entry.size_bytes == len(body)
        print(reader.how)
staging.close()
assert not os.listdir(sys.argv[1])
"""


def body(key: str) -> bytes:
    return key.encode() * 1500


def staged(store: LocalStore) -> dict[str, bytes]:
    """All files, read back after a flush."""
    staging = store.stage(OWNER)
    try:
        for key in NAMES:
            sink = staging.open(key, entry(key))
            sink.write(body(key))
            sink.close()
        staging.flush()
        found = {}
        for key in NAMES:
            with staging.read_back(key) as reader:
                assert reader.how == "direct"
                found[key] = b"".join(map(bytes, reader.chunks()))
    finally:
        staging.close()
    return found


@pytest.fixture
def disk(mounts: Mounts) -> Path:
    return mounts.ext4(mounts.image("mkfs.ext4", "-q"))


@needs_root
def test_p02_they_are_asked_for_together_past_the_cache_and_nothing_stays_open(disk: Path, tmp_path: Path) -> None:
    store = LocalStore(str(disk))
    assert staged(store) == {key: body(key) for key in NAMES}
    before = descriptors()
    with watched("io_submit,openat,pread64,read", tmp_path / "calls"):
        assert staged(store) == {key: body(key) for key in NAMES}
    assert descriptors() <= before
    calls = (tmp_path / "calls").read_text().splitlines()
    asked = [line for line in calls if "io_submit(" in line]
    assert len(asked) == -(-len(NAMES) // aio.AT_ONCE), asked
    opened = [line for line in calls if "O_RDONLY" in line and ".coldchain" in line]
    assert len(opened) == len(NAMES)
    assert all("O_DIRECT" in line for line in opened)
    assert not [
        line for line in calls if line.partition(" ")[2].startswith(("read(", "pread64(")) and str(disk) in line
    ]
    store.close()


@needs_root
@pytest.mark.parametrize(
    "refusal",
    [
        "io_setup:error=ENOSYS",
        "io_setup:error=EAGAIN",
        "io_submit:error=EAGAIN",
        "io_submit:error=EINVAL:when=2",
        "io_getevents:error=EINTR:when=1..3",
    ],
)
def test_p02_where_the_system_refuses_each_file_is_read_by_itself(disk: Path, refusal: str) -> None:
    assert shutil.which("strace"), "needs the Debian package strace"
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"inject={refusal}", sys.executable, "-c", CHILD]
    shutil.rmtree(disk / "lost+found")
    done = subprocess.run([*command, str(disk)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["direct"] * len(NAMES)


class _Odd:
    """Reads of which some fail, and some end early or late."""

    def __init__(self, reads: ReadsAtOnce) -> None:
        self._reads = reads

    def begin(self, files: Sequence[tuple[int, int]]) -> None:
        self._reads.begin(files)

    def finish(self) -> list[bytes | None]:
        found = self._reads.finish()
        odd = {1: None, 2: b"", 3: (found[3] or b"")[:-1], 4: (found[4] or b"") + b"x"}
        return [odd.get(number, content) for number, content in enumerate(found)]

    def give_back(self) -> None:
        self._reads.give_back()


class _OddRoot(PosixRoot):
    def reads_at_once(self) -> ReadsAtOnce | None:
        reads = super().reads_at_once()
        assert reads is not None
        return _Odd(reads)


@needs_root
def test_p02_a_read_that_failed_or_gave_too_little_or_too_much_is_done_again(disk: Path) -> None:
    store = LocalStore(str(disk), _OddRoot)
    assert staged(store) == {key: body(key) for key in NAMES}
    store.close()


@needs_root
def test_p02_a_file_that_somebody_made_longer_is_read_to_its_end(disk: Path) -> None:
    """Whatever stands there now is what is proved, or not."""
    store = LocalStore(str(disk))
    staging = store.stage(OWNER)
    for key in ("a", "b"):
        sink = staging.open(key, entry(key))
        sink.write(b"x" * 4096)
        sink.close()
    staging.flush()
    for path in disk.glob(".*.coldchain"):
        with path.open("ab") as file:
            file.write(b"y" * (300 << 10))
            file.flush()
            os.fsync(file.fileno())
    for key in ("a", "b"):
        with staging.read_back(key) as reader:
            assert b"".join(map(bytes, reader.chunks())) == b"x" * 4096 + b"y" * (300 << 10)
    staging.close()
    store.close()


@needs_root
def test_what_one_batch_gave_back_serves_the_next_one(disk: Path) -> None:
    store = LocalStore(str(disk))
    staged(store)
    reads = aio.lend()
    assert reads is not None
    reads.give_back()
    for _ in range(3):
        staged(store)
    assert aio.lend() is reads
    reads.give_back()
    store.close()
