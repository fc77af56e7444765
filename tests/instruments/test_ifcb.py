"""Are the bins of an Imaging FlowCytobot found by day, and what does a catalogue say of them?"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coldchain.config.values import Destination, OnChange
from coldchain.errors import ConfigurationError, Unreliable
from coldchain.instruments.base import open_instrument
from coldchain.instruments.ifcb import INSTRUMENT
from coldchain.instruments.ifcb.names import bin_of, date_of, start_of
from coldchain.model import Dataset, Part, Place
from coldchain.operate.examine import Examined, fits
from coldchain.steps.select import select_datasets
from coldchain.stores.base import open_store
from coldchain.verdict import Condition
from tests.instruments.ifcb_bins import (
    OLD_BIN,
    WRITTEN,
    date_all,
    job,
    look_into,
    only,
    place_bin,
    rewrite,
    verdicts,
)

Place3 = Callable[..., Path]


@pytest.fixture
def place(data: Path, tmp_path: Path) -> Place3:
    """Places a whole bin in a folder of the source."""

    def placed(folder: str = "", name: str = "D20230810T113059_IFCB134", when: datetime = WRITTEN) -> Path:
        return place_bin(data, tmp_path / "source" / folder, name, when)

    return placed


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
        "D20220522": ("unknown", "2 bins, 1 without .roi"),
        "D20230810": ("complete", "1 bin, 1 without .roi"),
        "IFCB5_2012_028": ("unknown", "2 bins, 1 without .roi"),
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
