"""Is nothing lost, half-written or misreported when a server of shares dies, is full, or keeps the bytes badly?

End to end by the command line, against Samba, judged by what lies on its disk.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stores.sftp.remote import Remote, eventually, grow, reasons_of, rot, small_disk
from tests.stores.smb.serving import USER, Server, said

MIB = 1 << 20


def remote(folder: Path, server: Server, name: str, share: str = "data", **options: str) -> Remote:
    root = server.place(name)
    return Remote(folder, root, server.url(name, share), said(**options))


def on_disk(folder: Path, server: Server, disk: Path) -> Remote:
    shutil.chown(disk, USER)
    return Remote(folder, disk, server.url(share="small"), said())


@pytest.mark.parametrize("files", [pytest.param("one large", marks=pytest.mark.faults), "many small"])
@pytest.mark.parametrize("dead", ["session", "server"])
def test_row_81_a_server_that_is_killed_in_the_middle(own_samba: Server, tmp_path: Path, files: str, dead: str) -> None:
    """A session that dies costs time only; a server that stays away ends the run in words."""
    world = remote(tmp_path / "w", own_samba, "killed")
    world.acquire(*((1, 60 * MIB) if files == "one large" else (400, 5000)))
    process = world.started()
    if files == "one large":
        eventually(lambda: any(path.stat().st_size > 8 * MIB for path in world.on_its_way()), process)
    else:
        eventually(lambda: len(world.on_its_way()) > 40, process)
    own_samba.drop_connections() if dead == "session" else own_samba.stop()
    ended = world.finished(process)
    if dead == "session":
        assert ended.code == 0, ended.said
        world.judge(ended)
    else:
        assert ended.code == 3, ended.said
        world.judge_broken(ended)
        assert all("the server" in reason and "\n" not in reason for reason in reasons_of(ended)), ended.said
        own_samba.start()
    world.converges()


def test_row_42_a_share_that_fills_up_in_the_middle_of_a_file(own_samba: Server, tmp_path: Path) -> None:
    (own_samba.folder / "small").rmdir()
    with small_disk(own_samba.folder / "small", "size=96m") as disk:
        world = on_disk(tmp_path / "w", own_samba, disk)
        world.acquire(20, 5000)
        world.acquire(1, 80 * MIB, "large")
        process = world.started()
        eventually(lambda: any(path.stat().st_size > MIB for path in world.on_its_way()), process)
        with contextlib.suppress(OSError), (disk / "theirs").open("wb") as theirs:
            for _ in range(90):
                theirs.write(bytes(MIB))
        ended = world.finished(process)
        assert ended.code == 3, ended.said
        assert "there is no room left on the share" in reasons_of(ended), ended.said
        (disk / "theirs").unlink()
        world.judge(ended)
        assert world.on_its_way() == []
        grow(disk, "size=200m")
        world.converges()
        own_samba.stop()


def test_row_42_a_share_without_room_for_more_names(own_samba: Server, tmp_path: Path) -> None:
    """As a quota of files does it: there is room for bytes."""
    (own_samba.folder / "small").rmdir()
    with small_disk(own_samba.folder / "small", "size=64m", "nr_inodes=60") as disk:
        world = on_disk(tmp_path / "w", own_samba, disk)
        world.acquire(200, 5000)
        ended = world.finished(world.started())
        assert ended.code == 3, ended.said
        assert reasons_of(ended) == {"there is no room left on the share"}
        world.judge(ended)
        grow(disk, "nr_inodes=2000")
        world.converges()
        own_samba.stop()


def test_row_55_a_share_that_becomes_read_only(own_samba: Server, tmp_path: Path) -> None:
    (own_samba.folder / "small").rmdir()
    with small_disk(own_samba.folder / "small", "size=64m") as disk:
        world = on_disk(tmp_path / "w", own_samba, disk)
        world.acquire(20, 5000)
        assert world.finished(world.started()).code == 0
        world.acquire(100, 20_000, "more")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        ended = world.finished(world.started())
        assert ended.code == 3, ended.said
        assert any("denies" in reason or "protected" in reason for reason in {*reasons_of(ended), ended.said})
        world.judge(ended)
        grow(disk, "rw")
        world.converges()
        own_samba.stop()


def test_a_wrong_password_sends_nothing(samba: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = remote(tmp_path / "w", samba, "refused")
    world.acquire(5, 1000)
    with monkeypatch.context() as patch:
        patch.setenv("COLDTEST_SMB_PASSWORD", "wrong-canary")
        done = world.command("run", "j", "--init")
    assert done.returncode == 3, done.stderr
    assert "refuses this user or this password" in done.stderr
    assert "canary" not in done.stdout + done.stderr
    assert list(world.nas.iterdir()) == []
    world.converges()


@pytest.mark.parametrize("verify", ["size", pytest.param("checksum", marks=pytest.mark.faults), "readback"])
def test_row_82_a_copy_that_rots_is_found_by_reading_and_mended(samba: Server, tmp_path: Path, verify: str) -> None:
    """There is no digest from the server, so ``checksum`` is proved by reading too; ``size`` never claims more."""
    world = remote(tmp_path / "w", samba, f"rot-{verify}")
    world.configure(f'verify = "{verify}"')
    world.acquire(5, 20_000)
    world.judge(world.run_command())
    with world.ledger() as ledger:
        records = [r for d in ledger.datasets("j") for r in ledger.all_records("j", "nas", d)]
    proofs = {(record.proof_kind.word, record.proof_how) for record in records}
    assert proofs == ({("size", "stat")} if verify == "size" else {("readback", "smb")})
    rot(world.nas / "run/small0002.tif")
    done = world.command("check", "j")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "small0002.tif" in done.stdout + done.stderr
    done = world.command("check", "j", "--repair")
    assert world.command("check", "j").returncode == 0, done.stdout + done.stderr
    world.adopt_set_aside()
    world.converges()
