"""Rows of the fault matrix about what others planted: manifests that lie, links in the way (27, 89 to 92)."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest

from coldchain.model import State
from coldchain.testing.oracle import read_tree
from tests.faults.each_call import command
from tests.faults.gate import Gate, needs_gate
from tests.faults.world import World, sha256

pytestmark = needs_gate

CANARY = b"nobody may read this, and nobody may write here"


def forge(world: World, change: dict[str, object]) -> None:
    """Alter the one file of the one manifest, and compute its own digest anew, as an attacker would."""
    (manifest,) = (world.at["nas"] / ".coldchain" / "manifests" / "j").glob("*.json")
    header, line, end, footer = manifest.read_bytes().split(b"\n")[:4]
    fields = json.loads(line) | change
    body = header + b"\n" + json.dumps(fields).encode() + b"\n"
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    numbers = json.loads(b"{" + footer) | {"digest": digest, "size_bytes": fields["size_bytes"]}
    manifest.write_bytes(body + end + b"\n" + json.dumps(numbers).encode()[1:] + b"\n")


@pytest.fixture
def guarded(tmp_path: Path) -> World:
    """A world inside of a folder in which nothing else may appear, with something that is worth reading beside it."""
    world = World(tmp_path / "jail" / "world")
    (tmp_path / "jail" / "canary").write_bytes(CANARY)
    (world.folder / "canary").write_bytes(CANARY)
    world.write("f", CANARY)
    assert world.run().code == 0
    return world


def around(world: World) -> dict[str, str]:
    """Everything that a restore into ``back`` has no business with."""
    here = world.folder.parent
    own = ("world/back/", "world/coldchain-state/", "world/nas/.coldchain/agents/")
    return {key: content for key, content in read_tree(here).items() if not key.startswith(own)}


HOSTILE = [
    "../canary", "../../canary", "/etc/hostname", "d/../../../canary", "./f", "a//b", "a/", "", "..", "a\0b", "x/..",
]  # fmt: skip


@pytest.mark.parametrize("field", ["path", "key"])
@pytest.mark.parametrize("name", HOSTILE)
def test_row90_and_92_a_manifest_that_names_what_lies_outside_is_not_believed(
    gate: Gate, guarded: World, field: str, name: str
) -> None:
    forge(guarded, {field: name})
    for file in guarded.ledger_file.parent.glob("ledger.sqlite*"):
        file.unlink()
    before = around(guarded)
    done = command(gate, guarded, "rebuild", "j")
    assert done.code == 4, done
    assert "Traceback" not in done.said
    back = guarded.folder / "back"
    done = command(gate, guarded, "restore", "j", ".", "--to", str(back))
    assert done.code == 2, done
    assert not read_tree(back)
    assert around(guarded) == before


@pytest.mark.skipif(os.name != "posix", reason="names of Windows are plain names elsewhere only")
@pytest.mark.parametrize(
    "name", ["..\\..\\canary", "C:\\canary", "C:canary", "\\\\server\\share\\x", "CON", "-rf", "~"]
)
def test_row90_what_another_system_would_take_for_a_way_out_is_a_name_like_any_other(
    gate: Gate, guarded: World, name: str
) -> None:
    (guarded.at["nas"] / "f").rename(guarded.at["nas"] / name)
    (guarded.source / "f").rename(guarded.source / name)
    forge(guarded, {"path": name, "key": name})
    for file in guarded.ledger_file.parent.glob("ledger.sqlite*"):
        file.unlink()
    before = around(guarded)
    assert command(gate, guarded, "rebuild", "j").code == 0
    back = guarded.folder / "back"
    done = command(gate, guarded, "restore", "j", ".", "--to", str(back))
    assert done.code == 0, done
    assert os.listdir(back) == [name]
    assert (back / name).read_bytes() == CANARY
    assert around(guarded) == before


def test_row92_a_manifest_that_swears_to_another_content_makes_no_record(gate: Gate, guarded: World) -> None:
    forge(guarded, {"digest": f"sha256:{sha256(b'something else')}"})
    for file in guarded.ledger_file.parent.glob("ledger.sqlite*"):
        file.unlink()
    done = command(gate, guarded, "rebuild", "j")
    assert done.code == 4, done
    again = command(gate, guarded, "run", "j")
    assert again.code in {0, 4}, again
    assert (guarded.at["nas"] / "f").read_bytes() == CANARY


def test_row89_a_restore_over_other_files_overwrites_nothing_and_says_so(gate: Gate, guarded: World) -> None:
    guarded.write("g", b"g")
    assert guarded.run().code == 0
    back = guarded.folder / "back"
    back.mkdir()
    (back / "f").write_bytes(b"newer, and somebody's work of a week")
    (back / "more").write_bytes(b"theirs")
    done = command(gate, guarded, "restore", "j", ".", "--to", str(back))
    assert done.code == 3, done
    assert (back / "f").read_bytes() == b"newer, and somebody's work of a week"
    assert (back / "more").read_bytes() == b"theirs"
    assert (back / "g").read_bytes() == b"g"


@pytest.mark.parametrize("folder", ["d", "d/e"])
def test_row91_a_link_that_is_planted_while_a_restore_goes_on_leads_nowhere(
    gate: Gate, guarded: World, folder: str
) -> None:
    for number in range(60):
        guarded.write(f"d/e/f{number:02}", os.urandom(200_000))
    assert guarded.run().code == 0
    outside = guarded.folder.parent / "outside"
    outside.mkdir()
    back = guarded.folder / "back"
    stop = threading.Event()

    def plant() -> None:
        place, away = back / folder, back / "away"
        while not stop.is_set():
            try:
                place.rename(away)
                place.symlink_to(outside)
                place.unlink()
                away.rename(place)
            except OSError:
                continue

    planting = threading.Thread(target=plant)
    planting.start()
    done = command(gate, guarded, "restore", "j", ".", "--to", str(back))
    stop.set()
    planting.join()
    assert done.code in {0, 3, 4}, done
    assert "Traceback" not in done.said
    assert os.listdir(outside) == []


def test_row27_a_folder_that_is_swapped_for_a_link_during_the_walk_leads_nowhere(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    outside = tmp_path / "outside"
    outside.mkdir()
    for number in range(40):
        world.write(f"d{number % 4}/f{number:02}", f"ours {number}".encode())
        (outside / f"f{number:02}").write_bytes(b"secret")
    stop = threading.Event()

    def swap() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            place, away = world.source / f"d{number % 4}", tmp_path / "away"
            place.rename(away)
            place.symlink_to(outside)
            place.unlink()
            away.rename(place)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(5):
            ended = world.run()
            assert ended.code in {0, 3, 4, 6}, ended.said
            assert sha256(b"secret") not in read_tree(world.at["nas"]).values(), "followed out of the source"
            assert all(state is not State.VERIFIED for state, _ in ended.troubles.values())
    finally:
        stop.set()
        swapping.join()
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended, lost={})
