"""``coldchain why`` at the command line."""

from __future__ import annotations

from tests.cli.conftest import Desk


def test_it_tells_the_life_of_a_file_in_order(desk: Desk) -> None:
    assert desk.type("run", "--init", "--set", "jobs.rig.settle=1 h").code == 3
    assert desk.type("run").code == 0
    ended = desk.type("why", "one/0.tif")
    assert ended.code == 0
    held, stored, now = (ended.out.index(word) for word in ("  held", "  stored", "now  "))
    assert held < stored < now
    assert "proved by readback" in ended.out[now:]


def test_a_path_on_this_machine_is_understood(stored: Desk) -> None:
    whole = stored.type("why", str(stored.source / "one" / "0.tif"))
    assert whole.out == stored.type("why", "source/one/0.tif").out == stored.type("why", "./one/0.tif").out


def test_an_unknown_path_says_where_to_look(stored: Desk) -> None:
    ended = stored.type("why", "one/9.tif")
    assert ended.code == 2
    assert "coldchain plan" in ended.err
