"""Is an instrument that acquires left in peace, and is everything there at its end (P3, P18)?"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.realdata.field import COLDCHAIN, Field, tree
from tests.realdata.life import holds

SIMULATE = ["--scale", "0.1", "--seed", "3", "--start", "2022-05-23T15:54+00:00"]
REWRITTEN = (b"experiment.json", b"trials.csv", b"acquisitions.txt")
"""Written at the beginning, and again at the end, or a line at a time."""
PLAYS = [
    ("merscope", "files", ""),
    ("merscope", "files", "crash"),
    ("merscope", "files", "late"),
    *((kind, kind, "") for kind in ("ifcb", "merscope", "cellpainting", "cytof", "rig")),
]


def play(kind: str, folder: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [COLDCHAIN, "simulate", kind, *SIMULATE, str(folder), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )


@pytest.mark.parametrize(("kind", "instrument", "fault"), PLAYS)
def test_p18_an_acquisition_while_runs_are_repeated(tmp_path: Path, kind: str, instrument: str, fault: str) -> None:
    faulty = ["--fault", fault] if fault else []
    right = tmp_path / "right"  # the same seed gives the same bytes: what each file is when it is finished
    assert play(kind, right, *faulty).wait(timeout=60) == 0
    final = {path: seen.sha256 for path, seen in tree(right).items()}

    source = tmp_path / "source"
    source.mkdir()
    of_files = {"datasets": "*/*"} if instrument == "files" else {}
    field = Field(tmp_path / "field", source, settle="1 s", instrument=instrument, **of_files)
    field("init")
    playing = play(kind, source, *faulty, "--rate", "1MB")
    codes: list[int] = []
    try:
        while playing.poll() is None:
            told = field("run", code=None)
            codes.append(told.code)
            assert told.code in (0, 3, 6), told  # held, or nothing there yet
            half_written(field, final)
            time.sleep(0.5)
    finally:
        playing.kill()
    assert playing.returncode == 0
    assert codes  # it ran beside the acquisition
    last = field("run", code=None)
    for _ in range(20):
        if last.code == 0:
            break
        time.sleep(0.3)
        last = field("run", code=None)
    assert last.code == 0, last
    here = tree(source)
    assert {path: seen.sha256 for path, seen in here.items()} == final
    holds(field, here)
    assert field("run").out.endswith("all verified\n")


def half_written(field: Field, final: dict[bytes, str]) -> None:
    """Every name at the destination has the bytes that it ends with, or bytes that the source was seen to rest with."""
    for key, seen in tree(field.places["place1"]).items():
        assert b".~" not in key
        if os.path.basename(key) in REWRITTEN:
            continue
        assert seen.sha256 == final[key], key
