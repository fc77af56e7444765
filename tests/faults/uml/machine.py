"""How does a test boot a machine of its own, and cut its power?

User-Mode Linux is a Linux kernel that runs as a process.  Its root is this machine's, read-only; its disks are files
here.  Killing it loses what its kernel had not yet written to a disk, as a power cut does (the page cache is the
guest's own memory), and keeps what it had.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import pytest

from tests.conftest import REPOSITORY
from tests.stores.local.carrying import run

KERNEL = shutil.which("linux.uml")
MODULES = Path("/usr/lib/uml/modules")

needs_machine = pytest.mark.skipif(
    KERNEL is None or os.geteuid() != 0,
    reason="boots a machine: wants user-mode-linux of Debian, and root",
)

DISK = "/run/disk"
"""Where a guest has its first disk."""

_BEGIN = """\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1
export PYTHONPATH={source}
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /run
mkdir -p /run/disk /run/other /run/lock
mount -t devtmpfs dev /dev 2>/dev/null
ip link set lo up 2>/dev/null
coldchain() {{ {python} -m coldchain "$@"; }}
load() {{ for module; do modprobe -d {modules} $module || echo "NO-MODULE $module"; done; }}
echo GUEST-IS-UP
"""
_END = """
echo GUEST-IS-DONE
sync
halt -f
"""


class Machine:
    """One boot of a machine: runs a script of the shell, says what it prints, and dies when told."""

    def __init__(self, folder: Path, script: str, disks: Mapping[str, Path], *, memory_mib: int = 384) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        begin = folder / "begin.sh"
        source = os.environ.get("PYTHONPATH") or str(REPOSITORY / "src")
        modules = module_root(folder)
        begin.write_text(_BEGIN.format(python=sys.executable, source=source, modules=modules) + script + _END)
        begin.chmod(0o755)
        assert KERNEL is not None
        command = [
            KERNEL, f"mem={memory_mib}M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
            "con=null", "con0=fd:0,fd:1", f"uml_dir={folder}", f"init={begin}",
            *(f"{name}={path}" for name, path in disks.items()),
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"TMPDIR": str(folder)},  # its memory is a file there
        )
        self.said: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.cut()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            text = line.decode(errors="replace").rstrip()
            self.said.append(text)
            self._lines.put(text)
        self._lines.put(None)

    def wait_for(self, word: str, *, timeout_s: float = 120) -> str:
        """Wait until a line holds a word; returns the line."""
        ends = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, ends - time.monotonic()))
            except queue.Empty:
                self.cut()
                raise AssertionError(f"the machine never said {word!r}: {self.said[-40:]}") from None
            if line is None:
                raise AssertionError(f"the machine went down before it said {word!r}: {self.said[-40:]}")
            if word in line:
                return line

    def wait_s(self, seconds: float) -> None:
        """Let the machine run on for a while."""
        time.sleep(seconds)

    def cut(self) -> None:
        """Cut the power."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def finish(self, *, timeout_s: float = 180) -> list[str]:
        """Wait until the script ended and the machine was shut down in order; returns all lines."""
        self.wait_for("GUEST-IS-DONE", timeout_s=timeout_s)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self.cut()
        return self.said


def module_root(folder: Path) -> Path:
    """A folder from which ``modprobe -d`` takes the modules of the guest's kernel; made once."""
    lib = folder / "modules" / "lib"
    if not lib.exists():
        lib.mkdir(parents=True)
        (lib / "modules").symlink_to(MODULES)
    return lib.parent


def make_disk(path: Path, kind: str, size_mib: int) -> Path:
    """A new disk with a file system."""
    with path.open("wb") as file:
        file.truncate(size_mib << 20)
    force = {"ext4": ("-F", "-q"), "xfs": ("-f", "-q"), "btrfs": ("-f", "-q"), "vfat": ()}[kind]
    run(f"/usr/sbin/mkfs.{kind}" if Path(f"/usr/sbin/mkfs.{kind}").exists() else f"mkfs.{kind}", *force, path)
    return path


@contextlib.contextmanager
def mounted(disk: Path, place: Path) -> Iterator[Path]:
    """The disk as the next boot sees it: its journal is played back by the kernel of this machine."""
    place.mkdir(exist_ok=True)
    run("mount", "-o", "loop", disk, place)
    try:
        yield place
    finally:
        run("umount", place)
