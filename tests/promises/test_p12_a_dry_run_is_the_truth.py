"""P12: a dry run writes nothing anywhere, and lists exactly what the real run then does."""

from __future__ import annotations

import os
from typing import Any

import pytest

from coldchain.ledger.ledger import Ledger
from tests.promises.lab import Lab, snapshot, writer

DONE = {"stored": "new", "kept-both": "new", "repaired": "new", "replaced": "replace", "adopted": "adopt"}
DONE |= {"proved-again": "adopt", "touched": "adopt"}


@pytest.fixture
def busy(two: Lab) -> Lab:
    """Everything at once: new, changed, adopted, in conflict, missing, refused, held."""
    two.acquire(12)
    two.ready()
    two.write("run/f0001.tif", b"changed")
    two.write("run/new.tif", b"new")
    two.write("run/there.tif", b"there")
    two.write("run/conflict.tif", b"mine")
    (two.roots["usb"] / "run/there.tif").write_bytes(b"there")
    (two.roots["usb"] / "run/conflict.tif").write_bytes(b"theirs")
    (two.roots["nas"] / "run/f0002.tif").unlink()
    (two.source / "run/link").symlink_to("new.tif")
    two.write("run/writing.tif", b"wri")
    return two


def listed(lines: list[dict[str, Any]]) -> dict[str, set[tuple[str, ...]]]:
    found: dict[str, set[tuple[str, ...]]] = {"send": set(), "hold": set(), "refuse": set()}
    for line in lines:
        if line["format"] == "coldchain-action":
            if line["action"] == "send":
                found["send"] |= {(line["path"], t["destination"], t["manner"]) for t in line["targets"]}
            elif line["action"] == "hold":
                found["hold"] |= {(line["path"], name) for name in line["destinations"]}
            else:
                found["refuse"] |= {(line["path"],)}
    return found


def done_by(lab: Lab, run: int) -> set[tuple[str, ...]]:
    with Ledger.open_read_only(f"sqlite:///{lab.ledger_file}") as ledger:
        events = [e for e in ledger.events(job="lab") if e.run == run and e.kind in DONE]
        return {(str(e.path), str(e.destination), DONE[e.kind]) for e in events}


@pytest.mark.parametrize("words", [("plan",), ("plan", "--json"), ("run", "--dry-run"), ("run", "-n", "--json")])
def test_it_writes_nothing_anywhere(busy: Lab, words: tuple[str, ...]) -> None:
    os.environ.pop("COLDCHAIN_CONFIG", None)
    before = snapshot(busy.folder)
    done = busy.cli(*words)
    assert done.code == 0, done.said
    assert snapshot(busy.folder) == before


def test_it_writes_nothing_where_nothing_was_ever_done(lab: Lab) -> None:
    lab.acquire(3)
    before = snapshot(lab.folder)
    assert lab.cli("plan").code == 3  # the destination is not marked
    assert lab.cli("plan", "--json").code == 3
    assert snapshot(lab.folder) == before


def test_it_writes_nothing_beside_the_remains_of_a_kill(lab: Lab) -> None:
    lab.acquire(3)
    lab.ready()
    rest = lab.nas / "run/.~0000aaaa-12345678.coldchain"
    rest.write_bytes(b"half")
    lab.lose_ledger()
    before = snapshot(lab.folder)
    done = lab.cli("plan", "--json")
    assert done.code == 0, done.said
    assert snapshot(lab.folder) == before


def test_the_run_does_exactly_what_the_plan_lists(busy: Lab) -> None:
    with writer(busy.source / "run/writing.tif"):
        plan = listed(busy.cli("plan", "--json").lines)
        done = busy.cli("run", "--json")
    assert done.code == 3, done.said
    report = done.lines[-1]
    troubles = {(t["path"], t["destination"], t["state"]) for d in report["datasets"] for t in d["troubles"]}
    assert plan["hold"] == {(path, name) for path, name, state in troubles if state == "held"}
    assert plan["refuse"] == {("run/link",)}
    conflict = ("run/conflict.tif", "usb")
    assert (*conflict, "refused") in troubles
    assert plan["send"] - {(*conflict, "adopt")} == done_by(busy, report["run"])
    assert ("run/f0001.tif", "nas", "replace") in plan["send"]
    assert ("run/there.tif", "usb", "adopt") in plan["send"]
    assert ("run/there.tif", "nas", "new") in plan["send"]
    assert ("run/f0002.tif", "nas", "new") in plan["send"]


def test_after_the_run_there_is_nothing_left_to_plan(lab: Lab) -> None:
    lab.acquire(3)
    lab.ready()
    assert listed(lab.cli("plan", "--json").lines) == {"send": set(), "hold": set(), "refuse": set()}


@pytest.mark.parametrize("other_job_ran", [False, True])
def test_the_plan_is_true_without_a_ledger_too(lab: Lab, other_job_ran: bool) -> None:
    lab.acquire(4)
    lab.ready()
    lab.lose_ledger()
    lab.write("run/f0001.tif", b"changed since")
    if other_job_ran:  # so that there is a ledger again, which knows nothing of the job
        text = (lab.folder / "coldchain.toml").read_text()
        (lab.folder / "else").mkdir()
        (lab.folder / "else/x").write_bytes(b"x")
        (lab.folder / "disk").mkdir()
        more = f'[jobs.other]\nsource = "{lab.folder}/else"\ndestinations = ["disk"]\nsettle = "0 s"\n'
        more += f'[destinations.disk]\nurl = "{lab.folder}/disk"\n'
        (lab.folder / "coldchain.toml").write_text(text + more)
        assert lab.cli("run", "other", "--init").code == 0
    plan = listed(lab.cli("plan", "lab", "--json").lines)
    done = lab.cli("run", "lab", "--json")
    assert done.code == 0, done.said
    assert plan["send"] == done_by(lab, done.lines[-1]["run"])
    assert ("run/f0001.tif", "nas", "replace") in plan["send"]
