"""Does the server put a file's bytes onto its disk before the name appears, and then the name?"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from coldchain.testing.contract.acts import arrived, put_in, some_bytes, staging_of
from tests.stores.smb.serving import Server

_CALL = re.compile(r"(fsync|fdatasync|renameat2?|rename)\(")


@pytest.mark.parametrize("size_bytes", [0, 100, 300_000])
def test_bytes_are_flushed_then_the_name_appears_then_the_folder_is_flushed(
    own_samba: Server, tmp_path: Path, size_bytes: int
) -> None:
    """P4, as the calls of Samba's own process show."""
    if shutil.which("strace") is None:
        pytest.skip("no strace: scripts/install_test_servers.sh")
    own_samba.place("durable")
    store = own_samba.store("durable")
    calls = tmp_path / "calls"
    with staging_of(store) as staging:
        put_in(staging, "warm/up", b"x")
        staging.flush()
        arrived(staging.publish({"warm/up": None})["warm/up"])
        tracers = [_trace(child, Path(f"{calls}.{child}")) for child in own_samba.children()]
        put_in(staging, "warm/file", some_bytes(size_bytes))
        staging.flush()
        arrived(staging.publish({"warm/file": None})["warm/file"])
        for tracer in tracers:
            tracer.terminate()
            tracer.communicate(timeout=10)
    (made,) = [found for file in tmp_path.glob("calls.*") if (found := _order(file.read_text()))]
    assert made == ["sync", "name", "sync"]


def _trace(process: int, calls: Path) -> subprocess.Popen[bytes]:
    command = ["strace", "-f", "-y", "-p", str(process), "-o", str(calls)]
    tracer = subprocess.Popen(
        [*command, "-e", "trace=fsync,fdatasync,rename,renameat,renameat2"], stderr=subprocess.PIPE
    )
    assert tracer.stderr is not None
    until = time.monotonic() + 10
    while b"attached" not in tracer.stderr.readline():
        assert time.monotonic() < until
    return tracer


def _order(calls: str) -> list[str]:
    """What happened to the place, without Samba's own databases."""
    lines = [line for line in calls.splitlines() if "/share/durable" in line and "resumed" not in line]
    return ["name" if found[1].startswith("rename") else "sync" for line in lines if (found := _CALL.search(line))]
