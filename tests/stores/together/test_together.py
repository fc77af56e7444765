"""Do kinds of stores work together: many destinations from one read, one kind after the other, no secret told?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from coldchain.testing.oracle import read_tree
from tests.stores.s3.serving import KEY, SECRET, Server
from tests.stores.sftp.serving import Sshd
from tests.stores.smb.serving import PASSWORD, PREFIX, USER
from tests.stores.smb.serving import Server as Samba

CANARIES = (SECRET, PASSWORD)
"""Real credentials of the test servers: they must turn up nowhere."""
FILES = {
    f"plate/{name}": os.urandom(size) for name, size in {"a.tif": 40_000, "ü b.txt": 0, "large.bin": 9 << 20}.items()
}


@dataclass
class Site:
    """A source, places of every kind, and the command line with credentials in its environment alone."""

    folder: Path
    tables: dict[str, list[str]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scratch = self.folder / "scratch"
        self.scratch.mkdir(parents=True)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RCLONE_"))},
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            f"{PREFIX}_USER": USER,
            f"{PREFIX}_PASSWORD": PASSWORD,
            "HOME": str(self.folder),
            "TMPDIR": str(self.scratch),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def configure(self, source: str, *names: str) -> None:
        lines = ["version = 1", "[jobs.j]", f"source = {source}", 'settle = "0 s"', f"destinations = {list(names)}"]
        for name in names:
            lines += [f"[destinations.{name}]", *self.tables[name]]
        (self.folder / "coldchain.toml").write_text("\n".join(lines) + "\n")

    def type(self, *words: str, code: int | None = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "coldchain", *words],
            cwd=self.folder, env=self.env, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        self.said.append(done.stdout + done.stderr)
        assert "Traceback" not in done.stderr, done.stderr
        assert code is None or done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr


@pytest.fixture
def site(tmp_path: Path, weed: Server, samba: Samba, sshd: Sshd) -> Iterator[Site]:
    site = Site(tmp_path / "site")
    bucket, share, ssh = weed.bucket(), samba.place(f"together-{os.getpid()}-{time.monotonic_ns()}"), tmp_path / "ssh"
    for folder in (ssh, tmp_path / "remote", tmp_path / "near"):
        folder.mkdir()
    (site.folder / "rclone.conf").write_text(f"[lab]\ntype = alias\nremote = {tmp_path / 'remote'}\n")
    keys = [f"{name} = {value!r}" for name, value in sshd.options().items()]
    site.tables = {
        "near": [f"url = {str(tmp_path / 'near')!r}"],
        "s3": [f"url = 's3://{bucket}/lab'", f"endpoint = {weed.endpoint!r}", "region = 'us-east-1'"],
        "smb": [f"url = {samba.url(share.name)!r}", f"credentials = 'env:{PREFIX}'"],
        "sftp": [f"url = {sshd.url(ssh)!r}", *keys],
        "rclone": ["url = 'rclone://lab/sub'", f"config = {str(site.folder / 'rclone.conf')!r}"],
    }
    for path, content in FILES.items():
        file = tmp_path / "source" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    yield site
    weed.remove(bucket)
    shutil.rmtree(share, ignore_errors=True)


def inline(table: list[str]) -> str:
    return "{ " + ", ".join(table) + " }"


class Watch(threading.Thread):
    """Looks at the command lines of all processes for as long as something runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.1):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    self.seen.add((process / "cmdline").read_bytes())
                except OSError:
                    continue


def test_p14_every_kind_at_once_from_one_read_and_not_a_secret_anywhere(site: Site, tmp_path: Path) -> None:
    source = tmp_path / "source"
    site.configure(repr(str(source)), "near", "s3", "smb", "sftp", "rclone")
    watch = Watch()
    watch.start()
    site.type("init")
    site.type("doctor")
    site.type("plan", "--json")
    read = site.type("run", "--json")
    site.type("run")
    site.type("check")
    site.type("list", "--long")
    site.type("report", "1", "--json")
    site.env["AWS_SECRET_ACCESS_KEY"] = f"x{SECRET}"
    site.type("run", code=3)
    site.env |= {"AWS_SECRET_ACCESS_KEY": SECRET, f"{PREFIX}_PASSWORD": f"x{PASSWORD}"}
    site.type("run", code=3)
    watch.over.set()
    watch.join()
    assert '"verified": {"files": 3' in read
    for name in ("near", "smb", "sftp", "rclone"):
        site.env[f"{PREFIX}_PASSWORD"] = PASSWORD
        site.type(
            "restore", "j", "plate", "--to", str(tmp_path / "back" / name), "--set", f"jobs.j.destinations=['{name}']"
        )
        assert read_tree(tmp_path / "back" / name) == read_tree(source)
    # everything that was said, every process, everything that was written
    for canary in CANARIES:
        assert not [text for text in site.said if canary in text]
        assert not [line for line in watch.seen if canary.encode() in line]
        written = [
            file
            for top in (site.folder, tmp_path / "near", tmp_path / "remote", tmp_path / "ssh")
            for file in top.rglob("*")
        ]
        assert any(file.name == "ledger.sqlite" for file in written)
        assert not [file for file in written if file.is_file() and canary.encode() in file.read_bytes()]


CHAIN = [("near", "s3"), ("s3", "sftp"), ("sftp", "smb"), ("smb", "rclone"), ("rclone", "near")]


def test_every_kind_is_a_source_for_another_one(site: Site, tmp_path: Path) -> None:
    """local -> S3 -> SFTP -> SMB -> rclone -> local: the bytes that come back are those that went."""
    (tmp_path / "end").mkdir()
    source = inline([f"url = {str(tmp_path / 'source')!r}"])
    places = {**site.tables, "near": [f"url = {str(tmp_path / 'end')!r}"]}
    for _, to in CHAIN:
        site.tables = places
        site.configure(source, to)
        shutil.rmtree(site.folder / "coldchain-state", ignore_errors=True)
        site.type("init")
        said = site.type("run")
        assert "all verified" in said, said
        source = inline(places[to])
    there = {key: value for key, value in read_tree(tmp_path / "end").items() if not key.startswith(".coldchain")}
    assert there == read_tree(tmp_path / "source")
