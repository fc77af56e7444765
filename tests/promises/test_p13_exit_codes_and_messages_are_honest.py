"""P13: 0 means that everything selected is verified at every required destination."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.promises.lab import Lab, data
from tests.stores.local.carrying import Mounts, needs_root


def test_zero_means_that_all_is_verified(two: Lab) -> None:
    two.acquire(3)
    done = two.ready()
    assert "all verified" in done.out
    assert data(two.roots["nas"]) == data(two.roots["usb"]) == data(two.source)
    assert two.cli("check").code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [(("run", "nobody"), 2), (("run", "--only", "tape"), 2), (("run", "--set", "jobs.lab.settle=7"), 2), (("rum",), 2)],
)
def test_what_makes_no_sense_is_2(lab: Lab, words: tuple[str, ...], code: int) -> None:
    lab.acquire(1)
    done = lab.cli(*words)
    assert done.code == code, done.said
    assert done.err
    assert data(lab.nas) == {}


def test_a_wrong_copy_is_4_until_it_is_mended(lab: Lab) -> None:
    lab.acquire(3)
    lab.ready()
    (lab.nas / "run/f0001.tif").write_bytes(b"rotten")
    done = lab.cli("check")
    assert done.code == 4, done.said
    assert "run/f0001.tif" in done.out
    assert "coldchain check lab --repair" in done.said
    assert lab.cli("check", "--repair").code == 0
    assert data(lab.source).items() <= data(lab.nas).items()
    assert lab.cli("check").code == 0


def test_one_broken_destination_never_spoils_another(two: Lab) -> None:
    two.acquire(5)
    two.ready()
    two.acquire(5, folder="next")
    usb = two.roots["usb"]
    (usb / "next").write_bytes(b"a file where a folder is needed")
    done = two.cli("run", "--json")
    assert done.code == 3, done.said
    (report,) = [d["destinations"] for d in done.lines[-1]["datasets"] if d["dataset"] == "next"]
    assert report["nas"]["verified"]["files"] == 5
    assert report["usb"]["verified"]["files"] == 0
    assert data(two.roots["nas"]) == data(two.source)


@needs_root
def test_a_full_disk_never_spoils_another(two: Lab, mounts: Mounts) -> None:
    two.roots["usb"] = mounts.tmpfs("size=1m")
    two.configure()
    two.write("run/big", os.urandom(3 << 20))
    two.acquire(3)
    done = two.cli("run", "--init")
    assert done.code == 3, done.said
    assert data(two.roots["nas"]) == data(two.source)
    assert "run/big" not in data(two.roots["usb"])


@pytest.mark.parametrize("trouble", ["missing", "unmarked", "conflict"])
def test_trouble_with_an_optional_destination_is_said_and_leaves_0(two: Lab, trouble: str) -> None:
    two.configure(destinations={"usb": {"required": False}})
    two.acquire(3)
    two.ready()
    usb = two.roots["usb"]
    two.write("run/new", b"new")
    if trouble == "missing":
        shutil.rmtree(usb)
    elif trouble == "unmarked":
        shutil.rmtree(usb / ".coldchain")
    else:
        (usb / "run/new").write_bytes(b"theirs")
    plan = two.cli("plan")
    assert plan.code == 0, plan.said
    done = two.cli("run")
    assert done.code == 0, done.said
    assert "usb" in done.said
    assert ("left out" if trouble != "conflict" else "refused 1") in done.out
    assert data(two.roots["nas"]) == data(two.source)
    assert usb.exists() == (trouble != "missing")
    if trouble == "unmarked":
        assert not (usb / "run/new").exists()


def test_one_jobs_trouble_does_not_keep_the_next_one_from_running(lab: Lab) -> None:
    lab.acquire(2)
    text = (lab.folder / "coldchain.toml").read_text()
    (lab.folder / "disk").mkdir()
    first = f'[jobs.absent]\nsource = "{lab.folder}/nowhere"\ndestinations = ["disk"]\n'
    first += f'[destinations.disk]\nurl = "{lab.folder}/disk"\n'
    (lab.folder / "coldchain.toml").write_text(text.replace("[jobs.lab]", first + "[jobs.lab]"))
    done = lab.cli("run", "--init")
    assert done.code == 3, done.said
    assert "nowhere" in done.err
    assert data(lab.nas) == data(lab.source)
