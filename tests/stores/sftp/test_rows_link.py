"""Is nothing lost, half-written or misreported when the link to an SSH server is cut, slow, or reset?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.links import Cable, SlowLink, laid
from tests.ports import free_port
from tests.stores.sftp.remote import Remote, eventually, reasons_of
from tests.stores.sftp.serving import Sshd

MIB = 1 << 20


@pytest.fixture
def cable() -> Iterator[Cable]:
    yield from laid()


@pytest.fixture
def far_sshd(cable: Cable, tmp_path: Path) -> Iterator[Sshd]:
    """At the other end of the wire."""
    server = Sshd(tmp_path / "sshd", free_port(), host=cable.address, wrap=cable.there)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("files", [pytest.param("one large", marks=pytest.mark.faults), "many small"])
def test_row_80_a_link_that_is_cut_without_a_word(cable: Cable, far_sshd: Sshd, tmp_path: Path, files: str) -> None:
    """The patience of the place bounds the wait, the run ends in words, and the next one converges."""
    world = Remote(tmp_path / "w", tmp_path / "nas", far_sshd.url(tmp_path / "nas"), far_sshd.options())
    world.options["patience"] = "6 s"
    world.configure()
    world.acquire(*((1, 60 * MIB) if files == "one large" else (400, 5000)))
    process = world.started(wrap=cable.here)
    if files == "one large":
        eventually(lambda: any(path.stat().st_size > 8 * MIB for path in world.on_its_way()), process)
    else:
        eventually(lambda: len(world.on_its_way()) > 40, process)
    cable.cut()
    ended = world.finished(process)
    assert ended.code == 3, ended.said
    world.judge_broken(ended)
    assert any("does not answer" in reason for reason in reasons_of(ended)), ended.said
    cable.mend()
    far_sshd.cut()  # the server would notice by itself, in minutes or hours
    world.options["patience"] = "1 min"
    world.configure()
    world.converges(wrap=cable.here)


def test_row_80_a_slow_link_that_is_reset_costs_time_only(sshd: Sshd, tmp_path: Path) -> None:
    """400 kB/s, 40 ms there and back, one reset in the middle of the large file."""
    link = SlowLink(sshd.port, bytes_per_s=400_000, latency_s=0.02, reset_after_bytes=500_000)
    try:
        near = Sshd(tmp_path / "link", link.port)
        root = tmp_path / "nas"
        options = sshd.options() | {"known_hosts": str(tmp_path / "known"), "patience": "4 s"}
        public = (sshd.folder / "host.pub").read_text()
        (tmp_path / "known").write_text(f"[127.0.0.1]:{link.port} {public}")
        world = Remote(tmp_path / "w", root, near.url(root), options)
        world.acquire(10, 2000)
        world.acquire(1, MIB, "large")
        ended = world.finished(world.started())
        assert link.resets == 1
        assert ended.code == 0, ended.said
        world.judge(ended)
        assert world.on_its_way() == []
    finally:
        link.close()
