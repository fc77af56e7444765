"""P16: whatever name the source holds arrives unchanged, or is refused with the reason before anything is sent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coldchain.config.values import Destination
from coldchain.model import Place
from tests.promises.lab import Lab, data, reasons, states
from tests.stores.local.carrying import Mounts, needs_root

HOSTILE = [
    b"caf\xe9",
    b"new\nline",
    b"tab\tand\x1bescape",
    b"caf\xc3\xa9",
    b"cafe\xcc\x81",
    b"\xff" * 255,
    b"-rf",
    b"*",
    b" leading and trailing ",
    b"dot.",
    b"CON",
    b"a\\b",
    b"%41${HOME}~",
    b"Case",
    b"case",
]


def fill(lab: Lab, names: list[bytes]) -> None:
    (lab.source / "run").mkdir()
    for number, name in enumerate(names):
        Path(os.fsdecode(bytes(lab.source) + b"/run/" + name)).write_bytes(b"%d" % number)


def test_every_name_arrives_unchanged_through_the_command_line(lab: Lab) -> None:
    fill(lab, HOSTILE)
    done = lab.ready()
    assert "\x1b" not in done.said
    assert set(os.listdir(bytes(lab.nas / "run"))) == set(HOSTILE)
    assert data(lab.nas) == data(lab.source)
    assert lab.cli("run").code == lab.cli("check").code == 0


def test_a_rebuilt_ledger_knows_every_name_and_restore_brings_it_back(lab: Lab, tmp_path: Path) -> None:
    fill(lab, HOSTILE)
    lab.ready()
    lab.lose_ledger()
    assert lab.cli("rebuild").code == 0
    done = lab.cli("restore", "lab", "run", "--to", str(tmp_path / "back"))
    assert done.code == 0, done.said
    assert data(tmp_path / "back") == data(lab.source)


@needs_root
def test_a_place_that_folds_names_refuses_twins_while_planning(lab: Lab, mounts: Mounts) -> None:
    place = mounts.exfat()
    lab.roots["nas"] = place
    lab.configure()
    fill(lab, [b"Case", b"case", b"CASE", b"plain", b"a:b", b"caf\xe9"])
    marked = lab.cli("run", "--init", "--json")
    assert marked.code == 3, marked.said
    listed = {line["path"]: line for line in lab.cli("plan", "--json").lines if line.get("action") == "refuse"}
    assert len(listed) >= 4
    copies = data(place)
    assert {name: content for name, content in data(lab.source).items() if name in copies} == copies
    lowered = [name.casefold() for name in copies]
    assert len(set(lowered)) == len(lowered) >= 2
    assert not copies.keys() & listed.keys()


@needs_root
@pytest.mark.parametrize(
    ("rules", "names", "kept"),
    [
        ({"fold": True}, [b"Case", b"case"], [b"Case"]),
        ({"nfd": True}, [b"cafe\xcc\x81", b"plain"], [b"cafe\xcc\x81", b"plain"]),
        ({"nfd": True}, [b"cafe\xcc\x81", b"caf\xc3\xa9"], [b"cafe\xcc\x81"]),
        ({"strip": "."}, [b"dot.", b"dot"], [b"dot"]),
    ],
)
def test_what_a_place_would_confuse_is_refused_the_same_way_each_time(
    lab: Lab, mounts: Mounts, rules: dict[str, object], names: list[bytes], kept: list[bytes]
) -> None:
    place = mounts.fuse(rules).place
    job = lab.job(destinations=(Destination(Place("nas", str(place))),))
    fill(lab, names)
    first = lab.run(job)
    assert states(first) == {"verified": len(kept)} | ({"refused": 1} if len(kept) < len(names) else {})
    assert set(os.listdir(bytes(place / "run"))) == set(kept)
    second = lab.run(job)
    assert reasons(second) == reasons(first)
    assert states(second) == states(first)
