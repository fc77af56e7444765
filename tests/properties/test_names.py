"""Does a place get every name that it can keep, and none that it cannot, nor two that it would confuse?"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from coldchain.ledger.manifest import name_bytes, sums_lines
from coldchain.model import Dataset, Part
from coldchain.steps.layout import layout_of
from coldchain.stores.names import NameRules
from tests.fuzz.targets.own import record_of
from tests.properties.searching import few

_character = st.characters(exclude_categories=["Cs"], exclude_characters="/\0") | st.sampled_from(
    list(
        "aAbB.: \u00e9\u0301\u0130\u0131\u00df\u017f\u212a\u03c2\u03a3\u0345\u1e9e\ufb01\udc80\udcff\n\x01*?\U0001f600"
    )
)
_name = st.text(_character, min_size=1, max_size=8).filter(lambda name: name not in {".", ".."}) | st.sampled_from(
    [
        "CON",
        "con.txt",
        "aux",
        "COM\u00b9.x",
        "conx",
        "nul .x",
        "LPT9",
        "x" * 256,
        "\u00e9" * 128,
        "\U0001f600" * 128,
        "a.",
        "a ",
    ]
)
_key = st.lists(_name, min_size=1, max_size=4).map("/".join)
_rules = st.builds(
    NameRules,
    folds_case=st.booleans(),
    folds_unicode=st.booleans(),
    forbidden=st.text(st.sampled_from(':*?"<>|\\'), max_size=4),
    control_characters=st.booleans(),
    trailing_dot=st.booleans(),
    trailing_space=st.booleans(),
    reserved_words=st.booleans(),
    invalid_utf8=st.booleans(),
    name_limit=st.sampled_from([255, 143, 10]),
    limit_unit=st.sampled_from(["bytes", "utf-16"]),
    key_bytes=st.sampled_from([0, 1024, 30]),
)
_DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789\u00b9\u00b2\u00b3"),
}


def kept(rules: NameRules, key: str) -> bool:
    """What a place does that is just as the rules say; written for the eye, not for speed."""
    raw = key.encode("utf-8", "surrogateescape")
    if rules.key_bytes and len(raw) > rules.key_bytes:
        return False
    for name in key.split("/"):
        size = len(name.encode("utf-8", "surrogateescape"))
        if rules.limit_unit == "utf-16":
            size = sum(2 if ord(character) > 0xFFFF else 1 for character in name)
        faults = (
            size > rules.name_limit,
            not rules.invalid_utf8 and any(0xD800 <= ord(character) <= 0xDFFF for character in name),
            bool(set(name) & set(rules.forbidden)),
            not rules.control_characters and any(0 < ord(character) < 32 for character in name),
            not rules.trailing_dot and name[-1] == ".",
            not rules.trailing_space and name[-1] == " ",
            not rules.reserved_words and name.split(".")[0].lower() in _DEVICES,
        )
        if any(faults):
            return False
    return True


@few(300)
@given(_rules, _key)
def test_p16_a_name_is_refused_exactly_where_the_place_cannot_keep_it(rules: NameRules, key: str) -> None:
    reason = rules.refusal(key)
    assert (not reason) is kept(rules, key), reason
    assert reason.isprintable()
    assert "\x1b" not in reason


@few(300)
@given(_rules, _key, _key)
def test_p16_folding_is_an_equivalence_and_works_name_by_name(rules: NameRules, one: str, two: str) -> None:
    assert "/".join(map(rules.fold, one.split("/"))) == rules.fold(one)
    if not rules.confuses:
        assert rules.fold(one) == one
    if rules.folds_case:
        assert rules.fold(one.upper()) == rules.fold(one.upper().lower().upper())
    if rules.folds_unicode:
        assert rules.fold(unicodedata.normalize("NFD", one)) == rules.fold(unicodedata.normalize("NFC", one))
    if rules.folds_unicode and not rules.folds_case:
        assert (rules.fold(one) == rules.fold(two)) is (
            unicodedata.normalize("NFD", one) == unicodedata.normalize("NFD", two)
        )


@few(50)
@given(_rules)
def test_rules_come_back_from_the_mark_of_a_destination(rules: NameRules) -> None:
    assert NameRules.from_json(rules.as_json()) == rules == NameRules(**asdict(rules))


# --- keys -------------------------------------------------------------------------------------------------------------

_LEVELS = ["{job}", "{dataset}", "{part}", "{plate}", "{date}", "by-{dataset}", "raw", "{plate}-{date}"]


@few(200)
@given(
    st.lists(st.sampled_from(_LEVELS), max_size=3, unique=True),
    _key,
    st.sets(_key, min_size=2, max_size=8),
    st.dictionaries(st.sampled_from(["plate", "date"]), _name),
)
def test_p16_whatever_a_layout_names_no_two_files_of_a_dataset_get_one_key(
    levels: list[str], root: str, below: set[str], fields: dict[str, str]
) -> None:
    part = Part(root, name="raw_data")
    layout = layout_of("/".join([*levels, "{path}"]), "job", Dataset(root, (part,), tuple(fields.items())), part)
    paths = sorted(f"{root}/{one}" for one in below)
    keys = [layout.key(path) for path in paths]
    assert keys == sorted(set(keys)), "each its own, and in the same order"
    cut = len(root) + 1 if set(levels) - {"raw", "{job}"} else 0
    assert all(key.endswith(path[cut:]) for key, path in zip(keys, paths, strict=True))


# --- the sums that other programs check -------------------------------------------------------------------------------


def unescaped(line: bytes) -> bytes:
    """The name in a line of sums, as ``sha256sum -c`` of coreutils 9 takes it."""
    if not line.startswith(b"\\"):
        return line.partition(b"  ")[2].removesuffix(b"\n")
    name = line.partition(b"  ")[2].removesuffix(b"\n")
    meant = {b"\\n": b"\n", b"\\r": b"\r", b"\\\\": b"\\"}
    return re.sub(rb"\\.", lambda found: meant[found[0]], name)


@few(200)
@given(st.sets(st.binary(min_size=1, max_size=12).map(lambda raw: raw.replace(b"\0", b"")).filter(bool), max_size=8))
def test_p09_every_name_of_any_bytes_stands_on_one_line_and_is_read_back(names: set[bytes]) -> None:
    records = [record_of(name.decode("utf-8", "surrogateescape")) for name in sorted(names)]
    lines = list(sums_lines(records))
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines)
    found = [unescaped(line) for line in lines]
    assert [name.removeprefix(b"./") for name in found] == [name.removeprefix(b"./") for name in sorted(names)]
    assert [name_bytes(record.key) for record in records] == sorted(names)
