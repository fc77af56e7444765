"""What if somebody writes into ``.coldchain`` at a destination: is it refused, never believed, and never a crash?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldchain.errors import ManifestDamaged
from coldchain.model import Identity
from coldchain.operate.fleet.agents import Damaged, read_words
from coldchain.steps.marker import MARKER, marker_text, read_marker
from tests.promises.lab import Lab, data

WHOLE = Identity("a1", datetime(2026, 1, 2, tzinfo=UTC), (("lab", "scope"),), {"folds_case": True})
VALUES = json.loads(marker_text(WHOLE))
DEEP = b'{"a":' * 100_000
HOSTILE = {
    "deep lists": b"[" * 100_000,
    "deep objects": DEEP,
    "no object": b"7",
    "nothing": b"",
    "null": b"null",
    "a number without end": b'{"format": ' + b"9" * 10_000 + b"}",
    "no text": b'{"format": "\xff"}',
    "names that are none": json.dumps(VALUES | {"names": None}).encode(),
    "a list of names": json.dumps(VALUES | {"names": [1]}).encode(),
    "no time zone": json.dumps(VALUES | {"created": "2026-01-02"}).encode(),
    "before the first year": json.dumps(VALUES | {"created": "0001-01-01T00:00:00+14:00"}).encode(),
    "a time that is a number": json.dumps(VALUES | {"created": 5}).encode(),
    "writers that are text": json.dumps(VALUES | {"writers": "abc"}).encode(),
    "a writer of numbers": json.dumps(VALUES | {"writers": [{"job": 1, "host": 2}]}).encode(),
    "an id that steers": json.dumps(VALUES | {"id": "\x1b[2J\nlab: all verified"}).encode(),
    "an id that is no text": json.dumps(VALUES | {"id": ["a1"]}).encode(),
    "an id that no file can hold": json.dumps(VALUES | {"id": "\ud800"}).encode(),
    "an endless id": json.dumps(VALUES | {"id": "a" * 10_000}).encode(),
}


def test_a_mark_is_read_as_it_was_written() -> None:
    assert read_marker(marker_text(WHOLE), "somewhere") == WHOLE


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_mark_that_somebody_altered_is_refused_as_a_whole(content: bytes) -> None:
    with pytest.raises(ManifestDamaged, match="somewhere"):
        read_marker(content, "somewhere")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(field=st.sampled_from(sorted(VALUES)), value=json_values)
def test_no_value_of_a_mark_is_a_crash_and_what_is_believed_fits_into_the_ledger(field: str, value: object) -> None:
    try:
        found = read_marker(json.dumps(VALUES | {field: value}).encode(), "somewhere")
    except ManifestDamaged:
        return
    assert found.created.tzinfo is UTC
    assert found.id.isprintable()
    assert isinstance(found.names, dict)


@given(content=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_in_the_place_of_a_mark_or_a_word_of_an_agent_are_a_crash(content: bytes) -> None:
    with pytest.raises(ManifestDamaged):
        read_marker(content, "somewhere")
    with pytest.raises(Damaged):
        read_words(".coldchain/agents/scope.json", content)


@pytest.mark.parametrize("case", ["deep objects", "before the first year", "an id that steers"])
def test_an_altered_mark_stops_the_run_and_leaves_the_ledger_as_it_was(lab: Lab, case: str) -> None:
    lab.acquire(1)
    lab.ready()
    mark = lab.nas / MARKER
    good = mark.read_bytes()
    lab.acquire(2)
    mark.write_bytes(HOSTILE[case])
    for words in (("run",), ("run", "--accept-destination", "nas")):
        done = lab.cli(*words)
        assert done.code == 4, done.said
        assert MARKER in done.said
        assert "\x1b" not in done.said
    assert set(data(lab.nas)) == {"run/f0000.tif"}
    mark.write_bytes(good)
    assert lab.cli("run").code == 0


def test_a_manifest_of_a_hostile_store_leads_nowhere(lab: Lab, tmp_path: Path) -> None:
    lab.acquire(2)
    lab.ready()
    (manifest,) = (lab.nas / ".coldchain/manifests/lab").glob("*.json")
    good = manifest.read_bytes()
    for content in (DEEP, good.replace(b"run/f0000.tif", b"../f0000.tif"), b"[" * (2 << 20), good[:-20]):
        manifest.write_bytes(content)
        lab.lose_ledger()
        assert lab.cli("rebuild").code == 4
        done = lab.cli("restore", "lab", "run", "--to", str(tmp_path / "back"))
        assert done.code != 0, done.said
        assert not list(tmp_path.rglob("f0000.tif")) or not (tmp_path / "back").exists()
