"""Does what an instrument said fit into the lines of a manifest, and is no more of it cut than must be?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from coldchain.ledger import manifest_acquisition
from coldchain.ledger.manifest import FILES, ManifestHeader, Told, json_lines
from coldchain.ledger.manifest_acquisition import as_fields, fitting, from_fields, unit_lines
from coldchain.ledger.manifest_fields import LINE_LIMIT_BYTES, encoded, size_limit_bytes
from coldchain.ledger.manifest_read import read_manifest
from coldchain.verdict import Condition, Remark, Verdict
from tests.ledger.making import DATASET, JOB, LATER, NOW

WHOLE = Told("ifcb", Verdict(Condition.COMPLETE, "61 bins, all whole"), NOW, LATER, LATER)


def told(missing: int = 0, remarks: int = 0, catalogue: Mapping[str, object] | None = None) -> Told:
    said = tuple(Remark(f"{number:02d}", "odd") for number in range(remarks))
    names = tuple(f"bin {number:02d}" for number in range(missing))
    verdict = Verdict(Condition.INCOMPLETE, "short", names, 99, remarks=said, catalogue=catalogue or {})
    return Told("ifcb", verdict, NOW, LATER, None)


def kept(said: Told, room_bytes: int) -> tuple[int, int]:
    """How many missing things and remarks are named."""
    verdict = from_fields(as_fields(said, room_bytes)).verdict
    assert verdict.missing == said.verdict.missing[: len(verdict.missing)]
    assert verdict.remarks == said.verdict.remarks[: len(verdict.remarks)]
    return len(verdict.missing), len(verdict.remarks)


@pytest.mark.parametrize("shape", [(8, 0), (0, 8), (8, 8), (9, 2)])
def test_of_a_list_that_does_not_fit_the_first_half_is_named_that_does(shape: tuple[int, int]) -> None:
    said = told(*shape)
    counts = shape
    while any(counts):
        needed = size_limit_bytes(as_fields(told(*counts), 1 << 20))
        assert kept(said, needed) == counts
        counts = counts[0] // 2, counts[1] // 2
        assert kept(said, needed - 1) == counts
    assert kept(said, 0) == (0, 0)


def test_a_complete_dataset_of_which_nothing_is_missing_comes_back() -> None:
    assert from_fields(as_fields(WHOLE, 10_000)) == WHOLE


def test_the_catalogue_takes_half_of_the_room_at_most() -> None:
    catalogue = {"serial": "IFCB123"}
    size_bytes = size_limit_bytes(catalogue)
    assert as_fields(told(catalogue=catalogue), 2 * size_bytes)["catalogue"] == catalogue
    assert as_fields(told(catalogue=catalogue), 2 * size_bytes - 1)["catalogue"] == {}


def test_a_first_line_is_filled_and_never_longer_than_what_is_read() -> None:
    header = ManifestHeader(JOB, DATASET * 1000, "disk-1", "ab" * 16, (7, "cd" * 32), NOW, "0.1.0")
    bare = size_limit_bytes(first_of(header))
    told_of = Told("ifcb", Verdict(Condition.INCOMPLETE, "", ("",), 1), NOW, LATER, None)
    spare = LINE_LIMIT_BYTES - 64 - bare - size_limit_bytes(as_fields(told_of, LINE_LIMIT_BYTES))
    for length, named in ((spare, 1), (spare + 1, 0)):
        missing = ("x" * length,)
        full = replace(header, acquisition=replace(told_of, verdict=replace(told_of.verdict, missing=missing)))
        assert len(next(json_lines(full, []))) <= LINE_LIMIT_BYTES
        assert len(first_of(full)["acquisition"]["missing"]) == named
        assert read_manifest(json_lines(full, []))[0].job == JOB


def first_of(header: ManifestHeader) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(next(json_lines(header, [])).removesuffix(FILES) + b"}")
    return fields


@pytest.mark.parametrize("change", [{"remarks": {}}, {"remarks": ""}, {"missing": {}}, {"missing": ""}])
def test_what_is_no_list_is_refused_even_when_it_is_empty(change: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        from_fields(as_fields(WHOLE, 10_000) | change)


def test_of_values_that_do_not_fit_the_unit_and_the_smallest_stay() -> None:
    values: dict[str, Any] = {"wide": "x" * 50, "small": 1, "unit": "D1" * 10, "other": [1, 2, 3]}
    sizes = {key: size_limit_bytes({key: value}) for key, value in values.items()}
    whole = size_limit_bytes(values)
    assert fitting(values, whole) == values
    assert fitting(values, whole - 1) != values
    room = sizes["unit"] + sizes["small"] + sizes["other"]
    assert list(fitting(values, room)) == ["small", "unit", "other"]
    assert fitting(values, room - 1) == {"unit": values["unit"], "small": 1}
    assert fitting(values, sizes["unit"]) == {"unit": values["unit"]}
    assert fitting(values, sizes["unit"] - 1) == {}, "the name or nothing: other values alone tell of nobody"


def test_units_are_written_up_to_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    units: list[dict[str, Any]] = [{"unit": f"D{number}"} for number in range(4)]
    lines = [encoded(unit) for unit in units]
    assert list(unit_lines(units)) == lines
    monkeypatch.setattr(manifest_acquisition, "UNITS_LIMIT_BYTES", sum(map(len, lines[:3])))
    assert list(unit_lines(units)) == lines[:3]
    monkeypatch.setattr(manifest_acquisition, "UNITS_LIMIT_BYTES", sum(map(len, lines[:3])) - 1)
    assert list(unit_lines([*units[:2], {"unit": "wider"}, {}])) == lines[:2], "nothing follows what did not fit"
    monkeypatch.setattr(manifest_acquisition, "UNITS_LIMIT", 1)
    assert list(unit_lines(units)) == lines[:1]
