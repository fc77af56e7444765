"""Is a manifest that somebody altered and sealed anew refused, and one that is at the limits read?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import pytest

from coldchain.errors import ManifestDamaged
from coldchain.ledger import manifest_acquisition, manifest_read
from coldchain.ledger.manifest import ManifestHeader, json_lines
from coldchain.ledger.manifest_fields import LINE_LIMIT_BYTES, encoded
from coldchain.ledger.manifest_read import lines_of, read_manifest, read_whole_manifest
from coldchain.model import Digest, ProofKind, Record
from tests.ledger.making import DATASET, JOB, NOW, record_of, verified

HEADER = ManifestHeader(JOB, DATASET, "disk-1", "ab" * 16, (7, "cd" * 32), NOW, "0.1.0")
RECORDS = [record_of(verified(name, number)) for number, name in enumerate(["a", "b", "c"])]
UNITS: list[dict[str, Any]] = [{"unit": "D1", "roiCount": 3}, {"unit": "D2"}, {"unit": "D3"}]


def written(records: Iterable[Record] = RECORDS, units: Iterable[dict[str, Any]] = ()) -> list[bytes]:
    return list(json_lines(HEADER, records, units))


def resealed(lines: list[bytes]) -> list[bytes]:
    """The same lines with a digest that fits, as one makes who can write there."""
    footer = json.loads(b"{" + lines[-1]) | {"digest": f"sha256:{hashlib.sha256(b''.join(lines[:-2])).hexdigest()}"}
    return [*lines[:-1], encoded(footer)[1:] + b"\n"]


def read(lines: Iterable[bytes]) -> tuple[list[dict[str, Any]], list[Record]]:
    _, units, records = read_whole_manifest(lines)
    return list(units), list(records)


# --- what is read -----------------------------------------------------------------------------------------------------


def test_a_file_that_is_empty_and_tells_nothing_of_itself_comes_back() -> None:
    digest = Digest("md5", "d41d8cd98f00b204e9800998ecf8427e")
    bare = Record("empty", "empty", 0, 0, 0, 0, 0, 0, digest, ProofKind.SIZE, "", 0, 0)
    assert read(written([bare])) == ([], [bare])


def test_no_file_at_all_is_a_list_too_and_a_superseded_one_stays_so() -> None:
    assert read(written([])) == ([], [])
    versions = [RECORDS[0], RECORDS[1]._replace(superseded=True)]
    assert read(written(versions)) == ([], versions)


def test_the_largest_numbers_that_a_ledger_holds_come_back() -> None:
    most, widest = (1 << 63) - 1, (1 << 64) - 1
    large = RECORDS[0]._replace(size_bytes=most, source_inode=widest, mode=most, source_mtime_ns=-(1 << 63))
    assert read(written([large])) == ([], [large])


def test_the_longest_line_is_read_and_one_more_byte_is_none() -> None:
    name = "n" * (LINE_LIMIT_BYTES // 2)
    spare = LINE_LIMIT_BYTES - len(written([RECORDS[0]._replace(path=name, key="k")])[1].removesuffix(b"\n"))
    for more, whole in ((spare, True), (spare + 1, False)):
        lines = written([RECORDS[0]._replace(path=name + "n" * more, key="k")])
        if whole:
            assert len(read(lines)[1]) == 1
        else:
            with pytest.raises(ManifestDamaged, match="too long"):
                read(lines)


def test_lines_are_cut_where_they_end_and_the_last_one_may_have_no_end() -> None:
    assert list(lines_of([b"a\nb", b"c\n", b"", b"d"])) == [b"a\n", b"bc\n", b"d"]
    assert list(lines_of([])) == []
    longest = b"x" * LINE_LIMIT_BYTES
    assert list(lines_of([longest, b"\n"])) == [longest + b"\n"]
    with pytest.raises(ManifestDamaged, match="no line of a manifest"):
        list(lines_of([longest, b"x", b"\n"]))


def test_as_many_units_as_are_written_are_read_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    size_bytes = sum(len(encoded(unit)) for unit in UNITS)
    for place in (manifest_acquisition, manifest_read):
        monkeypatch.setattr(place, "UNITS_LIMIT", 3)
        monkeypatch.setattr(place, "UNITS_LIMIT_BYTES", size_bytes)
    assert read(written(units=UNITS)) == (UNITS, RECORDS)
    whole = written(units=UNITS)
    for limit, value in (("UNITS_LIMIT", 2), ("UNITS_LIMIT_BYTES", size_bytes - 2)):
        with monkeypatch.context() as patched:
            patched.setattr(manifest_read, limit, value)
            with pytest.raises(ManifestDamaged, match="more units"):
                read(whole)


# --- what is refused although the digest fits -------------------------------------------------------------------------


def test_p15_a_first_line_that_is_another_is_refused() -> None:
    [first, *rest] = written()
    for other, why in (
        (first.replace(b',"files":[', b""), "does not begin as a manifest"),
        (first.replace(b"coldchain-manifest", b"bagit"), "is no coldchain-manifest"),
    ):
        with pytest.raises(ManifestDamaged, match=why):
            read(resealed([other, *rest]))


def test_p15_files_that_commas_or_order_belie_are_refused_by_their_number() -> None:
    first, *files, close, footer = written()
    bare = [line.replace(b",\n", b"\n") for line in files]
    for spoiled, why in (
        ([files[0], bare[1], files[2]], "file 2 of its list: a line is missing or out of place"),
        ([bare[0], bare[1], bare[2]], "file 1 of its list: a line is missing or out of place"),
        ([files[0], files[1], bare[2].replace(b"\n", b",\n")], "not what was written"),
        ([files[1], files[0], bare[2]], "file 2 of its list: the files are not in order"),
    ):
        with pytest.raises(ManifestDamaged, match=why):
            read(resealed([first, *spoiled, close, footer]))


def test_p15_one_file_with_a_comma_behind_it_is_refused() -> None:
    first, only, close, footer = written(RECORDS[:1])
    with pytest.raises(ManifestDamaged, match="not what was written"):
        read(resealed([first, only.replace(b"\n", b",\n"), close, footer]))


def test_a_manifest_that_lost_its_last_byte_is_no_whole_one() -> None:
    lines = written()
    with pytest.raises(ManifestDamaged, match="last line is not whole"):
        read([*lines[:-1], lines[-1].removesuffix(b"\n")])


@pytest.mark.parametrize("field", ["count", "size_bytes"])
def test_p15_a_footer_that_counts_otherwise_is_refused(field: str) -> None:
    *lines, footer = written()
    other = json.loads(b"{" + footer)
    other[field] += 1
    with pytest.raises(ManifestDamaged, match="not what was written"):
        read(resealed([*lines, encoded(other)[1:] + b"\n"]))


def test_p15_a_list_of_units_ends_with_its_own_line_and_once() -> None:
    first, *units, end = written(units=UNITS)[:5]
    rest = written(units=UNITS)[5:]
    for spoiled in ([*units, b'"x"\n'], [end, end], [*units, end, end], [*units[:2], end]):
        for reading in (read, lambda lines: list(read_manifest(lines)[1])):
            with pytest.raises(ManifestDamaged):
                reading(resealed([first, *spoiled, *rest]))
