"""Are the bins of an Imaging FlowCytobot found by day, and judged by their own arithmetic?"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldchain.config.values import Destination, Job, OnChange
from coldchain.errors import ConfigurationError, Unreliable
from coldchain.instruments.base import Look, open_instrument
from coldchain.instruments.ifcb import INSTRUMENT
from coldchain.instruments.ifcb.adc import read_table
from coldchain.instruments.ifcb.hdr import read_header
from coldchain.instruments.ifcb.names import bin_of, date_of, start_of
from coldchain.model import Dataset, Entry, Part, Place
from coldchain.operate.examine import Examined, examine, fits
from coldchain.steps.select import select_datasets
from coldchain.stores.base import open_store
from coldchain.verdict import Condition, Verdict

WRITTEN = datetime(2023, 8, 10, 12, 0, tzinfo=UTC)
NEXT_DAY = datetime(2023, 8, 11, 3, 0, tzinfo=UTC)
WHOLE_BIN, NO_ROI_BIN = "D20220522T003051_IFCB134", "D20220522T000439_IFCB134"
OLD_BIN = "IFCB5_2012_028_081515"


def job(source: Path, **keys: object) -> Job:
    return replace(Job("ifcb", Place("source", str(source)), (), instrument="ifcb"), **keys)  # type: ignore[arg-type]


def look_into(source: Path, now: datetime = NEXT_DAY, **keys: object) -> dict[str, Examined]:
    chosen = job(source, **keys)
    found = list(examine(INSTRUMENT, open_store(chosen.source), chosen, now))
    assert len({one.dataset.name for one in found}) == len(found)
    files = sum(one.tally.files for one in found)
    assert files == sum(path.is_file() for path in source.rglob("*")), "every file is in exactly one dataset"
    for one in found:
        starts = [part.start for part in one.dataset.parts]
        assert starts == sorted(starts)
        json.dumps(one.verdict.as_json(), allow_nan=False)
    return {one.dataset.name: one for one in found}


def verdicts(source: Path, now: datetime = NEXT_DAY, **keys: object) -> dict[str, Verdict]:
    return {name: one.verdict for name, one in look_into(source, now, **keys).items() if name != "."}


def only(source: Path, now: datetime = NEXT_DAY, **keys: object) -> Verdict:
    (verdict,) = verdicts(source, now, **keys).values()
    return verdict


def date_all(folder: Path, when: datetime = WRITTEN) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (when.timestamp(), when.timestamp()))


Place3 = Callable[..., Path]


@pytest.fixture
def place(data: Path, tmp_path: Path) -> Place3:
    """Copies the whole bin of 2022 under another name, as new as it says."""

    def placed(folder: str = "", name: str = "D20230810T113059_IFCB134", when: datetime = WRITTEN) -> Path:
        real, target = data / "ifcb/ifcbdata/D20220522", tmp_path / "source" / folder
        if name.startswith("IFCB"):
            real = data / "ifcb/data/2012/IFCB5_2012_028"
        target.mkdir(parents=True, exist_ok=True)
        for file in real.glob(f"{OLD_BIN if name.startswith('IFCB') else WHOLE_BIN}.*"):
            copy = target / f"{name}{file.suffix}"
            shutil.copyfile(file, copy)
            os.utime(copy, (when.timestamp(), when.timestamp()))
        return target

    return placed


def rewrite(path: Path, content: bytes, when: datetime = WRITTEN) -> None:
    path.write_bytes(content)
    os.utime(path, (when.timestamp(), when.timestamp()))


# --- real files -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Examined]:
    source = tmp_path_factory.mktemp("real") / "ifcb"
    shutil.copytree(data / "ifcb", source)
    date_all(source, datetime(2023, 8, 10, 12, tzinfo=UTC))
    return look_into(source)


def test_the_real_days_are_found_in_every_layout(real: dict[str, Examined]) -> None:
    assert {name: one.dataset.parts for name, one in real.items() if name != "."} == {
        "D20130101": (Part("edge_cases/invalid", "D20130101T"),),
        "D20130526": (Part("white/D2013/D201305/D20130526"),),
        "D20150411": (Part("edge_cases/empty", "D20150411T"),),
        "D20220522": (Part("ifcbdata/D20220522"),),
        "D20230810": (Part("ifcbdata/D20230810"),),
        "IFCB5_2012_028": (Part("data/2012/IFCB5_2012_028"), Part("edge_cases/partial", "IFCB5_2012_028_")),
        "IFCB5_2017_001": (Part("edge_cases/empty", "IFCB5_2017_001_"),),
        "data/skip": (Part("data/skip"),),
    }
    assert real["."].tally.files == 5  # the products lie in folders without bins


def test_the_real_days_are_as_whole_as_they_are(real: dict[str, Examined]) -> None:
    assert {name: (str(one.verdict.condition), one.verdict.summary) for name, one in real.items()} == {
        ".": ("unknown", ""),
        "D20130101": ("incomplete", "short by 1 of 1 bins: D20130101T101010_IFCB099: its .hdr is empty"),
        "D20130526": ("complete", "1 bin, whole"),
        "D20150411": ("complete", "1 bin, whole"),
        "D20220522": ("complete", "2 bins, all whole, 1 without .roi"),
        "D20230810": ("complete", "1 bin, whole, 1 without .roi"),
        "IFCB5_2012_028": ("complete", "2 bins, all whole, 1 without .roi"),
        "IFCB5_2017_001": ("complete", "1 bin, whole"),
        "data/skip": ("unknown", "1 bin, 1 of them in 'skip'"),
    }
    assert [remark.path for remark in real["D20230810"].verdict.remarks] == [
        "ifcbdata/D20230810/D20230810T113059_IFCB134.adc"
    ]


def test_the_catalogue_of_a_real_day(real: dict[str, Examined]) -> None:
    assert dict(real["D20220522"].verdict.catalogue) == {
        "instrument": "IFCB134",
        "serial": "134",
        "start": "2022-05-22T00:04:39+00:00",
        "end": "2022-05-22T00:42:47+00:00",
        "bins": 2,
        "triggerCount": 11,
        "roiCount": 9,
        "ml_analyzed": 7.841907,
        "size_bytes": 39719,
        "bins_without_roi": 1,
    }
    assert real["D20130526"].verdict.catalogue["roiCount"] == 19  # counted: the header of 2013 has no counts
    assert real["D20130526"].verdict.catalogue["triggerCount"] == 118


def test_the_row_of_a_real_bin_has_its_header_in_numbers(real: dict[str, Examined]) -> None:
    (row,) = real["D20230810"].verdict.units
    assert row["unit"] == "D20230810T113059_IFCB134"
    assert (row["triggerCount"], row["roiCount"], row["roi"]) == (41, 33, False)
    assert (row["gpsLatitude"], row["gpsLongitude"]) == (58.25983722, 11.43537362)
    assert (row["SoftwareVersion"], row["sampleNumber"], row["sampleType"]) == ("2.0.5.0", 125, "Normal")
    assert (row["runTime"], row["imagerID"], row["humidity"]) == (1186.8013888888888, 134, 53.418095674067295)
    assert row["ml_analyzed"] == round(0.25 * (1186.8013888888888 - 3.2460850694444443) / 60, 6)
    assert (row["start"], row["end"]) == ("2023-08-10T11:30:59+00:00", "2023-08-10T11:50:46+00:00")


def test_the_row_of_a_bin_of_the_first_version(real: dict[str, Examined]) -> None:
    row = real["IFCB5_2012_028"].verdict.units[0]
    assert (row["instrument"], row["serial"], row["start"]) == ("IFCB5", "5", "2012-01-28T08:15:15+00:00")
    assert (row["temperature"], row["humidity"]) == (11.4799732421875, 32.167437512207)
    assert (row["PMT1hv(ssc)"], row["PMT2hv(chl)"], row["BlobSizeThresh"]) == (0.675, 0.6, 10)
    assert (row["roiCount"], row["triggerCount"], row["size_bytes"]) == (6, 6, 72388)
    assert "ml_analyzed" not in row  # another pump, another formula


def test_the_fields_of_a_day(real: dict[str, Examined]) -> None:
    assert dict(real["D20230810"].dataset.fields) == {"date": "2023-08-10", "year": "2023", "month": "08"}
    assert dict(real["IFCB5_2012_028"].dataset.fields) == {
        "date": "2012-01-28",
        "year": "2012",
        "month": "01",
        "instrument": "IFCB5",
    }


def test_the_instrument_is_looked_up_when_a_layout_names_it(data: Path) -> None:
    destinations = (Destination(Place("disk", "/x"), "{instrument}/{dataset}/{path}"),)
    (found,) = INSTRUMENT.find(
        open_store(Place("s", str(data / "ifcb/ifcbdata/D20220522"))),
        job(data / "ifcb/ifcbdata/D20220522"),
    )
    assert dict(found.fields)["instrument"] == "IFCB134"  # flat: its bins were seen anyway
    source = data / "ifcb/white"
    (found,) = INSTRUMENT.find(open_store(Place("s", str(source))), job(source, destinations=destinations))
    assert dict(found.fields)["instrument"] == "IFCB013"


def test_a_free_comment_is_personal(data: Path) -> None:
    source = data / "ifcb/ifcbdata"
    for personal in (False, True):
        rows = verdicts(source, personal=personal)["D20230810"].units
        assert [row.get("FileComment") for row in rows] == [("file comment" if personal else None)]


def test_it_recognises_the_real_folder(data: Path) -> None:
    (best, *_), _ = fits(open_store(Place("s", str(data / "ifcb/ifcbdata"))))
    assert (best.instrument, best.recognised) == ("ifcb", 7)
    assert INSTRUMENT.recognise(["a/D20230810.txt", "D20230810/", "x.adc"]) == (0, "")
    assert INSTRUMENT.recognise(["D20230810T113059_IFCB134_00014.png", "IFCB5_2012_028_081515_blob.zip"])[0] == 2


# --- finding ----------------------------------------------------------------------------------------------------------


def test_many_days_in_one_folder_share_its_listing(place: Place3) -> None:
    place(name="D20230809T235000_IFCB134")
    place()
    source = place(name=OLD_BIN)
    (source / "ifcb.nam").write_text("D20230810T113059")
    (source / "D20230810T113059_IFCB134_00014.png").write_text("")
    (source / "logs").mkdir()
    (source / "logs" / "x.dig").write_text("")
    found = look_into(source)
    without = ("logs/",)
    assert {name: one.dataset.parts for name, one in found.items() if name != "."} == {
        "D20230809": (Part("", "D20230809T", without=without),),
        "D20230810": (Part("", "D20230810T", without=without),),
        "IFCB5_2012_028": (Part("", "IFCB5_2012_028_", without=without),),
    }
    assert {name: one.tally.files for name, one in found.items()} == {
        ".": 2,
        "D20230809": 3,
        "D20230810": 4,
        "IFCB5_2012_028": 3,
    }
    assert dict(found["D20230810"].dataset.fields)["instrument"] == "IFCB134"


def test_a_day_may_lie_in_its_folder_and_beside_it(place: Place3, tmp_path: Path) -> None:
    place("2023/D20230810")
    place("2023", "D20230810T120000_IFCB134")
    place("", "D20230810T123000_IFCB134")
    found = look_into(tmp_path / "source")["D20230810"]
    assert found.dataset.parts == (
        Part("2023/D20230810"),
        Part("2023", "D20230810T", without=("2023/D20230810/",)),
        Part("", "D20230810T", without=("2023/",)),
    )
    assert (found.verdict.condition, found.verdict.summary) == ("complete", "3 bins, all whole")


def test_a_folder_that_begins_like_a_bin_belongs_to_the_day_of_the_bins_beside_it(place: Place3) -> None:
    source = place()
    (source / "D20230810T113059_IFCB134").mkdir()
    (source / "D20230810T113059_IFCB134" / "D20230810T113059_IFCB134_00002.png").write_text("")
    assert look_into(source)["D20230810"].tally.files == 4


def test_a_folder_for_each_bin(place: Place3, tmp_path: Path) -> None:
    place("D20230810T113059_IFCB134")
    place("D20230810T120000_IFCB134", "D20230810T120000_IFCB134")
    found = look_into(tmp_path / "source")["D20230810"]
    assert (len(found.dataset.parts), found.verdict.summary) == (2, "2 bins, all whole")


def test_products_elsewhere_stay_outside_of_the_days(place: Place3, tmp_path: Path) -> None:
    place("raw")
    (tmp_path / "source/features").mkdir()
    (tmp_path / "source/features/D20230810T113059_IFCB134_fea_v2.csv").write_text("")
    (tmp_path / "source/raw/D20230811T000000_IFCB134.mat").write_text("")  # of a day without bins
    found = look_into(tmp_path / "source")
    assert {name: one.tally.files for name, one in found.items()} == {".": 2, "D20230810": 3}


def test_skip_and_beads_are_datasets_of_their_own(place: Place3, tmp_path: Path) -> None:
    place("", "D20230810T100000_IFCB134")
    place("beads")
    place("2023/skip", "D20230810T120000_IFCB134")
    (tmp_path / "source/2023/skip/D20230810T120000_IFCB134.roi").unlink()
    rewrite(tmp_path / "source/2023/skip/D20230810T120000_IFCB134.adc", b"rubbish")
    found = look_into(tmp_path / "source")
    assert {name: str(one.verdict.condition) for name, one in found.items()} == {
        ".": "unknown",
        "D20230810": "complete",
        "beads": "complete",
        "2023/skip": "unknown",
    }
    assert not found["2023/skip"].verdict.unwhole
    assert len(found["2023/skip"].verdict.remarks) == 1


def test_rubbish_in_a_skip_folder_within_a_day_makes_nothing_incomplete(place: Place3, tmp_path: Path) -> None:
    place("D20230810")
    place("D20230810/skip", "D20230810T120000_IFCB134")
    rewrite(tmp_path / "source/D20230810/skip/D20230810T120000_IFCB134.hdr", b"")
    verdict = only(tmp_path / "source")
    assert (verdict.condition, verdict.summary) == (Condition.COMPLETE, "2 bins, 1 of them in 'skip'")
    (tmp_path / "source/D20230810/skip/D20230810T120000_IFCB134.hdr").unlink()
    assert only(tmp_path / "source").condition is Condition.COMPLETE


def test_series_are_the_folders_at_the_top(place: Place3, tmp_path: Path) -> None:
    place("cruise/2023/D20230810")
    place("pier/D20230810")
    (tmp_path / "source/notes").mkdir()
    (tmp_path / "source/notes/x.txt").write_text("")
    found = look_into(tmp_path / "source", datasets="series")
    assert {name: one.tally.files for name, one in found.items()} == {".": 1, "cruise": 3, "pier": 3}
    assert found["cruise"].verdict.condition is Condition.COMPLETE


@pytest.mark.parametrize("folder", ["", "D20230810", "2023/D20230810", "D2023/D202308/D20230810"])
def test_a_source_of_days_is_one_series(place: Place3, tmp_path: Path, folder: str) -> None:
    place(folder)
    found = look_into(tmp_path / "source", datasets="series")
    assert {name: one.verdict.summary for name, one in found.items()} == {".": "1 bin, whole"}


def test_other_words_for_datasets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r'"days" .* or "series"'):
        list(INSTRUMENT.find(open_store(Place("s", str(tmp_path))), job(tmp_path, datasets="weeks")))


def test_a_folder_that_cannot_be_read_does_not_stop_the_others(place: Place3, tmp_path: Path) -> None:
    class Shut:
        def __init__(self) -> None:
            self._store = open_store(Place("s", str(tmp_path / "source")))

        def folders(self, prefix: str = "") -> Iterable[str]:
            if prefix == "locked":
                raise Unreliable("no luck")
            return self._store.folders(prefix)

        def list(self, prefix: str = "", *, without: Iterable[str] = ()) -> Iterable[object]:
            if prefix == "locked":
                raise Unreliable("no luck")
            return self._store.list(prefix, without=set(without))

    place("ok/D20230810")
    place("locked/D20230811", "D20230811T113059_IFCB134")
    found = list(INSTRUMENT.find(Shut(), job(tmp_path)))  # type: ignore[arg-type]
    assert [one.name for one in found] == ["D20230810"]


def test_names_that_no_calendar_has_are_still_found(place: Place3, tmp_path: Path) -> None:
    place("", "D20230231T113059_IFCB134")
    found = look_into(tmp_path / "source")["D20230231"]
    assert "date" not in dict(found.dataset.fields)
    assert found.verdict.condition is Condition.COMPLETE
    assert date_of("IFCB5_2013_366") is None
    assert start_of("IFCB5_2013_001_996060") is None


def test_names_with_other_digits_are_no_bins() -> None:
    assert bin_of("a/D20230810T113059_IFCB134.adc") == "a/D20230810T113059_IFCB134"
    for name in (
        "D20231310T113059_IFCB134.adc",
        "D20230810T253059_IFCB134.adc",
        "D20230810T113059_IFCB134_late.roi",
        "D٢٠٢٣٠٨١٠T113059_IFCB134.adc",
        "D20230810T113059_IFCB134.adc\n",
        "decoy.adc",
    ):
        assert bin_of(name) is None


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
    assert verdict.summary == "1 bin, whole, 1 without .roi"
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


# --- the contract -----------------------------------------------------------------------------------------------------


def test_the_header_travels_last_of_its_bin() -> None:
    dataset = Dataset("D20230810")
    assert INSTRUMENT.marker(dataset, "2023/D20230810/D20230810T113059_IFCB134.hdr") == (
        "2023/D20230810/D20230810T113059_IFCB134."
    )
    assert INSTRUMENT.marker(dataset, "D20230810T113059_IFCB134.adc") is None
    assert INSTRUMENT.marker(dataset, "notes.hdr") is None
    assert INSTRUMENT.marker(dataset, f"a/{OLD_BIN}.hdr") == f"a/{OLD_BIN}."


def test_its_habits() -> None:
    habits = open_instrument("ifcb").habits
    assert (habits.settle, habits.quiet, habits.on_change) == (
        timedelta(minutes=2),
        timedelta(hours=2),
        OnChange.KEEP_BOTH,
    )
    assert habits.datasets[0] == "days"


def test_a_source_without_bins_is_one_rest(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("")
    chosen = job(tmp_path)
    assert [one.name for one in select_datasets(INSTRUMENT, open_store(chosen.source), chosen).datasets] == ["."]
