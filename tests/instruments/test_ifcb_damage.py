"""Is a bin of an Imaging FlowCytobot judged by its own arithmetic, however it is damaged?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldchain.errors import Unreliable
from coldchain.instruments.base import Look
from coldchain.instruments.ifcb import INSTRUMENT
from coldchain.instruments.ifcb.adc import Table, is_surely, read_table
from coldchain.instruments.ifcb.hdr import read_header
from coldchain.model import Entry
from coldchain.stores.base import open_store
from coldchain.verdict import Condition, Verdict
from tests.instruments.ifcb_bins import (
    NEXT_DAY,
    OLD_BIN,
    WRITTEN,
    date_all,
    job,
    only,
    place_bin,
    rewrite,
)

Place3 = Callable[..., Path]


@pytest.fixture
def place(data: Path, tmp_path: Path) -> Place3:
    """Places a whole bin in a folder of the source."""

    def placed(folder: str = "", name: str = "D20230810T113059_IFCB134", when: datetime = WRITTEN) -> Path:
        return place_bin(data, tmp_path / "source" / folder, name, when)

    return placed


# --- damage -----------------------------------------------------------------------------------------------------------


def test_a_whole_bin_is_whole(place: Place3, tmp_path: Path) -> None:
    place()
    verdict = only(tmp_path / "source")
    assert (verdict.condition, verdict.summary, dict(verdict.unwhole)) == (Condition.COMPLETE, "1 bin, whole", {})


def damaged(source: Path, ending: str, content: Callable[[bytes], bytes]) -> Verdict:
    path = source / f"D20230810T113059_IFCB134{ending}"
    rewrite(path, content(path.read_bytes()))
    return only(source)


@pytest.mark.parametrize(
    ("ending", "content", "reason"),
    [
        (".roi", lambda old: old[:-1], ".roi has 30,847 bytes, its .adc tells of 30,848"),
        (".roi", lambda old: old + b"\0", ".roi has 30,849 bytes, its .adc tells of 30,848"),
        (".roi", lambda old: b"", ".roi has 0 bytes, its .adc tells of 30,848"),
        (".adc", lambda old: old[:-1], "its .adc ends in the middle of a row"),
        (".adc", lambda old: b"".join(old.splitlines(True)[:-1]), "its .hdr tells of 2 ROIs, its .adc of 1"),
        (".adc", lambda old: b"".join(old.splitlines(True)[1:]), "its .hdr tells of 3 triggers, its .adc of 2"),
        (".adc", lambda old: b"", "its .hdr tells of 2 ROIs, its .adc of 0"),
        (".adc", lambda old: bytes(len(old)), "its .adc ends in the middle of a row"),
        (".adc", lambda old: old.replace(b",176,", b",,"), "row 2 of its .adc makes no sense"),
        (".adc", lambda old: old.replace(b",14432,", b",0,"), ".roi has 30,848 bytes, its .adc tells of 16,416"),
        (".adc", lambda old: old.replace(b",14432,", b",1" + b"0" * 4000 + b","), "a row of its .adc makes no sense"),
        (".hdr", lambda old: old[:-1], "its .hdr ends in the middle of a line"),
        (".hdr", lambda old: old[:100], "its .hdr ends in the middle of a line"),
        (".hdr", lambda old: b"", "its .hdr is empty"),
        (".hdr", lambda old: bytes(len(old)), "its .hdr is not the header of an IFCB"),
        (".hdr", lambda old: old.replace(b"roiCount: 2", b"roiCount: 3"), "its .hdr tells of 3 ROIs, its .adc of 2"),
    ],
)
def test_a_damaged_bin_is_held_and_named(
    place: Place3, tmp_path: Path, ending: str, content: Callable[[bytes], bytes], reason: str
) -> None:
    name = "D20230810T113059_IFCB134"
    place(name="D20230810T100000_IFCB134")
    verdict = damaged(place(), ending, content)
    sentence = f"{name}: {reason}"
    assert verdict.condition is Condition.INCOMPLETE
    assert dict(verdict.unwhole) == {f"{name}{end}": sentence for end in (".adc", ".hdr", ".roi")}
    assert (verdict.missing, verdict.missing_count) == ((sentence,), 1)
    assert verdict.summary == f"short by 1 of 2 bins: {sentence}"


@pytest.mark.parametrize(
    ("ending", "content", "reason"),
    [
        (".roi", lambda old: old[:-1], ".roi has 71,082 bytes, its .adc tells of 71,083"),
        (".adc", lambda old: old[: old.index(b"5,1.232422")], ".roi has 71,083 bytes, its .adc tells of 62,218"),
        (".hdr", lambda old: old[:250], "its .hdr ends in the middle of a line"),
    ],
)
def test_a_damaged_bin_of_the_first_version_is_held(
    place: Place3, ending: str, content: Callable[[bytes], bytes], reason: str
) -> None:
    source = place(name=OLD_BIN)
    rewrite(source / f"{OLD_BIN}{ending}", content((source / f"{OLD_BIN}{ending}").read_bytes()))
    assert only(source).missing == (f"{OLD_BIN}: {reason}",)


def test_empty_bins_are_whole_but_an_old_one_has_two_bytes(place: Place3) -> None:
    source = place(name=OLD_BIN)
    rewrite(source / f"{OLD_BIN}.adc", b"")
    rewrite(source / f"{OLD_BIN}.roi", b"\0\0")
    assert only(source).condition is Condition.COMPLETE
    rewrite(source / f"{OLD_BIN}.roi", b"")
    assert only(source).missing == (f"{OLD_BIN}: .roi has 0 bytes, its .adc tells of 2",)


@pytest.mark.parametrize("ending", [".hdr", ".adc", ".roi"])
def test_a_bin_without_one_of_its_files_is_held_while_it_is_young(place: Place3, ending: str) -> None:
    source = place()
    (source / f"D20230810T113059_IFCB134{ending}").unlink()
    verdict = only(source, WRITTEN + timedelta(minutes=119))
    assert verdict.condition is Condition.ACQUIRING
    assert len(verdict.unwhole) == 2
    assert verdict.missing == (f"D20230810T113059_IFCB134: no {ending} yet",)


def test_a_bin_without_its_roi_file_is_carried_and_said_when_it_is_old(place: Place3) -> None:
    source = place()
    (source / "D20230810T113059_IFCB134.roi").unlink()
    verdict = only(source)
    assert (verdict.condition, dict(verdict.unwhole)) == (Condition.COMPLETE, {})
    assert verdict.summary == "1 bin, 1 without .roi"
    assert [row["roi"] for row in verdict.units] == [False]
    assert len(verdict.remarks) == 1


@pytest.mark.parametrize("ending", [".hdr", ".adc"])
def test_an_old_bin_that_lost_its_header_or_table_is_carried_and_missed(place: Place3, ending: str) -> None:
    source = place()
    (source / f"D20230810T113059_IFCB134{ending}").unlink()
    verdict = only(source)
    assert (verdict.condition, dict(verdict.unwhole)) == (Condition.INCOMPLETE, {})
    assert verdict.missing == (f"D20230810T113059_IFCB134: no {ending}",)


def test_an_old_bin_without_header_whose_images_are_cut_is_held(place: Place3) -> None:
    source = place()
    (source / "D20230810T113059_IFCB134.hdr").unlink()
    rewrite(source / "D20230810T113059_IFCB134.roi", bytes(30_000))
    assert only(source).missing == ("D20230810T113059_IFCB134: .roi has 30,000 bytes, its .adc tells of 30,848",)


def test_a_header_that_came_too_early_proves_nothing(data: Path, tmp_path: Path) -> None:
    """A header without counts, beside an .adc and a .roi that were written when memory was full: more may follow."""
    source = tmp_path / "source"
    shutil.copytree(data / "ifcb/white/D2013/D201305/D20130526", source)
    date_all(source, WRITTEN)
    verdict = only(source, WRITTEN + timedelta(seconds=1))
    assert verdict.condition is Condition.ACQUIRING
    assert len(verdict.unwhole) == 3
    assert not only(source, WRITTEN + timedelta(minutes=3)).unwhole


def test_a_day_is_acquiring_until_it_is_over_and_quiet(place: Place3) -> None:
    source = place()
    for now, condition in (
        (WRITTEN + timedelta(minutes=5), Condition.ACQUIRING),
        (WRITTEN + timedelta(hours=3), Condition.ACQUIRING),  # quiet, but the day is not over
        (datetime(2023, 8, 11, 0, 0, tzinfo=UTC), Condition.COMPLETE),
    ):
        verdict = only(source, now)
        assert verdict.condition is condition
        assert not verdict.unwhole
    assert only(source, WRITTEN + timedelta(minutes=5)).summary == "1 bin, whole so far"


def test_the_last_bin_of_a_day_ends_after_midnight(place: Place3) -> None:
    source = place(name="D20230810T235000_IFCB134", when=datetime(2023, 8, 11, 0, 12, tzinfo=UTC))
    assert only(source, datetime(2023, 8, 11, 1, tzinfo=UTC)).condition is Condition.ACQUIRING
    assert only(source, datetime(2023, 8, 11, 3, tzinfo=UTC)).condition is Condition.COMPLETE


def test_an_instrument_whose_clock_runs_ahead_still_finishes_its_days(place: Place3) -> None:
    source = place(name="D20990101T000000_IFCB134")
    assert only(source, WRITTEN + timedelta(hours=23)).condition is Condition.ACQUIRING
    assert only(source, WRITTEN + timedelta(hours=24)).condition is Condition.COMPLETE


def test_a_damaged_bin_is_incomplete_only_after_the_quiet_time(place: Place3) -> None:
    source = place(when=datetime(2023, 8, 11, 0, 12, tzinfo=UTC))
    rewrite(source / "D20230810T113059_IFCB134.roi", b"", datetime(2023, 8, 11, 0, 12, tzinfo=UTC))
    assert only(source, datetime(2023, 8, 11, 2, 11, tzinfo=UTC)).condition is Condition.ACQUIRING
    assert only(source, datetime(2023, 8, 11, 2, 13, tzinfo=UTC)).condition is Condition.INCOMPLETE


# --- what is remembered -----------------------------------------------------------------------------------------------


class Counting(Look):
    """Counts what is read, and may fail."""

    reads = 0
    fails: str = ""

    def piece(self, path: str, offset: int, length: int) -> bytes:
        Counting.reads += 1
        if self.fails and path.endswith(self.fails):
            raise Unreliable("the disk is worn out")
        return super().piece(path, offset, length)


def judged(source: Path, look: Look) -> Verdict:
    (dataset,) = INSTRUMENT.find(look.source, look.job)
    judge = INSTRUMENT.judge(dataset, look)
    for found in look.source.list():
        assert isinstance(found, Entry)
        judge.see(found)
    return judge.verdict()


def test_an_unchanged_bin_is_never_read_twice(place: Place3) -> None:
    source = place()
    chosen = job(source)
    look = Counting(open_store(chosen.source), chosen, NEXT_DAY)
    Counting.reads = 0
    first = judged(source, look)
    assert Counting.reads == 2
    kept = json.loads(json.dumps(dict(look.remembered)))
    again = Counting(open_store(chosen.source), chosen, NEXT_DAY, recalled=kept)
    assert judged(source, again) == first
    assert Counting.reads == 2
    rewrite(source / "D20230810T113059_IFCB134.roi", b"")  # a copy may keep the time
    assert judged(source, again).condition is Condition.INCOMPLETE
    assert Counting.reads == 4
    personal = Counting(open_store(chosen.source), replace(chosen, personal=True), NEXT_DAY, recalled=kept)
    judged(source, personal)
    assert Counting.reads == 6


@pytest.mark.parametrize("ending", [".hdr", ".adc"])
def test_a_bin_that_cannot_be_read_is_carried_with_a_remark_and_asked_again(place: Place3, ending: str) -> None:
    source = place()
    chosen = job(source)
    look = Counting(open_store(chosen.source), chosen, NEXT_DAY)
    look.fails = ending
    verdict = judged(source, look)
    assert (verdict.condition, dict(verdict.unwhole)) == (Condition.INCOMPLETE, {})
    (remark,) = verdict.remarks
    assert remark == (f"D20230810T113059_IFCB134{ending}", "could not be read: the disk is worn out")
    assert not look.remembered


# --- garbage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".hdr", ".adc", ".roi"])
@pytest.mark.parametrize("name", ["D20230810T113059_IFCB134", OLD_BIN])
def test_garbage_in_place_of_any_file_never_raises_and_is_never_complete(place: Place3, name: str, ending: str) -> None:
    source = place(name=name)
    path = source / f"{name}{ending}"
    whole = path.read_bytes()
    noise = Random(1)
    tries = [noise.randbytes(size) for size in (1, 100, 5000, 300_000)]
    tries += [b"\n" * 5000, b"," * 5000, b"1" * 100_000, whole[: len(whole) // 2], b"\xff\xfe" + whole]
    for content in tries:
        rewrite(path, content)
        verdict = only(source)
        assert verdict.condition is Condition.INCOMPLETE or (ending == ".hdr" and content.endswith(whole))


@given(st.lists(st.binary(max_size=300), max_size=5), st.booleans())
def test_no_bytes_upset_the_table(pieces: list[bytes], new: bool) -> None:
    assert read_table(pieces, new=new).rois >= 0


@given(st.binary(max_size=500), st.sampled_from([b"", b'"Imaging FlowCytobot', b"roiCount: "]), st.booleans())
def test_no_bytes_upset_the_header(content: bytes, start: bytes, personal: bool) -> None:
    json.dumps(read_header(start + content, personal=personal).fields, allow_nan=False)


def test_headers_with_windows_line_ends_tabs_and_latin_1(data: Path) -> None:
    content = (data / "ifcb/edge_cases/empty/D20150411T205456_IFCB012.hdr").read_bytes()
    header = read_header(
        content.replace(b"\n", b"\r\n") + b"FileComment: \xb5-algae\t\r\ngpsLatitude: NaN\r\n", personal=True
    )
    assert header.fault == ""
    assert header.fields["imagerID"] == 12
    assert (header.fields["FileComment"], header.fields["gpsLatitude"]) == ("\xb5-algae", "NaN")


def test_a_table_may_come_in_pieces_of_any_size(data: Path) -> None:
    content = (data / "ifcb/ifcbdata/D20230810/D20230810T113059_IFCB134.adc").read_bytes()
    whole = read_table([content], new=True)
    assert (whole.rois, whole.triggers, whole.fault) == (33, 41, "")
    for size in (1, 7, 4096):
        assert read_table([content[k : k + size] for k in range(0, len(content), size)], new=True) == whole


def test_a_row_without_end_is_not_collected() -> None:
    assert read_table((b"1" * 65_537 for _ in range(10**9)), new=True).fault


def test_a_table_of_three_thousand_rows_takes_milliseconds(data: Path) -> None:
    content = (data / "ifcb/ifcbdata/D20230810/D20230810T113059_IFCB134.adc").read_bytes() * 67
    begun = perf_counter()
    for _ in range(10):
        read_table([content], new=True)
    assert (perf_counter() - begun) / 10 < 0.05  # 3 ms on a quiet machine


# --- long tables are counted before they are read ---------------------------------------------------------------------


def long_table(rows: int) -> bytes:
    """Every fifth trigger without an image, as the software of 2.0.5.0 writes it."""
    lines, start = [], 0
    for number in range(1, rows + 1):
        width, height = (0, 0) if number % 5 == 0 else (40 + number % 7, 30)
        where = f"0,0,0,0,{0 if not width else start}" if not width else f"820,943,{width},{height},{start}"
        lines.append(f"{number},0.05,{'0.1,' * 10}0.09,{where},0,0,0,0,397.7,0.07\n")
        start += width * height
    return "".join(lines).encode()


@pytest.mark.parametrize("end", [0, 1, 2, 3, 4])
def test_counting_a_long_table_says_what_reading_it_says(end: int) -> None:
    whole = long_table(2000 - end)
    told = read_table([whole], new=True)
    assert not told.fault
    assert is_surely(whole, told)
    lines = whole.splitlines(keepends=True)
    damaged = [
        whole[:-1], whole[:-100], b"", b"".join(lines[:-1]), b"".join(lines[1:]), b"".join(lines[:7] + lines[8:]),
        b"".join(lines[:9] + lines[10:]), whole + lines[-1], whole + b"\n",
        b"".join([*lines[:-1], lines[-1].replace(b",0.05,", b",")]),
    ]  # fmt: skip
    for content in damaged:
        assert not is_surely(content, told) or read_table([content], new=True) == told
    for wrong in (told._replace(rois=told.rois + 1), told._replace(triggers=1), told._replace(size_bytes=1)):
        assert not is_surely(whole, wrong)


def test_a_number_too_long_to_be_read_is_none_of_a_table() -> None:
    row = b"1,0.05," + b"0.1," * 13 + b"10," + b"9" * 5000 + b",0,0,0,0,0,397.7,0.07\n"
    assert not is_surely(row, Table(1, 1, 10, ""))
