"""P9: everything can be checked and got back without coldchain."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.promises.lab import Lab, data

needs_sha256sum = pytest.mark.skipif(shutil.which("sha256sum") is None, reason="the tool that must suffice")
HOSTILE = [
    b"run/plain",
    b"run/with space",
    b"run/new\nline",
    b"run/back\\slash",
    b"run/caf\xe9",
    b"run/*bin",
    b"run/-x",
]


def checked(root: Path) -> subprocess.CompletedProcess[bytes]:
    manifests = [os.fsencode(file.relative_to(root)) for file in sorted(root.glob(".coldchain/manifests/*/*.sha256"))]
    assert manifests
    return subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", *manifests], cwd=root, capture_output=True, check=False
    )


@needs_sha256sum
def test_sha256sum_checks_every_file_whatever_its_name(lab: Lab) -> None:
    (lab.source / "run").mkdir()
    for number, name in enumerate(HOSTILE):
        Path(lab.source, os.fsdecode(name)).write_bytes(b"%d" % number)
    lab.write("loose", b"outside of every dataset")
    lab.ready()
    done = checked(lab.nas)
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    listed = b"".join(f.read_bytes() for f in lab.nas.glob(".coldchain/manifests/*/*.sha256"))
    assert listed.count(b"\n") == len(HOSTILE) + 1

    (lab.nas / "run/plain").write_bytes(b"rotten")
    assert checked(lab.nas).returncode == 1


def test_cp_brings_everything_back(lab: Lab, tmp_path: Path) -> None:
    lab.acquire(10)
    lab.ready()
    shutil.rmtree(lab.state)
    subprocess.run(["cp", "-a", str(lab.nas / "run"), str(tmp_path / "run")], check=True)
    for name, content in data(lab.source).items():
        copy = tmp_path / name
        assert copy.read_bytes() == content
        assert copy.stat().st_mtime_ns == (lab.source / name).stat().st_mtime_ns


def test_everybody_who_can_read_the_data_can_read_how_to_check_them(lab: Lab) -> None:
    lab.acquire(1)
    lab.ready()
    for file in (lab.nas / ".coldchain").rglob("*"):
        assert file.stat().st_mode & 0o004, file
