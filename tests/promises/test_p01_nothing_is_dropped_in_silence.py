"""P1: every file that a job selects ends a run in exactly one state."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from coldchain.model import State
from tests.promises.lab import Lab, reasons, states, writer

needs_setpriv = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root reads everything, unless setpriv takes it away"
)
MORTAL = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


@needs_setpriv
def test_every_file_whatever_it_is_ends_in_one_state_with_its_reason(lab: Lab) -> None:
    lab.write("run/plain", b"plain")
    lab.write("run/conflict", b"mine")
    lab.write("run/busy", b"half")
    lab.write("locked/x", b"unseen")
    lab.write(".ColdChain/x", b"a name that is ours")
    (lab.source / "run/link").symlink_to("plain")
    os.mkfifo(lab.source / "run/pipe")
    (lab.nas / "run").mkdir()
    (lab.nas / "run/conflict").write_bytes(b"somebody's")
    (lab.source / "locked").chmod(0)
    try:
        with writer(lab.source / "run/busy"):
            done = lab.cli("run", "--init", "--json", before=MORTAL)
    finally:
        (lab.source / "locked").chmod(0o755)

    assert done.code == 3, done.said
    report = done.lines[-1]
    ended = {t["path"]: t["state"] for d in report["datasets"] for t in d["troubles"]}
    assert ended == {
        ".ColdChain/x": "refused",
        "locked/": "failed",
        "run/busy": "held",
        "run/conflict": "refused",
        "run/link": "refused",
        "run/pipe": "refused",
    }
    assert all(t["reason"] for d in report["datasets"] for t in d["troubles"])
    lots = [d["destinations"]["nas"] for d in report["datasets"]]
    counts = {state.value: sum(lot[state.value]["files"] for lot in lots) for state in State}
    assert counts == {"verified": 1, "held": 1, "refused": 4, "failed": 1}
    assert report["files"] == sum(counts.values())


@needs_setpriv
@pytest.mark.parametrize("folder", ["locked", "run/locked"])
def test_a_folder_that_nobody_can_look_into_is_not_left_out_by_a_pattern(lab: Lab, folder: str) -> None:
    lab.write("run/a.tif", b"image")
    lab.write(f"{folder}/b.tif", b"unseen")
    lab.configure({"include": ["*.tif"]})
    (lab.source / folder).chmod(0)
    try:
        done = lab.cli("run", "--init", before=MORTAL)
    finally:
        (lab.source / folder).chmod(0o755)
    assert done.code == 3, done.said
    assert f"{folder}/" in done.out
    assert (lab.nas / "run/a.tif").read_bytes() == b"image"


def test_a_file_that_was_written_a_moment_ago_is_held_until_it_has_been_left_alone(lab: Lab) -> None:
    lab.write("run/fresh", b"fresh")
    job = lab.job(settle=timedelta(minutes=10))
    report = lab.run(job)
    assert (report.exit_code, states(report)) == (3, {"held": 1})
    assert "left alone" in reasons(report)["run/fresh"]
    later = lab.run(job, now=datetime.now(UTC) + timedelta(minutes=11))
    assert (later.exit_code, states(later)) == (0, {"verified": 1})


def test_counts_add_up_at_each_of_two_destinations(two: Lab) -> None:
    two.acquire(30)
    (two.roots["usb"] / "run").mkdir()
    (two.roots["usb"] / "run/f0003.tif").write_bytes(b"somebody's")
    (two.source / "run/link").symlink_to("f0001.tif")
    report = two.run()
    assert states(report, "nas") == {"verified": 30, "refused": 1}
    assert states(report, "usb") == {"verified": 29, "refused": 2}
    assert not list(report.unaccounted())
    assert report.exit_code == 3


def test_files_that_were_kept_and_files_that_are_new_add_up_too(lab: Lab) -> None:
    lab.acquire(5)
    lab.run()
    lab.write("run/zz", b"new")
    report = lab.run()
    assert states(report) == {"verified": 6}
    assert sum(dataset.lots["nas"].sent.files for dataset in report.datasets) == 1


@pytest.mark.parametrize("what", ["missing", "empty", "excluded"])
def test_a_source_that_gives_nothing_is_not_success(lab: Lab, what: str) -> None:
    if what == "missing":
        lab.source.rmdir()
    if what == "excluded":
        lab.write("run/x.log", b"log")
        lab.configure({"exclude": ["*.log"]})
    done = lab.cli("run", "--init")
    assert done.code == (3 if what == "missing" else 6), done.said
    assert str(lab.source) in done.err


def test_a_dataset_that_is_not_there_is_not_success(lab: Lab) -> None:
    lab.acquire(1)
    lab.ready()
    done = lab.cli("run", "--dataset", "rum")
    assert done.code == 2
    assert "rum" in done.err
    assert "run" in done.err.split("there are:")[1]
