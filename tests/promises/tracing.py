"""Which system calls did coldchain make, in which order?"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.promises.lab import Lab, Ran

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace shows what is really done")

CHANGING = (
    "creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,copy_file_range,sendfile,"
    "rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,mknod,mknodat,"
    "chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,utime,utimes,futimesat,utimensat,"
    "setxattr,lsetxattr,fsetxattr,removexattr"
)
FLUSHING = "fsync,fdatasync,syncfs,sync_file_range"

_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")


class Call(NamedTuple):
    """One system call."""

    name: str
    arguments: str
    result: int
    begun: int
    """Number of the line on which it began ..."""
    ended: int
    """... and on which it came back."""


def traced(lab: Lab, *words: str, calls: str, shown: int = 200) -> tuple[Ran, list[Call]]:
    """Run the command line and list its calls, in the order in which they began."""
    file = lab.folder / "strace.txt"
    ran = lab.cli(
        *words,
        before=("strace", "-f", "-y", "-s", str(shown), "-e", f"trace={calls}", "-e", "signal=none", "-o", str(file)),
    )
    found = read(file)
    assert found, ran.said
    return ran, found


def read(file: Path) -> list[Call]:
    waiting: dict[str, tuple[int, str]] = {}
    found: list[Call] = []
    for number, line in enumerate(file.read_text(errors="replace").splitlines()):
        matched = _LINE.match(line)
        assert matched, line
        thread, text = matched.groups()
        begun = number
        if text.endswith("<unfinished ...>"):
            waiting[thread] = (number, text.removesuffix("<unfinished ...>").rstrip())
            continue
        if resumed := _RESUMED.match(text):
            begun, first = waiting.pop(thread)
            text = first + resumed[1]
        if call := _CALL.match(text):
            found.append(Call(call[1], call[2], int(call[3]), begun, number))
    return sorted(found, key=lambda call: call.begun)
