"""Which programs are compared, and how is each called?"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Errand(NamedTuple):
    """One program's way from a source to a destination of its own."""

    source: Path
    folder: Path
    """For this errand alone: configuration, state and destination."""

    @property
    def there(self) -> Path:
        return self.folder / "there"


class Tool(NamedTuple):
    """A program."""

    name: str
    proves: str
    """What it knows at its end."""
    program: str
    prepare: Callable[[Errand], list[str]]
    """Writes configurations, and returns the command."""
    repeats: bool = True
    """Whether a second run looks for what is new."""

    def version(self) -> str:
        """The version, or why there is none."""
        path = where(self.program)
        if path is None:
            return "missing"
        words = [path, "--version"] if self.program != "coldchain" else [*COLDCHAIN, "--version"]
        said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
        found = re.search(r"\d+\.[\w.-]*\w", said)
        return found[0] if found else "unknown"


COLDCHAIN = [sys.executable, "-m", "coldchain"]


def where(program: str) -> str | None:
    """Where a program lies: beside this interpreter, or on the PATH."""
    return shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)


def coldchain_errand(errand: Errand, *, verify: str = "readback") -> list[str]:
    """A configuration and a destination that is marked."""
    config = errand.folder / "coldchain.toml"
    config.write_text(
        f"""version = 1
[jobs.bench]
source = {json.dumps(str(errand.source))}
destinations = ["there"]
settle = "0 s"
verify = "{verify}"
digest = "sha256"
[destinations.there]
url = "there"
"""
    )
    subprocess.run([*COLDCHAIN, "init", "--config", str(config)], check=True, capture_output=True)
    return [*COLDCHAIN, "run", "--config", str(config)]


def _cp(errand: Errand) -> list[str]:
    return ["sh", "-c", 'cp -r "$0/." "$1/" && sync', str(errand.source), str(errand.there)]


def _rsync(errand: Errand) -> list[str]:
    return ["rsync", "-a", "--fsync", f"{errand.source}/", f"{errand.there}/"]


def _rclone(errand: Errand) -> list[str]:
    nothing = errand.folder / "rclone.conf"
    nothing.touch()
    return [where("rclone") or "", "copy", "--config", str(nothing), str(errand.source), str(errand.there)]


def _ferry(errand: Errand) -> list[str]:
    """As its manual advises for files that are not to be lost; ``ferry run`` ignores the schedule."""
    config = errand.folder / "ferry.yaml"
    config.write_text(
        f"""state_dir: {json.dumps(str(errand.folder / "state"))}
stores:
  there: {{url: {json.dumps(errand.there.as_uri())}}}
pipelines:
  - name: bench
    root: {json.dumps(str(errand.source))}
    prefix: bench
    destinations: [{{store: there, verify: sha256}}]
    unit: {{dirs: "*"}}
    include: ["**/*"]
    mode: cron
    cron: "0 2 * * *"
    settle: 0s
    unit_idle: 0s
    finalize: {{action: keep}}
"""
    )
    return [where("ferry") or "", "--config", str(config), "run"]


TOOLS = (
    Tool("coldchain", "durable, sha256 read back past the cache, recorded", "coldchain", coldchain_errand),
    Tool("cp -r + sync", "durable", "cp", _cp, repeats=False),
    Tool("rsync -a --fsync", "durable", "rsync", _rsync),
    Tool("rclone copy", "digest read back from the cache, not durable", "rclone", _rclone),
    Tool("ferry run", "sha256 read back from the cache, recorded, not durable", "ferry", _ferry),
)
