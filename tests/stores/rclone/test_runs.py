"""Do whole runs work with remotes, and does nothing stay behind when a run is killed?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from coldchain.config.values import Destination
from coldchain.errors import ConfigurationError, NotFound, StoreGone
from coldchain.model import Place, ProofKind
from coldchain.stores.base import Store, open_store
from coldchain.stores.rclone.store import RcloneStore
from coldchain.stores.rclone.trouble import scrubbed
from tests.promises.lab import Lab, data, largest_bytes, names, reasons, states
from tests.stores.rclone.fake_box import TOKEN, FakeBox
from tests.stores.rclone.serving import CANARY, HASTY, Remotes, write_config


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    lab.acquire(12)
    lab.write("run/large.bin", os.urandom(3 << 20))
    return lab


def place(remotes: Remotes, remote: str, name: str = "nas") -> Place:
    url = f"rclone://{remote}/run-{uuid.uuid4().hex[:12]}"
    return Place(name, url, tuple(remotes.options().items()))


def stored(store: Store) -> dict[str, bytes]:
    found = {}
    for item in store.list(without=[".coldchain"]):
        with store.read(item.path) as reader:
            found[item.path] = b"".join(map(bytes, reader.chunks()))
    return found


@pytest.mark.parametrize("remote", ["alias", "crypt", "webdav", "memory"])
def test_a_folder_goes_to_a_remote_and_back(lab: Lab, remotes: Remotes, remote: str) -> None:
    there = place(remotes, remote)
    if remote == "memory":  # buckets are made beforehand
        open_store(there)._remote.call("operations/mkdir", remote="")  # type: ignore[attr-defined]
    job = lab.job(destinations=(Destination(there),))
    report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    assert stored(open_store(there)) == data(lab.source)
    lab.write("run/f0003.tif", b"a newer version")
    report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    assert states(report) == {"verified": 13}
    back = Lab(lab.folder / "again")
    report = back.run(back.job(source=Place("lab", there.url, there.options)))
    assert report.exit_code == 0, reasons(report)
    assert data(back.nas) == data(lab.source)


@pytest.mark.parametrize(("verify", "how"), [(ProofKind.CHECKSUM, "sha1"), (ProofKind.READBACK, "get")])
def test_box_vouches_for_its_sha1(lab: Lab, box: Remotes, box_server: FakeBox, verify: ProofKind, how: str) -> None:
    there = place(box, "box")
    job = lab.job(destinations=(Destination(there),), verify=verify)
    assert lab.run(job).exit_code == 0
    lab.write("run/new.tif", b"new")
    box_server.too_many, box_server.damage = 1, 1  # rclone compares each upload with the sha1 that Box says
    report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    assert {record.proof_how for record in lab.records().values()} == {how}
    assert stored(open_store(there)) == data(lab.source)
    assert not [name for name in box_server.names() if "/.~" in name]


def test_a_box_without_room_or_with_a_withdrawn_sign_in_says_so(lab: Lab, box: Remotes, box_server: FakeBox) -> None:
    job = lab.job(destinations=(Destination(place(box, "box")),))
    assert lab.run(job).exit_code == 0
    lab.write("run/new.tif", b"new")
    box_server.full = True
    try:
        assert "room" in reasons(lab.run(job))["run/new.tif"]
    finally:
        box_server.full = False
    assert lab.run(job).exit_code == 0


_RUN = """
import sys
from pathlib import Path
from coldchain.config.values import Destination
from coldchain.model import Place
from tests.promises.lab import Lab
lab = Lab.__new__(Lab)
lab.folder, lab.source, lab.roots = Path(sys.argv[1]), Path(sys.argv[1]) / "source", {}
job = lab.job(destinations=(Destination(Place("nas", sys.argv[2], (("config", sys.argv[3]), ("spool", sys.argv[4])))),))
sys.exit(lab.run(job).exit_code)
"""


def test_a_killed_run_leaves_no_rclone_and_no_garbage(lab: Lab, remotes: Remotes, tmp_path: Path) -> None:
    with (lab.source / "run/large.bin").open("wb") as file:
        file.truncate(256 << 20)
    spool = tmp_path / "spool"
    spool.mkdir()
    there = place(remotes, "alias")
    command = [sys.executable, "-c", _RUN, str(lab.folder), there.url, str(remotes.config), str(spool)]
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[3])
    until = time.monotonic() + 60
    while largest_bytes(spool) <= 16 << 20 and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while list(spool.iterdir()) and time.monotonic() < until:
        time.sleep(0.1)
    assert list(spool.iterdir()) == []
    while _alive(spool) and time.monotonic() < until:
        time.sleep(0.1)
    assert _alive(spool) == []
    report = lab.run(lab.job(destinations=(Destination(there),)))
    assert report.exit_code == 0, reasons(report)
    assert not [item.path for item in open_store(there).list() if ".~" in item.path]


def _alive(spool: Path) -> list[Path]:
    return [file for file in Path("/proc").glob("[0-9]*/cmdline") if str(spool).encode() in _read(file)]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def test_bad_places_are_told_in_one_sentence(remotes: Remotes, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="knows no remote"):
        remotes.store("nosuch").volume()
    with pytest.raises(NotFound):
        remotes.store("alias", "absent").volume()
    with pytest.raises(ConfigurationError) as caught:
        RcloneStore(f"rclone://user:{CANARY}@remote/path")
    assert CANARY not in str(caught.value)
    ssh = {"type": "sftp", "host": "127.0.0.1", "port": "1", "user": "nobody"}
    config = write_config(tmp_path / "rclone.conf", {"gone": ssh})
    with pytest.raises(StoreGone, match="cannot be reached"):
        RcloneStore("rclone://gone/x", options={"config": str(config)}, patience=HASTY).volume()
    old = tmp_path / "rclone"
    old.write_text("#!/bin/sh\necho rclone v1.60.1-DEV\n")
    old.chmod(0o755)
    with pytest.raises(ConfigurationError, match=r"is 1\.60\.1"):
        RcloneStore("rclone://alias", options={"rclone": str(old)}).volume()


def test_no_secret_is_on_a_command_line_or_in_what_is_written(lab: Lab, remotes: Remotes, box: Remotes) -> None:
    there = place(remotes, "crypt")
    assert lab.run(lab.job(destinations=(Destination(there),))).exit_code == 0
    for secret in (CANARY, TOKEN):
        lines = [_read(file) for file in Path("/proc").glob("[0-9]*/cmdline")]
        assert not [line for line in lines if secret.encode() in line and b"rcd" in line]
        assert not [name for name in names(lab.folder) if secret.encode() in (lab.folder / name).read_bytes()]
    assert scrubbed(f"GET https://u:{CANARY}@h/?access_token={CANARY}&x=1: bad") == "GET https://…h/?…&x=1: bad"
