"""P10: what is missing, empty where it was full, or another one is recognised before anything is done."""

from __future__ import annotations

import json
import re
import shlex
import shutil

import pytest

from coldchain.testing.oracle import read_tree
from tests.promises.lab import Lab, Ran, data
from tests.stores.local.carrying import Mounts, needs_root, run


def stopped(lab: Lab, before: dict[str, str], *, root: str = "nas") -> Ran:
    """A run that did nothing but leave word of its trouble; and a plan says the same."""
    done = lab.cli("run")
    assert done.code == 3, done.said
    assert lab.cli("plan").code == 3
    assert _but_words(read_tree(lab.roots[root])) == _but_words(before)
    return done


def _but_words(tree: dict[str, str]) -> dict[str, str]:
    return {path: digest for path, digest in tree.items() if not path.startswith(".coldchain/agents/")}


def obey(lab: Lab, done: Ran) -> Ran:
    """Do what the message says."""
    (command,) = re.findall(r"coldchain (?:run|init|rebuild) [^.\n]*", done.err)
    again = lab.cli(*shlex.split(command)[1:])
    assert again.code == 0, again.said
    return again


def test_a_missing_source(lab: Lab) -> None:
    lab.acquire(3)
    lab.ready()
    before = read_tree(lab.nas)
    lab.source.rename(lab.folder / "elsewhere")
    done = stopped(lab, before)
    assert "cannot be opened" in done.err
    assert str(lab.source) in done.err


def test_an_emptied_source(lab: Lab) -> None:
    lab.acquire(3)
    lab.ready()
    before = read_tree(lab.nas)
    shutil.rmtree(lab.source / "run")
    done = stopped(lab, before)
    assert "held 3 files" in done.err
    assert "--accept-source" in done.err
    accepted = lab.cli("run", "lab", "--accept-source")
    assert accepted.code == 6, accepted.said  # accepted, and there is nothing to carry
    assert read_tree(lab.nas).items() >= {k: v for k, v in before.items() if not k.startswith(".coldchain")}.items()


@needs_root
def test_another_volume_under_the_source(lab: Lab) -> None:
    lab.acquire(3)
    lab.ready()
    before = read_tree(lab.nas)
    run("mount", "-t", "tmpfs", "tmpfs", lab.source)
    try:
        lab.acquire(3, folder="other")
        done = stopped(lab, before)
        assert "another volume" in done.err
        obey(lab, done)
        assert data(lab.nas).keys() > data(lab.source).keys()
    finally:
        run("umount", lab.source)


@needs_root
def test_an_unmounted_source(lab: Lab) -> None:
    run("mount", "-t", "tmpfs", "tmpfs", lab.source)
    try:
        lab.acquire(3)
        lab.ready()
    finally:
        run("umount", lab.source)
    stopped(lab, read_tree(lab.nas))


def test_a_destination_that_was_never_marked_gets_nothing(lab: Lab) -> None:
    lab.acquire(3)
    done = stopped(lab, {})
    assert "never used" in done.err
    assert lab.cli("run", "--init").code == 0


@needs_root
def test_an_unmounted_destination_gets_not_one_byte(lab: Lab) -> None:
    run("mount", "-t", "tmpfs", "tmpfs", lab.nas)
    try:
        lab.acquire(3)
        lab.ready()
        lab.write("run/new", b"new")
    finally:
        run("umount", lab.nas)
    assert not list(lab.nas.iterdir())
    done = stopped(lab, {})
    assert "lost its mark" in done.err
    assert not list(lab.nas.iterdir())
    check = lab.cli("check")
    assert check.code == 3, check.said
    assert not list(lab.nas.iterdir())
    obey(lab, done)
    assert data(lab.nas) == data(lab.source)


@needs_root
def test_a_swapped_destination(lab: Lab, mounts: Mounts) -> None:
    first, second = mounts.tmpfs("size=8m"), mounts.tmpfs("size=8m")
    lab.acquire(3)
    for disk in (first, second):
        lab.roots["nas"] = disk
        lab.configure(name="lab" if disk == first else "other")
        lab.ready()
    before = read_tree(second)
    lab.configure()  # the job whose disk was the first one finds the second
    done = stopped(lab, before)
    assert "another destination" in done.err
    obey(lab, done)


@pytest.mark.parametrize("whose", ["job", "host"])
def test_a_destination_of_somebody_else(lab: Lab, whose: str) -> None:
    lab.acquire(3)
    lab.ready()
    marker = lab.nas / ".coldchain/destination.json"
    values = json.loads(marker.read_text())
    values["writers"][0][whose] = "somebody-else"
    marker.write_text(json.dumps(values))
    lab.write("run/new", b"new")
    done = stopped(lab, read_tree(lab.nas))
    assert "somebody-else" in done.err
    obey(lab, done)
    assert data(lab.nas) == data(lab.source)


def test_a_destination_without_a_marker_is_known_by_its_volume(lab: Lab) -> None:
    lab.configure(destinations={"nas": {"marker": False}})
    lab.acquire(3)
    lab.ready()
    assert lab.cli("run").code == 0
    assert not (lab.nas / ".coldchain").exists()


@needs_root
def test_another_volume_under_a_destination_without_a_marker(lab: Lab) -> None:
    lab.configure(destinations={"nas": {"marker": False}})
    lab.acquire(3)
    lab.ready()
    run("mount", "-t", "tmpfs", "tmpfs", lab.nas)
    try:
        done = stopped(lab, {})
        obey(lab, done)
    finally:
        run("umount", lab.nas)


def test_the_brake_stops_when_too_many_stored_files_changed(lab: Lab) -> None:
    lab.acquire(120, size_bytes=50)
    lab.ready()
    before = read_tree(lab.nas)
    for number in range(61):
        lab.write(f"run/f{number:04d}.tif", b"encrypted by somebody")
    done = stopped(lab, before)
    assert "61 of 120" in done.err
    obey(lab, done)
    assert data(lab.nas) == data(lab.source)


def test_the_brake_lets_half_of_them_pass(lab: Lab) -> None:
    lab.acquire(120, size_bytes=50)
    lab.ready()
    for number in range(60):
        lab.write(f"run/f{number:04d}.tif", b"processed anew")
    assert lab.cli("run").code == 0
