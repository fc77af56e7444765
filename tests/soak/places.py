"""Where do the files of a cycle go, and how can each of these places be taken away and brought back?"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tests.soak.server import Weed
from tests.stores.local.carrying import run
from tests.stores.s3.proxy import Proxy
from tests.stores.s3.spoiling import flipped

REPOSITORY = Path(__file__).resolve().parents[2]
CARD_SIZE = "48m"
PASSING = ".coldchain/uploads/"


class Place(Protocol):
    """A destination."""

    name: str

    @property
    def strays(self) -> list[str]:
        """What was written where the place was not."""

    def configuration(self) -> list[str]:
        """Lines of its table in coldchain.toml."""

    def medium(self) -> Path:
        """A folder with what lies there now, got at without coldchain and without its faults."""

    def alter(self, key: str) -> bool:
        """Flip a bit of what is stored; False when nothing stands there."""

    def take_away(self, key: str) -> None:
        """As a person would who was told that it is in the way."""

    def heal(self) -> None:
        """End every fault."""


class Mounted:
    """A folder that is seen elsewhere, as a disk that is plugged in; unplugged, the empty mount point is seen."""

    def __init__(self, behind: Path, point: Path, undo: contextlib.ExitStack) -> None:
        self.behind, self.point = behind, point
        behind.mkdir(exist_ok=True)
        point.mkdir()
        self.strays: list[str] = []
        """What was written into the mount point while nothing was mounted there."""
        self._is_plugged = False  # os.path.ismount does not see a mount from the same file system
        self.plug()
        undo.callback(self.unplug)

    def plug(self) -> None:
        if not self._is_plugged:
            self.strays += sorted(os.listdir(self.point))
            run("mount", "--bind", self.behind, self.point)
            self._is_plugged = True

    def unplug(self) -> None:
        if self._is_plugged:
            run("umount", "-l", self.point)
            self._is_plugged = False

    def heal(self) -> None:
        self.plug()
        self.behind.chmod(0o755)


class Card:
    """A small disk that can be unplugged."""

    name = "card"

    def __init__(self, folder: Path, undo: contextlib.ExitStack) -> None:
        self._disk = folder / "disk"
        self._disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={CARD_SIZE}", "tmpfs", self._disk)
        undo.callback(run, "umount", "-l", self._disk)
        self.mounted = Mounted(self._disk / "card", folder / "card", undo)
        self._ballast = self._disk / "ballast"

    @property
    def strays(self) -> list[str]:
        return self.mounted.strays

    def configuration(self) -> list[str]:
        return [f"url = '{self.mounted.point}'"]

    def medium(self) -> Path:
        return self.mounted.behind

    def fill(self) -> None:
        """Leave no room at all."""
        with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(1 << 12))

    def clear(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def alter(self, key: str) -> bool:
        return _alter(self.medium() / key)

    def take_away(self, key: str) -> None:
        (self.medium() / key).unlink()

    def heal(self) -> None:
        self.clear()
        self.mounted.heal()


class Share:
    """A share that refuses, lies and dawdles, by rules that are written while it is mounted."""

    name = "share"

    def __init__(self, folder: Path, undo: contextlib.ExitStack) -> None:
        self._behind, self.place, self._file = folder / "backing", folder / "share", folder / "rules.json"
        self._behind.mkdir()
        self.place.mkdir()
        self.rules: dict[str, Mapping[str, list[Mapping[str, object]]]] = {}
        self._server: subprocess.Popen[bytes] | None = None
        undo.callback(self.unmount)
        self.strays: list[str] = []
        self.tell()
        self.mount()

    def configuration(self) -> list[str]:
        return [f"url = '{self.place}'"]

    def medium(self) -> Path:
        return self._behind

    def tell(self) -> None:
        """Let the rules hold from the next call on."""
        told = {
            kind: [one for rules in self.rules.values() for one in rules.get(kind, ())] for kind in ("faults", "lies")
        }
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(told))
        new.replace(self._file)

    def mount(self) -> None:
        if self._server is not None:
            return
        self.strays += sorted(os.listdir(self.place))
        command = [sys.executable, "-m", "tests.soak.lying_share", self._behind, self.place, self._file]
        self._server = subprocess.Popen(list(map(str, command)), cwd=REPOSITORY)
        until = time.monotonic() + 30
        while not self.place.is_mount():
            assert self._server.poll() is None, "the share does not start"
            assert time.monotonic() < until, "the share does not start"
            time.sleep(0.02)

    def unmount(self) -> None:
        """Its server dies, and the mount point is empty."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None
            run("umount", "-l", self.place)

    def alter(self, key: str) -> bool:
        return _alter(self.medium() / key)

    def take_away(self, key: str) -> None:
        (self.medium() / key).unlink()

    def heal(self) -> None:
        self.rules.clear()
        self.tell()
        self.mount()


class Bucket:
    """A bucket behind a bad link; what lies in it is fetched past the link."""

    name = "bucket"

    def __init__(self, folder: Path, weed: Weed, proxy: Proxy, undo: contextlib.ExitStack) -> None:
        self._picture, self.weed, self.proxy = folder / "picture", weed, proxy
        self.bucket = weed.server.bucket()
        self.is_suspended = False
        undo.callback(self._remove)
        self.strays: list[str] = []

    def _remove(self) -> None:
        self.heal()
        self.weed.server.remove(self.bucket)

    def configuration(self) -> list[str]:
        return [f"url = 's3://{self.bucket}/data'", f"endpoint = '{self.proxy.endpoint}'", "region = 'us-east-1'"]

    @property
    def is_away(self) -> bool:
        """Its server is down, or does not answer."""
        return self.is_suspended or self.weed.pid is None or not self.weed.answers()

    def medium(self) -> Path:
        shutil.rmtree(self._picture, ignore_errors=True)
        self._picture.mkdir()
        for key in self.weed.server.keys(self.bucket):
            file = self._picture / key.removeprefix("data/")
            file.parent.mkdir(parents=True, exist_ok=True)
            found = self.weed.server.client.get_object(Bucket=self.bucket, Key=key)
            file.write_bytes(found["Body"].read())
        return self._picture

    def alter(self, key: str) -> bool:
        client, name = self.weed.server.client, {"Bucket": self.bucket, "Key": f"data/{key}"}
        if self.is_away or f"data/{key}" not in self.weed.server.keys(self.bucket):
            return False
        found = client.get_object(**name)
        content = found["Body"].read()
        client.put_object(**name, Body=flipped(content), Metadata=found["Metadata"])
        return bool(content)

    def take_away(self, key: str) -> None:
        self.weed.server.client.delete_object(Bucket=self.bucket, Key=f"data/{key}")

    def suspend(self) -> None:
        if self.weed.pid is not None:
            os.kill(self.weed.pid, signal.SIGSTOP)
            self.is_suspended = True

    def resume(self) -> None:
        if self.weed.pid is not None:
            os.kill(self.weed.pid, signal.SIGCONT)
        self.is_suspended = False

    def heal(self) -> None:
        self.proxy.heal()
        self.resume()
        self.weed.begin()
        self.weed.wait()


def _alter(file: Path) -> bool:
    """Under the same size and time."""
    if not file.is_file() or not file.stat().st_size:
        return False
    status = file.stat()
    content = flipped(file.read_bytes())
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    return True
