"""Is nothing lost, half-written or misreported when an SSH server dies, is full, or keeps the bytes badly?

End to end by the command line, against Debian's sshd, judged by what lies on its disk.
"""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest

from tests.stores.sftp.remote import Remote, eventually, grow, reasons_of, rot, small_disk
from tests.stores.sftp.serving import Sshd, make_key

MIB = 1 << 20


def remote(folder: Path, server: Sshd, root: Path | None = None, **options: str) -> Remote:
    root = root or folder / "nas"
    return Remote(folder, root, server.url(root), server.options() | options)


@pytest.mark.parametrize("files", [pytest.param("one large", marks=pytest.mark.faults), "many small"])
@pytest.mark.parametrize("dead", ["session", "server"])
def test_row_81_a_server_that_is_killed_in_the_middle(own_sshd: Sshd, tmp_path: Path, files: str, dead: str) -> None:
    """A session that dies costs time only; a server that stays away ends the run in words."""
    world = remote(tmp_path / "w", own_sshd, patience="3 s")
    world.acquire(*((1, 60 * MIB) if files == "one large" else (400, 5000)))
    process = world.started()
    if files == "one large":
        eventually(lambda: any(path.stat().st_size > 8 * MIB for path in world.on_its_way()), process)
    else:
        eventually(lambda: len(world.on_its_way()) > 40, process)
    own_sshd.cut() if dead == "session" else own_sshd.stop()
    ended = world.finished(process)
    if dead == "session":
        assert ended.code == 0, ended.said
        world.judge(ended)
    else:
        assert ended.code == 3, ended.said
        world.judge_broken(ended)
        assert any("does an SSH server run there" in reason for reason in reasons_of(ended)), ended.said
        assert all("\n" not in reason for reason in reasons_of(ended))
        own_sshd.start()
    world.options["patience"] = "1 min"
    world.configure()
    world.converges()


def test_row_42_a_disk_that_fills_up_in_the_middle_of_a_file(sshd: Sshd, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=96m") as disk:
        world = remote(tmp_path / "w", sshd, disk)
        world.acquire(20, 5000)
        world.acquire(1, 80 * MIB, "large")
        process = world.started()
        eventually(lambda: any(path.stat().st_size > MIB for path in world.on_its_way()), process)
        with contextlib.suppress(OSError), (disk / "theirs").open("wb") as theirs:
            for _ in range(90):
                theirs.write(bytes(MIB))
        ended = world.finished(process)
        assert ended.code == 3, ended.said
        assert "there is no room left on the server" in reasons_of(ended)
        (disk / "theirs").unlink()
        world.judge(ended)
        assert world.on_its_way() == []
        grow(disk, "size=200m")
        world.converges()


def test_row_42_a_disk_without_room_for_more_names(sshd: Sshd, tmp_path: Path) -> None:
    """As a quota of files does it: there is room for bytes."""
    with small_disk(tmp_path / "disk", "size=64m", "nr_inodes=60") as disk:
        world = remote(tmp_path / "w", sshd, disk)
        world.acquire(200, 5000)
        ended = world.finished(world.started())
        assert ended.code == 3, ended.said
        assert reasons_of(ended) == {"there is no room left on the server"}
        world.judge(ended)
        grow(disk, "nr_inodes=2000")
        world.converges()


def test_row_55_a_place_that_becomes_read_only_in_the_middle(sshd: Sshd, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=400m") as disk:
        world = remote(tmp_path / "w", sshd, disk)
        world.acquire(20, 5000)
        assert world.finished(world.started()).code == 0
        world.acquire(300, 20_000, "more")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        ended = world.finished(world.started())
        assert ended.code == 3, ended.said
        assert any("read-only" in reason for reason in reasons_of(ended)) or "read-only" in ended.said
        world.judge(ended)
        grow(disk, "rw")
        world.converges()


@pytest.mark.parametrize("known", ["unknown", "another"])
def test_a_server_that_is_not_the_known_one_gets_nothing(sshd: Sshd, tmp_path: Path, known: str) -> None:
    world = remote(tmp_path / "w", sshd)
    world.acquire(5, 1000)
    trusted = tmp_path / "known_hosts"
    if known == "another":
        public = make_key(tmp_path / "other").with_suffix(".pub").read_text()
        trusted.write_text(f"[127.0.0.1]:{sshd.port} {public}")
    world.options["known_hosts"] = str(trusted)
    world.configure()
    done = world.command("run", "j", "--init")
    assert done.returncode == 3, done.stderr
    assert "ssh-keyscan" in done.stderr
    assert ("ssh-keygen -R" in done.stderr) is (known == "another")
    assert list(world.nas.iterdir()) == []
    world.options |= sshd.options()
    world.configure()
    world.converges()


@pytest.mark.parametrize("verify", ["size", pytest.param("checksum", marks=pytest.mark.faults), "readback"])
def test_row_82_a_copy_that_rots_is_found_by_reading_and_mended(sshd: Sshd, tmp_path: Path, verify: str) -> None:
    """There is no digest from the server, so ``checksum`` is proved by reading too; ``size`` never claims more."""
    world = remote(tmp_path / "w", sshd)
    world.configure(f'verify = "{verify}"')
    world.acquire(5, 20_000)
    world.judge(world.run_command())
    with world.ledger() as ledger:
        records = [r for d in ledger.datasets("j") for r in ledger.all_records("j", "nas", d)]
    said = {(record.proof_kind.word, record.proof_how) for record in records}
    assert said == ({("size", "stat")} if verify == "size" else {("readback", "server")})
    rot(world.nas / "run/small0002.tif")
    done = world.command("check", "j")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "small0002.tif" in done.stdout + done.stderr
    done = world.command("check", "j", "--repair")
    assert world.command("check", "j").returncode == 0, done.stdout + done.stderr
    world.adopt_set_aside()
    world.converges()
