"""A folder that is shown again elsewhere, with faults: python fuse_fault.py BACKING MOUNT RULES [--direct].

RULES is a JSON file that is read before each call, so that a test changes it while the folder is mounted::

    {"fold": true,            names that differ by case are one file
     "nfd": true,             names are kept decomposed
     "strip": ".",            these characters are dropped from the end of a name
     "types": true,           a listing says what is a folder
     "short": 1000,           write() takes at most so many bytes (with --direct)
     "faults": [{"op": "fsync", "errno": 5, "match": "a", "skip": 1, "times": 2},
                {"op": "write", "errno": 5, "every": 2}]}
"""

from __future__ import annotations

import errno
import json
import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

import mfusepy  # type: ignore[import-untyped]

_STAT = ("st_mode", "st_ino", "st_nlink", "st_uid", "st_gid", "st_size", "st_atime_ns", "st_mtime_ns", "st_ctime_ns")


class Faulty(mfusepy.Operations):  # type: ignore[misc]
    use_ns = True

    def __init__(self, backing: str, rules: str) -> None:
        self._backing, self._rules_path = backing, rules
        self._met: Counter[int] = Counter()

    def _rules(self) -> dict[str, Any]:
        with open(self._rules_path, encoding="utf-8") as file:
            rules: dict[str, Any] = json.load(file)
        return rules

    def _real(self, op: str, path: str) -> str:
        """Where ``path`` lies behind the mount; raises what the rules want of ``op``."""
        rules = self._rules()
        for number, fault in enumerate(rules.get("faults", [])):
            if fault["op"] == op and fault.get("match", "") in path:
                self._met[number] += 1
                skip = fault.get("skip", 0)
                strikes = self._met[number] % fault.get("every", 1) == 0
                if strikes and skip < self._met[number] <= skip + fault.get("times", 1 << 30):
                    raise mfusepy.FuseOSError(fault["errno"])
        real = self._backing
        for name in filter(None, path.split("/")):
            real = f"{real}/{self._kept(real, name, rules)}"
        return real

    @staticmethod
    def _kept(folder: str, name: str, rules: dict[str, Any]) -> str:
        name = name.rstrip(rules.get("strip", ""))
        if rules.get("nfd"):
            name = unicodedata.normalize("NFD", name)
        if rules.get("fold") and os.path.isdir(folder):
            return next((other for other in os.listdir(folder) if other.casefold() == name.casefold()), name)
        return name

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        status = os.lstat(self._real("getattr", path))
        return {name.removesuffix("_ns"): getattr(status, name) for name in _STAT}

    def readdir(self, path: str, fh: int) -> Iterator[Any]:
        real = self._real("readdir", path)
        names = [".", "..", *os.listdir(real)]
        if not self._rules().get("types"):
            return iter(names)
        return iter([(name, {"st_mode": os.lstat(f"{real}/{name}").st_mode}, 0) for name in names])

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._real("create", path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._real("open", path), flags & ~(os.O_NOFOLLOW | os.O_DIRECT | os.O_CREAT | os.O_EXCL))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._real("read", path)
        return os.pread(fh, min(size, self._rules().get("short", size)), offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._real("write", path)
        return os.pwrite(fh, data[: self._rules().get("short", len(data))], offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._real("truncate", path), length)
        return 0

    def flush(self, path: str, fh: int) -> int:
        self._real("flush", path)
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._real("fsync", path)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._real("fsyncdir", path)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._real("chmod", path), mode)
        return 0

    def utimens(self, path: str, times: tuple[int, int]) -> int:
        os.utime(self._real("utimens", path), ns=times)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self._real("mkdir", path), mode)
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._real("rmdir", path))
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(self._real("unlink", path))
        return 0

    def rename(self, old: str, new: str) -> int:
        os.rename(self._real("rename", old), self._real("rename", new))
        return 0

    def link(self, target: str, source: str) -> int:
        raise mfusepy.FuseOSError(errno.EPERM)

    def statfs(self, path: str) -> dict[str, int]:
        status = os.statvfs(self._backing)
        return {name: getattr(status, name) for name in dir(status) if name.startswith("f_") and name != "f_fsid"}


if __name__ == "__main__":
    backing, mount, rules = sys.argv[1:4]
    mfusepy.FUSE(
        Faulty(backing, rules),
        mount,
        foreground=True,
        nothreads=True,
        direct_io="--direct" in sys.argv,
        attr_timeout=0,
        entry_timeout=0,
    )
