"""``coldchain check`` at the command line."""

from __future__ import annotations

import os

import pytest

from tests.cli.conftest import Desk


def _damage(desk: Desk) -> None:
    copy = desk.near / "one" / "0.tif"
    looked = copy.stat()
    copy.write_bytes(b"X" + copy.read_bytes()[1:])
    os.utime(copy, ns=(looked.st_atime_ns, looked.st_mtime_ns))


def test_copies_that_are_as_they_were_end_with_0(stored: Desk) -> None:
    ended = stored.type("check")
    assert ended.code == 0
    assert "4 files, 800 B proved again" in ended.out


def test_a_damaged_copy_ends_with_4_and_names_what_mends_it(stored: Desk) -> None:
    _damage(stored)
    ended = stored.type("check")
    assert ended.code == 4
    assert "near: one/0.tif: corrupt" in ended.out
    assert "mend them: coldchain check rig --repair" in ended.out


def test_repair_mends_it_from_the_source(stored: Desk) -> None:
    _damage(stored)
    ended = stored.type("check", "--repair")
    assert ended.code == 0
    assert "mended from the source" in ended.out
    assert stored.type("check").code == 0
    assert (stored.near / "one" / "0.tif").read_bytes() == (stored.source / "one" / "0.tif").read_bytes()


def test_what_nobody_has_whole_stays_wrong_and_says_so(stored: Desk) -> None:
    _damage(stored)
    (stored.source / "one" / "0.tif").unlink()
    ended = stored.type("check", "--repair")
    assert ended.code == 4
    assert "neither at the source nor whole at another destination" in ended.out


def test_proving_nothing_is_no_success(desk: Desk) -> None:
    ended = desk.type("check")
    assert ended.code == 6
    assert "nothing is stored yet" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--dataset", "onne"), "did you mean 'one'?"),
        (("--only", "neer"), "did you mean 'near'?"),
        (("--sample", "5"), '"5%"'),
        (("--within", "soon"), '"30 days"'),
        (("--sample", "5%", "--within", "3 days"), "take one"),
    ],
)
def test_a_slip_of_the_finger_is_named_and_ends_with_2(stored: Desk, words: tuple[str, ...], said: str) -> None:
    ended = stored.type("check", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_a_manifest_that_rots_ends_with_4_and_is_written_anew(stored: Desk) -> None:
    file = stored.near / ".coldchain/manifests/rig/one.json"
    whole = file.read_bytes()
    file.write_bytes(whole[:100] + b"X" + whole[101:])
    ended = stored.type("check")
    assert ended.code == 4
    assert "near: .coldchain/manifests/rig/one.json: corrupt: " in ended.out
    assert ", 1 manifest wrong or lost\n" in ended.out
    assert "mend them: coldchain check rig --repair" in ended.out
    ended = stored.type("check", "--repair")
    assert ended.code == 0
    assert "near: .coldchain/manifests/rig/one.json: written anew\n" in ended.out
    assert ", 1 manifest written anew\n" in ended.out
    assert stored.type("check").code == 0
