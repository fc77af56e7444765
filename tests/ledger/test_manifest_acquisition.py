"""Does a manifest tell what the instrument said, and can that be trusted?"""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coldchain.errors import ManifestDamaged
from coldchain.ledger import manifest_acquisition
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import ManifestHeader, Told, json_lines
from coldchain.ledger.manifest_fields import LINE_LIMIT_BYTES
from coldchain.ledger.manifest_read import lines_of, read_manifest, read_whole_manifest
from coldchain.model import Record
from coldchain.verdict import KEPT, Condition, Remark, Verdict
from tests.ledger.making import DATASET, JOB, LATER, NOW, ODD_NAMES, record_of, verified
from tests.ledger.test_manifest import SCHEMA

VERDICT = Verdict(
    Condition.INCOMPLETE,
    "short by 2 of 61 bins: D\udcff, …",
    ("D20230101T000000\udcff", "ü"),
    2,
    remarks=tuple(Remark(name, f"a remark on {name}") for name in ODD_NAMES),
    catalogue={"serial": "IFCB\udc80", "µ": [1, 2.5, None, {"a": True}], "start": "2023-01-01T00:00:00Z"},
)
TOLD = Told("ifcb", VERDICT, NOW, LATER, None, 3, sealed=False)
HEADER = ManifestHeader(JOB, DATASET, "disk-1", "ab" * 16, (7, "cd" * 32), NOW, "0.1.0", TOLD)
UNITS: list[dict[str, Any]] = [{"unit": "D1", "roiCount": 3}, {"unit": "half\udcff", "ü": [1, "x"]}, {}]
RECORDS = sorted(record_of(verified(name, number)) for number, name in enumerate(ODD_NAMES[:4]))

Whole = tuple[ManifestHeader, list[dict[str, Any]], list[Record]]


def written(units: Iterable[Mapping[str, object]] = UNITS, header: ManifestHeader = HEADER) -> list[bytes]:
    return list(json_lines(header, RECORDS, units))


def read(lines: Iterable[bytes]) -> Whole:
    header, units, records = read_whole_manifest(lines)
    return header, list(units), list(records)


def resealed(lines: list[bytes]) -> list[bytes]:
    """The same lines with a digest that fits, as one makes who can write there."""
    footer = json.loads(b"{" + lines[-1]) | {"digest": f"sha256:{hashlib.sha256(b''.join(lines[:-2])).hexdigest()}"}
    return [*lines[:-1], json.dumps(footer).encode()[1:] + b"\n"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_p08_what_the_instrument_said_comes_back(count: int) -> None:
    lines = written(UNITS[:count])
    assert len(lines) == len(RECORDS) + 3 + (count + 1 if count else 0)
    assert read(lines) == (HEADER, UNITS[:count], RECORDS)
    header, records = read_manifest(lines)
    assert (header, list(records)) == (HEADER, RECORDS)


@pytest.mark.parametrize("told", [None, TOLD, replace(TOLD, completed=NOW, sealed=True)])
@pytest.mark.parametrize("count", [0, 3])
def test_it_is_json_as_documented(told: Told | None, count: int) -> None:
    lines = written(UNITS[:count], replace(HEADER, acquisition=told))
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    document = json.loads(b"".join(lines))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert document.get("units", []) == UNITS[:count]
    assert document["digest"] == f"sha256:{hashlib.sha256(b''.join(lines[:-2])).hexdigest()}"
    if told:
        odd = document["acquisition"]
        for change in ({"condition": "done"}, {"generation": 0}, {"sealed": 1}, {"extra": 1}, {"since": "now"}):
            bad = document | {"acquisition": odd | change}
            assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(bad)


def test_a_manifest_without_an_acquisition_is_what_it_was_before() -> None:
    lines = written([], replace(HEADER, acquisition=None))
    assert lines[0].endswith(b'"coldchain":"0.1.0","files":[\n')
    assert read(lines)[0].acquisition is None


def test_a_ledger_is_told_all_but_the_files_that_were_judged(sqlite_url: str) -> None:
    verdict = replace(VERDICT, unwhole={"a": "cut off"}, units=tuple(UNITS))
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        known = ledger.judge(1, JOB, DATASET, "ifcb", "ab", verdict, {"D1": ["x", 1]}, NOW)
    header = replace(HEADER, acquisition=Told.of(known))
    found, units, _ = read(json_lines(header, RECORDS, known.verdict.units))
    assert found.acquisition is not None
    assert found.acquisition.acquisition(units, found.written) == replace(
        known, verdict=replace(verdict, unwhole={}), remembered={}, stamp=f"written:0{NOW.timestamp() * 1e6:019.0f}"
    )


_texts = st.text(st.characters(), max_size=20)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
)
_objects = st.dictionaries(_texts, _values, max_size=4)


def _kept(value: object) -> Any:
    """As JSON gives it back: two halves of a UTF-16 pair that stand side by side become one character."""
    return json.loads(json.dumps(value))


@settings(deadline=None)
@given(st.lists(_objects, max_size=4), _objects, st.lists(_texts, max_size=3), _texts, st.text(st.characters()))
def test_anything_that_an_instrument_says_comes_back(
    units: list[dict[str, Any]], catalogue: dict[str, Any], missing: list[str], summary: str, dataset: str
) -> None:
    verdict = Verdict(
        Condition.COMPLETE, summary, tuple(missing), 5, remarks=(Remark(dataset, summary),), catalogue=catalogue
    )
    header = replace(HEADER, dataset=dataset, acquisition=replace(TOLD, verdict=verdict))
    found, listed, records = read(lines_of([b"".join(written(units, header))]))
    assert (found.dataset, records) == (dataset, RECORDS)
    assert found.acquisition is not None
    assert listed == _kept(units)
    assert found.acquisition.verdict.as_json() == dict(_kept(verdict.as_json()), remarks=[[dataset, _kept(summary)]])


# --- what does not fit ------------------------------------------------------------------------------------------------


def big(characters: str) -> Verdict:
    return Verdict(
        Condition.INCOMPLETE,
        characters * 100_000,
        tuple(f"{number} {characters * 3000}" for number in range(3 * KEPT)),
        123_456,
        remarks=tuple(Remark(f"{number}", characters * 3000) for number in range(3 * KEPT)),
        catalogue={f"{number}": characters * (number * 100) for number in range(1000)} | {"small": 1},
    )


@pytest.mark.parametrize("characters", ["x", "ü", "\udcff", "\U0001f9ea", "\x01"])
def test_lists_are_cut_so_that_every_line_can_be_read(characters: str) -> None:
    unit = {"a": characters * LINE_LIMIT_BYTES, "unit": "D1", "b": [1]}
    lines = written(
        [unit, {"unit": characters * LINE_LIMIT_BYTES}],
        replace(HEADER, acquisition=replace(TOLD, verdict=big(characters))),
    )
    assert max(map(len, lines)) <= LINE_LIMIT_BYTES
    header, units, records = read(lines_of([b"".join(lines)]))
    assert (units, records) == ([{"unit": "D1", "b": [1]}, {}], RECORDS)
    assert header.acquisition is not None
    verdict = header.acquisition.verdict
    assert verdict.missing_count == 123_456
    assert 2 < len(verdict.missing) < KEPT
    assert verdict.missing == big(characters).missing[: len(verdict.missing)]
    assert verdict.catalogue["small"] == 1
    assert len(lines[0]) > LINE_LIMIT_BYTES // 8


def test_a_thousand_missing_things_that_fit_are_all_named() -> None:
    many = tuple(f"B{number:04d} s3 w1" for number in range(KEPT))
    verdict = Verdict(Condition.INCOMPLETE, "", many, KEPT, remarks=tuple(Remark(one, "x") for one in many))
    header = replace(HEADER, acquisition=replace(TOLD, verdict=verdict))
    assert read(written(UNITS, header))[0] == header


def test_units_beyond_the_limits_are_left_out_and_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = written()
    monkeypatch.setattr(manifest_acquisition, "UNITS_LIMIT", 2)
    assert read(written())[1] == UNITS[:2]
    monkeypatch.setattr(manifest_acquisition, "UNITS_LIMIT_BYTES", 30)
    assert read(written())[1] == UNITS[:1]
    monkeypatch.setattr("coldchain.ledger.manifest_read.UNITS_LIMIT", 2)
    for reading in (read, lambda lines: list(read_manifest(lines)[1])):
        with pytest.raises(ManifestDamaged, match="more units"):
            reading(whole)


def test_p17_a_dataset_of_20_000_units_takes_the_memory_of_a_line() -> None:
    def many() -> Iterator[Mapping[str, object]]:
        return ({"unit": f"D20230101T{number:06d}", "roiCount": number, "x": "y" * 100} for number in range(20_000))

    tracemalloc.start()
    header, units, records = read_whole_manifest(json_lines(HEADER, RECORDS, many()))
    assert sum(1 for _ in units) == 20_000
    assert list(records) == RECORDS
    assert list(read_manifest(json_lines(HEADER, RECORDS, many()))[1]) == RECORDS
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert header == HEADER
    assert peak < 1_000_000


# --- what is not whole ------------------------------------------------------------------------------------------------


@given(st.data())
def test_any_byte_that_is_changed_removed_or_added_is_found(data: st.DataObject) -> None:
    whole = b"".join(written())
    place = data.draw(st.integers(0, len(whole) - 1))
    other = bytes([data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))])
    spoiled = data.draw(
        st.sampled_from([whole[:place] + other + whole[place + 1 :], whole[:place] + whole[place + 1 :], whole[:place]])
    )
    for reading in (read, lambda lines: list(read_manifest(lines)[1])):
        with pytest.raises(ManifestDamaged):
            reading(list(lines_of([spoiled])))


@pytest.mark.parametrize(
    "cut",
    [
        lambda lines: lines[:1],
        lambda lines: lines[:2],
        lambda lines: lines[:3],
        lambda lines: lines[:4],
        lambda lines: [*lines[:3], *lines[4:]],
        lambda lines: [lines[0], *lines[4:]],
        lambda lines: [*lines[:4], *lines[5:]],
        lambda lines: [*lines[:4], lines[3], *lines[4:]],
        lambda lines: [*lines[:3], lines[3].replace(b"\n", b",\n"), *lines[4:]],
        lambda lines: [*lines[:2], lines[2].replace(b",\n", b"\n"), *lines[3:]],
        lambda lines: [*lines[:2], b"[1],\n", *lines[3:]],
        lambda lines: [*lines[:2], b'{"a":NaN},\n', *lines[3:]],
        lambda lines: [*lines[:2], b"\n", *lines[3:]],
    ],
)
def test_a_list_of_units_that_is_cut_is_damage(cut: Callable[[list[bytes]], list[bytes]]) -> None:
    spoiled = cut(written())
    for lines in (spoiled, resealed(spoiled) if len(spoiled) > 4 else spoiled):
        with pytest.raises(ManifestDamaged):
            read(lines)
    with pytest.raises(ManifestDamaged):
        list(read_manifest(spoiled)[1])


def test_units_that_are_not_asked_for_are_passed_over_but_not_believed_blindly() -> None:
    lines = written()
    header, units, records = read_whole_manifest(iter(lines))
    assert list(islice(units, 1)) == UNITS[:1]
    assert list(records) == RECORDS
    assert list(units) == []
    assert header == HEADER
    with pytest.raises(ManifestDamaged, match="cut short"):
        read_manifest(lines[:2])[1].__next__()


@pytest.mark.parametrize(
    "change",
    [
        {"condition": "done"},
        {"condition": None},
        {"instrument": 5},
        {"summary": None},
        {"missing": ["a"] * (KEPT + 1)},
        {"missing": [1]},
        {"missing": "abc"},
        {"missing_count": -1},
        {"missing_count": True},
        {"remarks": [{"path": "a"}]},
        {"remarks": ["ab"]},
        {"remarks": [{"path": "a", "sentence": "x"}] * (KEPT + 1)},
        {"remarks": [{"path": "a", "path_b64": "!", "sentence": "x"}]},
        {"catalogue": []},
        {"first_seen": "2026-01-01T00:00:00"},
        {"since": None},
        {"completed": 5},
        {"generation": 0},
        {"generation": 1.5},
        {"sealed": "yes"},
        {"sealed": None},
    ],
)
def test_p15_a_hostile_header_is_refused_even_when_the_digest_is_right(change: dict[str, object]) -> None:
    [first, *rest] = written([])
    fields = json.loads(first.removesuffix(b',"files":[\n') + b"}")
    fields["acquisition"] |= change
    with pytest.raises(ManifestDamaged, match="first line"):
        read(resealed([json.dumps(fields).encode()[:-1] + b',"files":[\n', *rest]))


@pytest.mark.parametrize("field", [*json.loads(b"".join(written([])))["acquisition"], ""])
def test_a_header_that_lacks_a_field_is_refused(field: str) -> None:
    [first, *rest] = written([])
    fields = json.loads(first.removesuffix(b',"files":[\n') + b"}")
    if field:
        del fields["acquisition"][field]
    else:
        fields["acquisition"] = []
    with pytest.raises(ManifestDamaged, match="first line"):
        read(resealed([json.dumps(fields).encode()[:-1] + b',"files":[\n', *rest]))


def test_a_verdict_of_the_future_is_refused_with_advice() -> None:
    [first, *rest] = written()
    with pytest.raises(ManifestDamaged, match="next run"):
        read([first.replace(b'"incomplete"', b'"paused"'), *rest])
