"""Which names does a place refuse, and which two does it take for one?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from coldchain.errors import ManifestDamaged
from coldchain.stores.names import NameRules

ALL = NameRules()
STRICT = NameRules(
    folds_case=True,
    folds_unicode=True,
    forbidden='<>:"|?*\\',
    control_characters=False,
    trailing_dot=False,
    trailing_space=False,
    reserved_words=False,
    invalid_utf8=False,
    name_limit=255,
    limit_unit="utf-16",
)
COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Plate", "plate", {"case", "both"}),
        ("STRASSE", "stra\u00dfe", {"case", "both"}),
        (COMPOSED, DECOMPOSED, {"unicode", "both"}),
        (COMPOSED.upper(), DECOMPOSED, {"both"}),
        ("\u212b", "\u00c5", {"unicode", "both", "case"}),
        ("\u01f0", "J\u030c", {"case", "both"}),
        ("a/B", "A/b", {"case", "both"}),
        ("a", "b", set()),
        ("a.", "a", set()),
    ],
)
def test_p16_two_names_are_one_where_the_place_takes_them_for_one(one: str, other: str, alike: set[str]) -> None:
    rules = {
        "none": ALL,
        "case": NameRules(folds_case=True),
        "unicode": NameRules(folds_unicode=True),
        "both": NameRules(folds_case=True, folds_unicode=True),
    }
    assert {kind for kind, rule in rules.items() if rule.fold(one) == rule.fold(other)} == alike
    assert {kind for kind, rule in rules.items() if rule.confuses} == {"case", "unicode", "both"}
    assert ALL.fold(one) == one


def test_p16_where_forms_of_letters_are_one_those_that_folding_case_makes_are_too() -> None:
    """``casefold`` makes of one composed letter two, which must be put together again to be compared."""
    rules = NameRules(folds_case=True, folds_unicode=True)
    assert rules.fold("\u01f0") == rules.fold("j\u030c") == "\u01f0"


@pytest.mark.parametrize(
    ("name", "rule", "reason"),
    [
        ("a:b", {"forbidden": ":"}, "the character ':'"),
        ("a*", {"forbidden": ":*"}, r"the character '\*'"),
        ("a\x01", {"control_characters": False}, "control characters"),
        ("\x1f", {"control_characters": False}, "control characters"),
        ("a\nb", {"control_characters": False}, "control characters"),
        ("a.", {"trailing_dot": False}, "drops the dot"),
        ("...", {"trailing_dot": False}, "drops the dot"),
        ("a ", {"trailing_space": False}, "drops the space"),
        ("CON", {"reserved_words": False}, "reserved on Windows"),
        ("nul.txt", {"reserved_words": False}, "reserved on Windows"),
        ("Com1", {"reserved_words": False}, "reserved on Windows"),
        ("lpt\u00b9.a.b", {"reserved_words": False}, "reserved on Windows"),
        ("a\udcff", {"invalid_utf8": False}, "not UTF-8"),
        ("\ud800", {"invalid_utf8": False}, "not UTF-8"),
    ],
)
def test_p16_what_one_rule_forbids_is_refused_by_it_alone_and_in_every_part_of_a_path(
    name: str, rule: dict[str, object], reason: str
) -> None:
    rules = NameRules(**rule)  # type: ignore[arg-type]
    others = replace(STRICT, **{kind: getattr(ALL, kind) for kind in rule})
    for key in (name, f"run/{name}", f"{name}/f", f"a/{name}/b"):
        assert ALL.refusal(key) == ""
        assert reason.replace("\\", "") in rules.refusal(key)
        assert reason.replace("\\", "") not in others.refusal(key)


@pytest.mark.parametrize(
    "name", ["a", ".hidden", "a.b", " a", "a b", "CONSOLE", "con1", "xcon", "com", "a con", "\u00e9\x7f", "~"]
)
def test_what_no_rule_forbids_is_refused_by_none(name: str) -> None:
    assert STRICT.refusal(name) == STRICT.refusal(f"run/{name}/f") == ""


@pytest.mark.parametrize("limit", [8, 143, 255])
def test_p16_a_name_is_measured_in_bytes_or_in_units_of_utf_16(limit: int) -> None:
    by_bytes, by_units = NameRules(name_limit=limit), NameRules(name_limit=limit, limit_unit="utf-16")
    for letter, size_bytes, units in (
        ("a", 1, 1),
        ("\u00e9", 2, 1),
        ("\u4e2d", 3, 1),
        ("\U0001f600", 4, 2),
        ("\udcff", 1, 1),
    ):
        for rules, size in ((by_bytes, size_bytes), (by_units, units)):
            most = limit // size
            assert rules.refusal(f"run/{letter * most}") == ""
            assert f"is {(most + 1) * size} {rules.limit_unit} long" in rules.refusal(f"run/{letter * (most + 1)}/f")


@pytest.mark.parametrize("letter", ["a", "\u00e9", "\u4e2d", "\U0001f600", "\udcff"])
def test_a_whole_key_has_so_many_bytes_and_not_one_more(letter: str) -> None:
    size_bytes = len(letter.encode("utf-8", "surrogateescape"))
    most = 96 // size_bytes
    rules = NameRules(key_bytes=most * size_bytes, name_limit=1000)
    assert rules.refusal(letter * most) == ""
    assert f"are {(most + 1) * size_bytes:,} bytes long together" in rules.refusal(letter * (most + 1))


@pytest.mark.parametrize(
    "values",
    [
        {"folds_case": 1},
        {"folds_case": "true"},
        {"name_limit": "255"},
        {"name_limit": True},
        {"forbidden": None},
        {"unheard_of": True},
        {"folds_case": True, "limit_unit": 2},
    ],
)
def test_p10_rules_that_make_no_sense_are_damage_and_no_guess(values: dict[str, object]) -> None:
    with pytest.raises(ManifestDamaged, match="makes no sense"):
        NameRules.from_json(values)


def test_rules_survive_json() -> None:
    for rules in (ALL, STRICT, NameRules(name_limit=143)):
        assert NameRules.from_json(json.loads(json.dumps(rules.as_json()))) == rules


def test_a_key_is_refused_by_its_bytes_and_not_by_its_characters() -> None:
    rules = NameRules(key_bytes=1024)
    folder = "é" * 100 + "/"  # 201 bytes
    assert rules.refusal(folder * 5 + "n" * 19) == ""
    assert "1,025 bytes" in rules.refusal(folder * 5 + "n" * 20)
    assert NameRules().refusal(folder * 50) == ""


def test_the_limit_of_keys_survives_json_and_older_json_has_none() -> None:
    rules = NameRules(key_bytes=1000)
    assert NameRules.from_json(json.loads(json.dumps(rules.as_json()))) == rules
    older = {name: value for name, value in rules.as_json().items() if name != "key_bytes"}
    assert NameRules.from_json(older) == NameRules()
