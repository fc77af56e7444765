"""How do these tests drive the real command line, and what do they see of a folder?"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

COLDCHAIN = Path(sys.executable).with_name("coldchain")
OWN = b".coldchain"
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("COLDCHAIN_")},
    "LC_ALL": "C.UTF-8",
}
LOSE = "LOSE"
"""In ``Field.many``: remove these folders."""
# One process for many commands: each is the whole command line, its end and its exit code are written between NULs.
_MANY = """
import json, os, shutil, sys
from coldchain.cli.main import main
for line in sys.stdin:
    words = json.loads(line)
    sys.argv = ["coldchain", *words]
    try:
        if words[0] == "LOSE":
            for folder in words[1:]:
                shutil.rmtree(folder)
            sys.exit(0)
        main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    os.write(1, b"\\0%d\\0" % code)
"""


class Told(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    error: str = ""

    def json(self) -> list[dict[str, Any]]:
        """The objects that it printed."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    def report(self) -> dict[str, Any]:
        """The report of a run."""
        return next(value for value in self.json() if value["format"] == "coldchain-report")


class Seen(NamedTuple):
    """One file of a folder."""

    sha256: str
    mtime_ns: int
    mode: int
    inode: int
    ctime_ns: int

    @property
    def kept(self) -> tuple[str, int, int]:
        """What a restore brings back."""
        return self.sha256, self.mtime_ns, self.mode


def tree(folder: Path, *, own: bool = False) -> dict[bytes, Seen]:
    """Every file below a folder, however long its path; without coldchain's own folder at the top."""
    found: dict[bytes, Seen] = {}
    top = os.fsencode(folder)
    for root, folders, names, descriptor in os.fwalk(top):
        below = root[len(top) + 1 :]
        if not below and not own and OWN in folders:
            folders.remove(OWN)
        for name in names:
            with open(os.open(name, os.O_RDONLY, dir_fd=descriptor), "rb") as file:
                said = os.fstat(file.fileno())
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            path = below + b"/" + name if below else name
            found[path] = Seen(digest, said.st_mtime_ns, said.st_mode, said.st_ino, said.st_ctime_ns)
    return found


def make(folder: Path, files: Iterable[tuple[bytes, bytes]]) -> None:
    """Make files by the bytes of their names."""
    for path, content in files:
        whole = os.path.join(os.fsencode(folder), path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "xb") as file:
            file.write(content)


def checked(said: bytes) -> str:
    """Output as text; nothing in it steers a terminal."""
    bad = _CONTROL.search(said)
    assert bad is None, said[max(0, bad.start() - 100) : bad.end() + 20]
    return said.decode()


class Field:
    """One configuration with one job, its source and its destinations."""

    def __init__(
        self, folder: Path, source: Path, layouts: Sequence[str] = ("{path}",), *, ledger: str = "", **settings: object
    ) -> None:
        self.folder, self.source = folder, source
        self.places = {f"place{number}": folder / f"place{number}" for number in range(1, len(layouts) + 1)}
        self.layouts = dict(zip(self.places, layouts, strict=True))
        self.digest = str(settings.get("digest", "sha256"))
        self.config = folder / "coldchain.toml"
        self.state = folder / "coldchain-state"
        settings = {"instrument": "files", "source": str(source), "settle": "0 s", **settings}
        lines = ["version = 1", *([f"ledger = {json.dumps(ledger)}"] if ledger else []), "[jobs.job]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        lines += [f"destinations = {json.dumps(list(self.places))}"]
        for name, place in self.places.items():
            place.mkdir(parents=True, exist_ok=True)
            lines += [f"[destinations.{name}]", f"url = {json.dumps(str(place))}"]
            lines += [f"layout = {json.dumps(self.layouts[name])}"]
        folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text("\n".join(lines) + "\n")
        self.config.chmod(0o600)  # a ledger's URL may hold a password

    def command(self, *words: str, host: str = "") -> list[str]:
        """The whole command line; with ``host`` on a machine of that name."""
        command, *rest = words
        whole = [str(COLDCHAIN), command, "--config", str(self.config), *rest]
        if host:
            user = [] if os.geteuid() == 0 else ["--map-root-user"]
            whole = ["unshare", "--uts", *user, "sh", "-c", 'hostname "$0" && exec "$@"', host, *whole]
        return whole

    def __call__(self, *words: str, code: int | None = 0, host: str = "") -> Told:
        """Run one command."""
        done = subprocess.run(
            self.command(*words, host=host), capture_output=True, timeout=120, env=_ENVIRONMENT, check=False
        )
        told = Told(done.returncode, checked(done.stdout), checked(done.stderr))
        assert code is None or told.code == code, told
        return told

    def start(self, *words: str, host: str = "") -> subprocess.Popen[bytes]:
        """Begin one command, and do not wait for it."""
        return subprocess.Popen(
            self.command(*words, host=host), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_ENVIRONMENT
        )

    def many(self, commands: Iterable[Sequence[str]], *, code: int | None = 0) -> list[Told]:
        """Run many commands in one process: starting Python for each would take minutes."""
        lines = [
            json.dumps([word, *([] if word == LOSE else ["--config", str(self.config)]), *rest]) + "\n"
            for word, *rest in commands
        ]
        done = subprocess.run(
            [sys.executable, "-c", _MANY],
            input="".join(lines).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            env=_ENVIRONMENT,
            check=True,
        )
        said = done.stdout.split(b"\0")
        told = [Told(int(end), checked(out)) for out, end in zip(said[::2], said[1::2], strict=False)]
        assert len(told) == len(lines)
        for one, line in zip(told, lines, strict=True):
            assert code is None or one.code == code, (line, one)
        return told

    def run(self, *words: str, code: int | None = 0, host: str = "") -> dict[str, Any]:
        """One run; its report."""
        return self("run", "--json", *words, code=code, host=host).report()

    def key(self, place: str, path: bytes) -> bytes:
        """Where a file of the source lies: for the instrument ``files`` a dataset is called as its folder is."""
        head = self.layouts[place].removesuffix("{path}").replace("{dataset}/", "").replace("{job}", "job")
        return head.encode() + path

    def data(self) -> dict[str, dict[bytes, Seen]]:
        """What lies at each destination."""
        return {name: tree(place) for name, place in self.places.items()}

    def manifests(self, place: str, ending: str) -> list[Path]:
        """The manifests at a destination."""
        return sorted((self.places[place] / ".coldchain" / "manifests" / "job").glob(f"*.{ending}"))


def sent(report: dict[str, Any]) -> int:
    """How many copies a run proved anew."""
    return sum(lot["sent"]["files"] for dataset in report["datasets"] for lot in dataset["destinations"].values())


def verified(report: dict[str, Any], place: str) -> int:
    """How many files are verified at a destination."""
    return sum(int(dataset["destinations"][place]["verified"]["files"]) for dataset in report["datasets"])


def typed(path: bytes) -> str:
    """A path as an argument of a command."""
    return os.fsdecode(path)
