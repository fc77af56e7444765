"""``coldchain rebuild`` at the command line."""

from __future__ import annotations

from tests.cli.conftest import Desk


def test_a_lost_ledger_is_made_again_by_reading(stored: Desk) -> None:
    (stored.folder / "coldchain-state").rename(stored.folder / "lost")
    ended = stored.type("rebuild")
    assert ended.code == 0
    assert "4 files, 800 B recorded anew from 2 manifests" in ended.out
    assert stored.type("list", "--long").out.count("readback") == 2


def test_without_manifests_it_says_what_to_do(desk: Desk) -> None:
    assert desk.type("init").code == 0
    ended = desk.type("rebuild")
    assert ended.code == 6
    assert "coldchain run" in ended.err
