"""Is what a file system does to names found out, and is nothing left behind?"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from coldchain.errors import StoreError
from coldchain.stores.local.probe import probe_names
from coldchain.stores.local.store import LocalStore
from coldchain.stores.names import NameRules
from tests.stores.local.carrying import ROOTS, Mounts, needs_root, standing

LINUX = NameRules()
SPECIAL = '<>:"|?*\\'


def probed(place: Path) -> NameRules:
    """Probe twice: without and with a folder of our own, which is left as it was found."""
    store = LocalStore(str(place))
    before = sorted(os.listdir(place))
    rules = store.probe_names()
    assert sorted(os.listdir(place)) == before
    (place / ".coldchain").mkdir()
    (place / ".coldchain/destination.json").write_bytes(b"{}")
    assert store.probe_names() == rules
    assert standing(place / ".coldchain") == {"destination.json": b"{}"}
    assert os.listdir(place / ".coldchain") == ["destination.json"]
    store.close()
    return rules


@pytest.mark.parametrize("kind", ROOTS)
def test_ext4_keeps_every_name(place: Path, kind: str) -> None:
    assert probe_names(ROOTS[kind](str(place))) == LINUX
    assert probed(place) == LINUX


@needs_root
def test_tmpfs_keeps_every_name(mounts: Mounts) -> None:
    assert probed(mounts.tmpfs()) == LINUX


@needs_root
def test_exfat_folds_case_and_counts_in_utf_16(mounts: Mounts) -> None:
    assert probed(mounts.exfat()) == NameRules(
        folds_case=True, forbidden=SPECIAL, control_characters=False, invalid_utf8=False, limit_unit="utf-16"
    )


@needs_root
def test_ntfs_with_the_names_of_windows_refuses_what_windows_refuses(mounts: Mounts) -> None:
    assert probed(mounts.ntfs()) == NameRules(
        forbidden=SPECIAL,
        control_characters=False,
        trailing_dot=False,
        trailing_space=False,
        reserved_words=False,
        invalid_utf8=False,
        limit_unit="utf-16",
    )


@needs_root
def test_a_place_that_folds_case_or_decomposes_or_drops_dots_is_found_out(mounts: Mounts) -> None:
    faulty = mounts.fuse({"fold": True})
    assert probed(faulty.place) == NameRules(folds_case=True)
    faulty = mounts.fuse({"nfd": True})
    assert probed(faulty.place) == NameRules(folds_unicode=True)
    faulty = mounts.fuse({"strip": ". "})
    assert probed(faulty.place) == NameRules(trailing_dot=False, trailing_space=False)


@needs_root
def test_a_place_that_keeps_shorter_names_is_measured(mounts: Mounts) -> None:
    faulty = mounts.fuse({"faults": [{"op": "create", "errno": errno.ENAMETOOLONG, "match": "n" * 144}]})
    assert LocalStore(str(faulty.place)).probe_names() == NameRules(name_limit=143)


@needs_root
@pytest.mark.parametrize("op", ["create", "readdir", "getattr", "mkdir"])
def test_trouble_is_raised_and_not_taken_for_an_answer(mounts: Mounts, op: str) -> None:
    faulty = mounts.fuse({"faults": [{"op": op, "errno": errno.EIO, "match": "probe-", "skip": 5, "times": 1}]})
    if op == "mkdir":
        faulty.rules({"faults": [{"op": op, "errno": errno.EIO, "match": "probe-"}]})
    store = LocalStore(str(faulty.place))
    if op == "readdir":
        faulty.rules({"faults": [{"op": op, "errno": errno.EIO, "match": "probe-", "times": 1}]})
    with pytest.raises(StoreError):
        store.probe_names()
    assert os.listdir(faulty.backing) == []
    store.close()


@needs_root
def test_a_place_that_cannot_be_written_is_no_place_with_strict_rules(mounts: Mounts) -> None:
    faulty = mounts.fuse({"faults": [{"op": "create", "errno": errno.EACCES}]})
    store = LocalStore(str(faulty.place))
    with pytest.raises(StoreError):
        store.probe_names()
    assert os.listdir(faulty.backing) == []
    store.close()


def test_what_a_killed_probe_left_is_removed_by_a_later_one(both: LocalStore, place: Path) -> None:
    for name, age_s in (("probe-0123456789abcdef", 3600), ("probe-fedcba9876543210", 5)):
        left = place / ".coldchain" / name
        left.mkdir(parents=True)
        (left / "fold").touch()
        now = time.time()
        os.utime(left, (now - age_s, now - age_s))
    both.probe_names()
    assert os.listdir(place / ".coldchain") == ["probe-fedcba9876543210"], "a young one may be at work"
