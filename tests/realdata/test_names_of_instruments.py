"""Do hostile names pass through every command when an instrument judges the folders that they lie in (P16)?"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coldchain.simulate.base import Options, open_simulator
from coldchain.simulate.play import play
from tests.realdata.field import COLDCHAIN, Field, checked, make, sent, tree, verified
from tests.realdata.hostile import BYTES, CONTROLS, ENDS, INSTRUMENTS, contents

START = datetime(2022, 5, 23, 15, 54, tzinfo=UTC)
KINDS = ["ifcb", "merscope", "cellpainting", "cellpainting-imagexpress", "cellpainting-cv8000", "cytof", "rig"]
NAMES = [*INSTRUMENTS, *BYTES, *ENDS, *CONTROLS]


def played(kind: str, source: Path) -> None:
    """An acquisition of long ago, with hostile names beside it, in it, and as folders of their own."""
    steps = open_simulator(kind).steps(Options(START, seed=3, scale=0.02))
    for _ in play(steps, source, None, lambda _: None, lambda: 0.0):
        pass
    folders = [b"", *(os.fsencode(folder.relative_to(source)) + b"/" for folder in sorted(source.rglob("*/")))]
    for folder in folders[:: max(1, len(folders) // 4)]:
        make(source, contents([folder + name for name in NAMES]))
    for root, below, files in os.walk(os.fsencode(source)):
        for name in (*below, *files):
            os.utime(os.path.join(root, name), (1_600_000_000, 1_600_000_000))


@pytest.mark.parametrize("kind", KINDS)
def test_p16_hostile_names_in_the_folders_of_an_instrument(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "source"
    played(kind, source)
    field = Field(tmp_path / "field", source, instrument=kind.partition("-")[0], incomplete="flag")
    here = tree(source)
    assert len(here) > len(NAMES)
    field("init")
    field("plan")
    report = field.run()
    assert verified(report, "place1") == len(here)
    assert {path: seen.kept for path, seen in tree(field.places["place1"]).items()} == {
        path: seen.kept for path, seen in here.items()
    }
    datasets = [dataset["dataset"] for dataset in report["datasets"] if dataset["files"]]
    back = tmp_path / "back"
    told = field.many(
        [
            ["run", "--json"], ["list", "--long"], ["list", "--json"],
            ["find", "dataset~", "--long"], ["find", "job=job"], ["history"], ["report"], ["check"], ["doctor"],
            *(["restore", "job", name, "--to", str(back / str(number))] for number, name in enumerate(datasets)),
        ],
    )  # fmt: skip
    (again,) = (json.loads(line) for line in told[0].out.splitlines() if '"coldchain-report"' in line)
    assert sent(again) == 0
    restored: dict[bytes, tuple[str, int, int]] = {}
    for number in range(len(datasets)):
        restored |= {path: seen.kept for path, seen in tree(back / str(number)).items()}
    assert restored == {path: seen.kept for path, seen in here.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_p16_inspect_shows_hostile_names_and_steers_no_terminal(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "source"
    played(kind, source)
    inspected = _inspect(source)
    assert f"looks like {kind.partition('-')[0]}" in inspected


def _inspect(source: Path) -> str:
    said = ""
    for words in (["--long"], ["--json"]):
        done = subprocess.run(
            [str(COLDCHAIN), "inspect", str(source), *words], capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        said = said or checked(done.stdout)
    return said
