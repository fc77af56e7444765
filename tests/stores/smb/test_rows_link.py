"""Is nothing lost, half-written or misreported when the link to a share is cut, slow, or reset?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.links import Cable, SlowLink, laid
from tests.stores.sftp.remote import Remote, eventually, reasons_of
from tests.stores.smb.serving import Server, said, served

MIB = 1 << 20


@pytest.fixture
def cable() -> Iterator[Cable]:
    yield from laid()


@pytest.fixture
def far_samba(cable: Cable) -> Iterator[Server]:
    """At the other end of the wire."""
    yield from served(host=cable.address, wrap=cable.there)


@pytest.mark.parametrize("files", [pytest.param("one large", marks=pytest.mark.faults), "many small"])
def test_row_80_a_link_that_is_cut_without_a_word(cable: Cable, far_samba: Server, tmp_path: Path, files: str) -> None:
    """The patience of the place bounds the wait, the run ends in words, and the next one converges."""
    root = far_samba.place("cut")
    world = Remote(tmp_path / "w", root, far_samba.url("cut"), said(patience="6 s"))
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
    assert all("the server" in reason and "\n" not in reason for reason in reasons_of(ended)), ended.said
    cable.mend()
    far_samba.drop_connections()  # the server would notice by itself, in minutes or hours
    world.options["patience"] = "1 min"
    world.configure()
    world.converges(wrap=cable.here)


def test_row_80_a_slow_link_that_is_reset_costs_time_only(samba: Server, tmp_path: Path) -> None:
    """400 kB/s, 40 ms there and back, one reset in the middle of the large file."""
    link = SlowLink(samba.port, bytes_per_s=400_000, latency_s=0.02, reset_after_bytes=500_000)
    try:
        root = samba.place("slow")
        url = samba.url("slow").replace(f":{samba.port}/", f":{link.port}/")
        world = Remote(tmp_path / "w", root, url, said(patience="6 s"))
        world.acquire(10, 2000)
        world.acquire(1, MIB, "large")
        ended = world.finished(world.started())
        assert link.resets == 1
        assert ended.code == 0, ended.said
        world.judge(ended)
        assert world.on_its_way() == []
    finally:
        link.close()
