"""Is what a file system does to names found out, and is nothing left behind?"""

from __future__ import annotations

import errno
import os
import time
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from coldchain.errors import StoreError
from coldchain.stores.local.posix import PosixRoot
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
@pytest.mark.parametrize(
    ("manner", "rules"),
    [
        ({"fold": True}, NameRules(folds_case=True)),
        ({"nfd": True}, NameRules(folds_unicode=True)),
        ({"strip": ". "}, NameRules(trailing_dot=False, trailing_space=False)),
    ],
)
def test_a_place_that_folds_case_or_decomposes_or_drops_dots_is_found_out(
    mounts: Mounts, manner: dict[str, object], rules: NameRules
) -> None:
    assert probed(mounts.fuse(manner).place) == rules


class Odd(PosixRoot):
    """A place that does to names what a test says."""

    def kept(self, name: str) -> str:
        """How a name is kept; raises what the place says of those that it refuses."""
        return name

    def found(self, name: str) -> str:
        """As what a name is looked up."""
        return name

    def shown(self, name: str) -> str:
        """As what a name is listed."""
        return name

    def create(self, key: str) -> int:
        folder, slash, name = key.rpartition("/")
        return super().create(folder + slash + self.kept(name))

    def stat(self, key: str) -> os.stat_result:
        folder, slash, name = key.rpartition("/")
        return super().stat(folder + slash + self.found(name))

    def names(self, folder: str) -> list[str]:
        return [self.shown(name) for name in super().names(folder)]


def odd(place: Path, **does: Callable[[str], str]) -> NameRules:
    root = type("One", (Odd,), {name: staticmethod(deed) for name, deed in does.items()})(str(place))
    rules = probe_names(root)
    assert os.listdir(place) == []
    root.close()
    return rules


def refusing(*names: str, code: int = errno.EILSEQ) -> Callable[[str], str]:
    def kept(name: str) -> str:
        if name in names:
            raise OSError(code, os.strerror(code))
        return name

    return kept


def test_p16_two_forms_are_one_also_where_each_is_listed_as_it_was_given(place: Path) -> None:
    """As on APFS: what was kept composed is found decomposed."""
    composed = partial(unicodedata.normalize, "NFC")
    assert odd(place, found=composed) == NameRules(folds_unicode=True)
    assert odd(place, kept=refusing("\u00e9")) == NameRules(folds_unicode=True), "to be careful"


def test_p16_case_may_be_folded_in_some_alphabets_only(place: Path) -> None:
    assert odd(place, found=lambda name: "\u00e4" if name == "\u00c4" else name) == NameRules(folds_case=True)
    assert odd(place, found=lambda name: "fold" if name == "FOLD" else name) == NameRules(folds_case=True)


def test_p16_a_place_that_keeps_long_names_as_others_is_measured_by_what_it_lists(place: Path) -> None:
    def shortened(name: str) -> str:
        return name if len(name) <= 100 else f"{name[0]}~{len(name)}"

    assert odd(place, kept=shortened) == NameRules(name_limit=100)


def test_a_name_that_is_refused_is_refused(place: Path) -> None:
    for code in (errno.EINVAL, errno.EILSEQ, errno.EEXIST, errno.ENOENT, errno.EACCES, errno.EPERM, errno.EOPNOTSUPP):
        assert odd(place, kept=refusing("nul.txt", code=code)) == NameRules(reserved_words=False)
    assert odd(place, kept=refusing("CON")) == NameRules(reserved_words=False)
    assert odd(place, kept=refusing("dot.")) == NameRules(trailing_dot=False)
    assert odd(place, kept=refusing("space ")) == NameRules(trailing_space=False)
    assert odd(place, kept=refusing("c\x01\n\x1fx")) == NameRules(control_characters=False)
    assert odd(place, kept=refusing("0<x", "7\\x")) == NameRules(forbidden="<\\")


@pytest.mark.parametrize("does", ["kept", "found"])
@pytest.mark.parametrize("name", ["fold", "FOLD", "\u00c4", "e\u0301", "CON"])
def test_trouble_with_one_name_is_no_answer(place: Path, does: str, name: str) -> None:
    asked = {"kept": ("fold", "CON"), "found": ("FOLD", "\u00c4", "e\u0301")}
    if name in asked[does]:
        with pytest.raises(OSError, match="Input/output"):
            odd(place, **{does: refusing(name, code=errno.EIO)})
    else:
        assert odd(place, **{does: refusing(name, code=errno.EIO)}) == LINUX, "nobody asks for that"
    assert os.listdir(place) == []


def test_a_place_that_does_not_show_what_was_just_made_is_not_believed(place: Path) -> None:
    with pytest.raises(OSError, match="does not show up"):
        odd(place, shown=lambda name: "other" if name == "fold" else name)
    assert os.listdir(place) == []


def test_what_is_listed_under_a_name_of_the_places_own_making_is_removed_under_the_one_it_was_given(
    place: Path,
) -> None:
    """As Samba does with CON: it says that it removed the short name, and did not."""

    class Renaming(Odd):
        def shown(self, name: str) -> str:
            return "C0~1" if name == "CON" else name

        def unlink(self, key: str) -> None:
            if not key.endswith("C0~1"):
                super().unlink(key)

    assert probe_names(Renaming(str(place))) == NameRules(reserved_words=False)
    assert os.listdir(place) == []


@needs_root
def test_a_place_that_keeps_shorter_names_is_measured(mounts: Mounts) -> None:
    faulty = mounts.fuse({"faults": [{"op": "create", "errno": errno.ENAMETOOLONG, "match": "n" * 144}]})
    assert LocalStore(str(faulty.place)).probe_names() == NameRules(name_limit=143)


@needs_root
@pytest.mark.parametrize("op", ["create", "readdir", "getattr", "mkdir"])
def test_trouble_is_raised_and_not_taken_for_an_answer(mounts: Mounts, op: str) -> None:
    faulty = mounts.fuse({"faults": [{"op": op, "errno": errno.EIO, "match": "probe-", "skip": 1, "times": 1}]})
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


def test_p05_nothing_else_in_our_own_folder_is_swept_however_old_it_is(both: LocalStore, place: Path) -> None:
    for name in ("manifests/fold", "set-aside/CON", "prob/fold"):
        file = place / ".coldchain" / name
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
        os.utime(file.parent, (0, 0))
    (place / ".coldchain/probe-file").write_bytes(b"x")
    os.utime(place / ".coldchain/probe-file", (0, 0))
    before = standing(place)
    both.probe_names()
    assert standing(place) == before
    assert len(before) == 4
