"""P15: a restore stays inside its folder, overwrites nothing unasked, and checks what it wrote."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.promises.lab import Lab, data, leftovers, stamps


@pytest.fixture
def back(tmp_path: Path) -> Path:
    return tmp_path / "back"


def restore(lab: Lab, back: Path, *words: str) -> tuple[int, str]:
    done = lab.cli("restore", "lab", "run", *words, "--to", str(back))
    return done.code, done.said


def test_everything_comes_back_as_it_was(lab: Lab, back: Path) -> None:
    lab.acquire(5)
    (lab.source / "run/f0001.tif").chmod(0o640)
    lab.ready()
    code, said = restore(lab, back)
    assert code == 0, said
    assert data(back) == data(lab.source)
    for name in data(back):
        was, now = (lab.source / name).stat(), (back / name).stat()
        assert (was.st_mtime_ns, was.st_mode) == (now.st_mtime_ns, now.st_mode)


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
@pytest.mark.parametrize("planted", ["folder", "file"])
def test_a_planted_link_leads_nowhere(lab: Lab, back: Path, planted: str, overwrite: tuple[str, ...]) -> None:
    lab.acquire(2)
    lab.ready()
    outside = lab.folder / "outside"
    outside.mkdir()
    (outside / "f0000.tif").write_bytes(b"somebody's")
    back.mkdir()
    if planted == "folder":
        (back / "run").symlink_to(outside)
    else:
        (back / "run").mkdir()
        (back / "run/f0000.tif").symlink_to(outside / "f0000.tif")
    code, said = restore(lab, back, *overwrite)
    assert code == 3, said
    assert data(outside) == {"f0000.tif": b"somebody's"}


def test_what_is_there_and_differs_is_left_alone_unless_overwrite_is_said(lab: Lab, back: Path) -> None:
    lab.acquire(3)
    lab.ready()
    (back / "run").mkdir(parents=True)
    (back / "run/f0001.tif").write_bytes(b"mine")
    code, said = restore(lab, back)
    assert code == 3, said
    assert "run/f0001.tif" in said
    assert (back / "run/f0001.tif").read_bytes() == b"mine"
    code, said = restore(lab, back, "--overwrite")
    assert code == 0, said
    assert data(back) == data(lab.source)


def test_what_is_there_and_equal_counts_and_is_not_written(lab: Lab, back: Path) -> None:
    lab.acquire(3)
    lab.ready()
    assert restore(lab, back)[0] == 0
    before = stamps(back)
    code, said = restore(lab, back)
    assert code == 0, said
    assert stamps(back) == before


def test_a_rotten_copy_is_not_brought_back(lab: Lab, back: Path) -> None:
    lab.acquire(3)
    lab.ready()
    copy = lab.nas / "run/f0001.tif"
    content = copy.read_bytes()
    copy.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    code, said = restore(lab, back)
    assert code == 4, said
    assert "run/f0001.tif" in said
    assert set(data(back)) == {"run/f0000.tif", "run/f0002.tif"}
    assert not leftovers(back)


@pytest.mark.parametrize("damage", ["rotten", "lost", "away"])
def test_a_copy_that_is_no_good_is_taken_from_the_second_destination(two: Lab, back: Path, damage: str) -> None:
    two.acquire(3)
    two.ready()
    first = two.roots["nas"]
    if damage == "rotten":
        (first / "run/f0001.tif").write_bytes(b"rotten")
    elif damage == "lost":
        (first / "run/f0001.tif").unlink()
    else:
        shutil.rmtree(first)
    code, said = restore(two, back)
    assert code == 0, said
    assert data(back) == data(two.source)
    assert "from usb" in said


def test_copies_with_digests_of_several_kinds_come_back_in_one_restore(lab: Lab, back: Path) -> None:
    lab.acquire(2)
    lab.ready()
    lab.configure({"digest": "md5"})
    lab.write("run/zz", os.urandom(100))
    lab.write("run/aa", os.urandom(100))
    assert lab.cli("run").code == 0
    code, said = restore(lab, back)
    assert code == 0, said
    assert data(back) == data(lab.source)


def test_a_restore_without_the_ledger_says_what_to_do(lab: Lab, back: Path) -> None:
    lab.acquire(2)
    lab.ready()
    lab.lose_ledger()
    code, said = restore(lab, back)
    assert code == 2
    assert "coldchain rebuild lab" in said
    assert lab.cli("rebuild", "lab").code == 0
    assert restore(lab, back)[0] == 0
