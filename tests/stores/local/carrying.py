"""What do the tests of the local store share: sending, reading, looking, mounting."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from coldchain.errors import StoreError
from coldchain.model import Entry, Oddity
from coldchain.stores.local.base import LocalRoot
from coldchain.stores.local.posix import PosixRoot
from coldchain.stores.local.store import LocalStore
from coldchain.stores.local.windows import WindowsRoot

HERE = Path(__file__).parent
OWNER = "ab12"
MTIME_NS = 1_600_000_000_123_456_789
ROOTS: dict[str, Callable[[str], LocalRoot]] = {"posix": PosixRoot, "windows": WindowsRoot}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems")


def entry(key: str, content: bytes = b"", *, mtime_ns: int = MTIME_NS, mode: int = 0o100640) -> Entry:
    return Entry(key, len(content), mtime_ns, mode=mode)


def send(
    store: LocalStore, files: Mapping[str, bytes], *, old: Mapping[str, Entry] | None = None
) -> dict[str, Entry | StoreError]:
    """All that a batch does: stage, flush, publish."""
    staging = store.stage(OWNER)
    try:
        for key, content in files.items():
            sink = staging.open(key, entry(key, content))
            sink.write(content)
            sink.close()
        staging.flush()
        return staging.publish({key: (old or {}).get(key) for key in files})
    finally:
        staging.close()


def content(store: LocalStore, key: str, *, past_cache: bool = False) -> bytes:
    with store.read(key, past_cache=past_cache) as reader:
        return b"".join(bytes(chunk) for chunk in reader.chunks())


def keys(store: LocalStore, prefix: str = "") -> list[str]:
    found = list(store.list(prefix))
    assert not [item for item in found if isinstance(item, Oddity)]
    return [item.path for item in found]


def oddities(store: LocalStore) -> dict[str, Oddity]:
    return {item.path: item for item in store.list() if isinstance(item, Oddity)}


def standing(folder: Path) -> dict[str, bytes]:
    """Every plain file below a folder, as the system shows it."""
    found = (Path(top) / name for top, _, names in os.walk(folder) for name in names)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.is_file()}


def run(*command: str | Path) -> str:
    until = time.monotonic() + 10
    while True:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if "target is busy" not in done.stderr or time.monotonic() > until:
            break  # who looks through /proc for writers, as other tests do, holds a mount for a moment
        gc.collect()  # and the errors that a test caught hold the frames that they came through
        time.sleep(0.05)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def watched(calls: str, file: Path) -> Iterator[None]:
    """Let the system write down the calls that this process makes meanwhile, the path behind each descriptor included.

    Of this very process, and not of one that is started: so a mistake that was put into the code here is seen.
    """
    command = ["strace", "-f", "-y", "-qq", "-e", f"trace={calls}", "-o", str(file), "-p", str(os.getpid())]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    until = time.monotonic() + 20
    while "TracerPid:\t0\n" in Path("/proc/thread-self/status").read_text():
        assert process.poll() is None, "the calls of this process cannot be watched"
        assert time.monotonic() < until
        time.sleep(0.01)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


class Mounts(contextlib.ExitStack):
    """File systems below one folder; all are gone when the stack ends."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder, self._count = folder, 0

    def _place(self, name: str) -> Path:
        self._count += 1
        place = self._folder / f"{name}{self._count}"
        place.mkdir()
        return place

    def tmpfs(self, options: str = "size=1m") -> Path:
        place = self._place("tmpfs")
        run("mount", "-t", "tmpfs", "-o", options, "tmpfs", place)
        self.callback(run, "umount", "-l", place)
        return place

    def image(self, *make: str, size: str = "16M", folder: Path | None = None) -> Path:
        self._count += 1
        image = (folder or self._folder) / f"image{self._count}"
        run("truncate", "-s", size, image)
        run(*make, image)
        return image

    def loop(self, image: Path) -> str:
        device = run("losetup", "--find", "--show", image).strip()
        self.callback(run, "losetup", "--detach", device)
        return device

    def ext4(self, image: Path) -> Path:
        return self.mount("ext4", image)

    def mount(self, kind: str, image: Path) -> Path:
        place = self._place(kind)
        run("mount", "-t", kind, "-o", "loop", image, place)
        self.callback(run, "umount", "-l", place)
        return place

    def exfat(self) -> Path:
        place = self._place("exfat")
        run("mount.exfat-fuse", self.loop(self.image("mkfs.exfat")), place)
        self.callback(run, "umount", "-l", place)
        return place

    def ntfs(self) -> Path:
        place = self._place("ntfs")
        run("ntfs-3g", "-o", "windows_names", self.image("mkfs.ntfs", "-F", "-Q"), place)
        self.callback(run, "umount", "-l", place)
        return place

    def fuse(self, rules: Mapping[str, object], *options: str) -> Faulted:
        place, backing = self._place("fuse"), self._place("backing")
        faulted = Faulted(place, backing, self._folder / f"rules{self._count}.json")
        faulted.rules(rules)
        command = [sys.executable, *map(str, (HERE / "fuse_fault.py", backing, place, faulted.file)), *options]
        server = subprocess.Popen(command)
        self.callback(server.wait, 60)
        self.callback(gc.collect)  # see `run`
        self.callback(run, "umount", "-l", place)
        deadline = time.monotonic() + 60
        while not place.is_mount():
            assert server.poll() is None, "the faulty file system did not start"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return faulted


class Faulted:
    """A faulty file system: where it is mounted, what lies behind, and its rules."""

    def __init__(self, place: Path, backing: Path, file: Path) -> None:
        self.place, self.backing, self.file = place, backing, file

    def rules(self, rules: Mapping[str, object]) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(rules))
        new.replace(self.file)
