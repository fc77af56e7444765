"""Does the instrument of the page docs/instruments/your-own.md work as the page says, installed as a package?"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "instruments" / "your-own.md"


class Bench:
    """A computer on which the package of the page is installed, with a plate reader's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.source = folder, folder / "source"
        site = folder / "site"
        blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
        groups = tomllib.loads(blocks["toml"])["project"]["entry-points"]
        told = "".join(
            f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in points.items())
            for group, points in groups.items()
        )
        info = site / "platereader-1.dist-info"
        info.mkdir(parents=True)
        (info / "entry_points.txt").write_text(told)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: platereader\nVersion: 1\n")
        (site / "platereader.py").write_text(blocks["python"])
        self._env = {**os.environ, "PYTHONPATH": str(site), "XDG_CONFIG_HOME": str(folder / "nobody")}

    def type(self, *words: str) -> tuple[int, str]:
        ended = subprocess.run(
            [sys.executable, "-m", "coldchain", *words],
            cwd=self.folder,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended.returncode, ended.stdout

    def lines(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.type(*words)[1].splitlines()]

    def plate(self, number: int, wells: list[str], planned: list[str], *, done: bool) -> Path:
        folder = self.source / f"plate_{number:04d}"
        folder.mkdir(parents=True)
        (folder / "plan.txt").write_text("\n".join(planned))
        for well in wells:
            (folder / f"{well}.csv").write_text(f"{well},0.5\n")
        if done:
            (folder / "DONE").touch()
        return folder


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_package_brings_an_instrument_that_inspect_init_and_run_use(bench: Bench) -> None:
    bench.plate(1, ["A01", "A02"], ["A01", "A02"], done=True)
    bench.plate(2, ["A01"], ["A01", "A02", "A03"], done=True)
    (bench.source / "notes.txt").write_text("left here by somebody")

    inspection, *datasets = bench.lines("inspect", "source", "--json")
    assert inspection["instrument"] == "platereader"
    told = {one["dataset"]: (one["condition"], one["missing"]) for one in datasets}
    assert told["plate_0001"] == ("complete", [])
    assert told["plate_0002"][1] == ["A02", "A03"]

    assert bench.type("init", "--source", "source", "--destination", "store")[0] == 0
    settings = ("--set", "jobs.platereader.settle=0 s", "--set", "destinations.storage.layout={number}/{path}")
    assert bench.type("run", *settings)[0] == 0
    assert (bench.folder / "store" / "0001" / "A02.csv").is_file()
    assert (bench.folder / "store" / "0002" / "DONE").is_file()
    assert (bench.folder / "store" / "notes.txt").is_file(), "what lies in no plate is carried too"
    listed = {one["dataset"]: one for one in bench.lines("list", "--json")}
    assert listed["plate_0001"]["condition"] == "complete"
    assert listed["plate_0002"]["summary"] == "short by 2 of 3 wells: A02, A03"
    code, out = bench.type("find", "read<2", "wells>=3")
    assert (code, out.split()) == (0, ["platereader", "plate_0002", "read=1", "wells=3"])


def test_a_job_can_wait_until_a_plate_of_such_an_instrument_is_whole(bench: Bench) -> None:
    folder = bench.plate(3, ["A01"], ["A01", "A02"], done=False)
    assert bench.type("init", "platereader", "--source", "source", "--destination", "store")[0] == 0
    settings = ("--set", "jobs.platereader.settle=0 s", "--set", "jobs.platereader.incomplete=wait")
    assert bench.type("run", *settings)[0] == 3
    assert not (bench.folder / "store" / "plate_0003").exists()
    (folder / "A02.csv").write_text("A02,0.7\n")
    (folder / "DONE").touch()
    assert bench.type("run", *settings)[0] == 0
    assert (bench.folder / "store" / "plate_0003" / "DONE").is_file()
