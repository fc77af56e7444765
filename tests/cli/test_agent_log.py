"""Is everything that a watcher said in its log, however long it talks, and whenever it is killed?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TALKER = """
import os, sys, threading
from pathlib import Path
from coldchain.cli.agent_log import said_into
from coldchain.config.values import Logs

def talk(who):
    for number in range(500):
        print(f"{who} {number}", file=sys.stderr if number % 2 else None)

with said_into(Path(sys.argv[1]), Logs(keep=int(sys.argv[2]), size_bytes=1000)):
    threads = [threading.Thread(target=talk, args=(who,)) for who in ("left", "right")]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print("half a ", end="")
    print("line \\udcff")
    os.system("echo by a child")
    os.kill(os.getpid(), 9) if sys.argv[3] == "killed" else None
print("to the terminal again")
"""


def talked(file: Path, keep: int, how: str) -> subprocess.CompletedProcess[bytes]:
    words = [sys.executable, "-c", TALKER, str(file), str(keep), how]
    return subprocess.run(words, capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("how", ["killed", "ended"])
def test_every_line_is_there_once_in_files_that_are_not_long(tmp_path: Path, how: str) -> None:
    file = tmp_path / "logs" / "rig.agent.log"
    ended = talked(file, 50, how)
    assert ended.stderr == b""
    files = [file.with_name(f"{file.name}.{number}") for number in range(50, 0, -1)]
    pieces = [one.read_bytes() for one in [*files, file] if one.exists()]
    assert len(pieces) > 3
    assert all(len(piece) <= 1000 + len("by a child\n") for piece in pieces)
    lines = b"".join(pieces).splitlines()
    assert lines[-2:] == [b"half a line \\udcff", b"by a child"]
    assert ended.stdout == (b"" if how == "killed" else b"to the terminal again\n")
    for who in ("left", "right"):
        assert [line for line in lines if line.startswith(who.encode())] == [
            b"%s %d" % (who.encode(), n) for n in range(500)
        ]


@pytest.mark.parametrize("keep", [0, 2])
def test_only_so_many_old_ones_are_kept(tmp_path: Path, keep: int) -> None:
    file = tmp_path / "rig.agent.log"
    talked(file, keep, "ended")
    assert len(list(tmp_path.iterdir())) == keep + 1
    assert file.read_bytes().endswith(b"by a child\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that is always full is Linux' own")
def test_a_full_disk_ends_nobody(tmp_path: Path) -> None:
    (tmp_path / "rig.agent.log").symlink_to("/dev/full")
    assert talked(tmp_path / "rig.agent.log", 2, "ended").returncode == 0
