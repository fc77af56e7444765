"""Are plates of high-content microscopes found, and is it said rightly whether they are whole?"""

from __future__ import annotations

import json
import os
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from coldchain.config.values import Job
from coldchain.errors import ConfigurationError, Unreliable
from coldchain.instruments.base import Look
from coldchain.instruments.cellpainting import INSTRUMENT
from coldchain.instruments.cellpainting.harmony import Index
from coldchain.instruments.cellpainting.htd import read_plan
from coldchain.instruments.cellpainting.images import check_images
from coldchain.instruments.cellpainting.markup import Ill, parse
from coldchain.instruments.cellpainting.names import well_name
from coldchain.model import Dataset, Entry, Part, Place
from coldchain.operate.examine import Examined, examine
from coldchain.stores.base import Reader, open_store
from coldchain.verdict import Condition, Verdict

PHENIX = "BR00121482__2021-03-29T16_51_44-Measurement 1"
SHORT = "BR00122249__2023-03-23T14_50_32-Measurement 1"
V7 = "240624_WES_Perturbs_n_densities_1.1__2024-06-24T11_48_44-Measurement 1"
OPERETTA = "Test_Sample_BALL__2022-12-19T10_18_52-Measurement 1"
RUN = "CV8000-Minimal-DataSet-2C-3W-4S-FP2-stack"
CV8000 = f"{RUN}_20230918_135839"
LATER = timedelta(days=2)


def job(root: Path, **more: Any) -> Job:
    return Job("plates", Place("source", str(root)), (), "cellpainting", **more)


def seen(root: Path, *, after: timedelta = LATER, **more: Any) -> dict[str, Examined]:
    asked = job(root, **more)
    found = examine(INSTRUMENT, open_store(asked.source), asked, datetime.now(UTC) + after)
    return {one.dataset.name: one for one in found}


def verdict(root: Path, name: str, **more: Any) -> Verdict:
    said = seen(root, **more)[name].verdict
    json.dumps(said.as_json(), allow_nan=False).encode("utf-8")
    return said


@pytest.fixture
def copied(data: Path, tmp_path: Path) -> Path:
    """Copies of all real plates, to be damaged."""
    for folder in ("opera_phenix", "operetta", "imagexpress_htd", "imagexpress_db_export", "yokogawa_cv8000"):
        shutil.copytree(data / "cellpainting" / folder, tmp_path / folder, copy_function=shutil.copy)
    for path in tmp_path.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tmp_path


# --- the real plates --------------------------------------------------------------------------------------------------


def test_every_real_plate_is_found_by_its_own_name_and_the_rest_is_carried_too(data: Path) -> None:
    found = seen(data / "cellpainting")
    assert {name: one.verdict.condition.value for name, one in found.items()} == {
        ".": "unknown",
        PHENIX: "complete",
        SHORT: "incomplete",
        V7: "incomplete",
        OPERETTA: "complete",
        "9987_Plate_3420": "complete",
        "9987_Plate_3434": "incomplete",
        "9987_Plate_3435": "incomplete",
        "1well-3C-2S-Zmix-T/2024-04-22/1697": "unknown",
        "Projection-Mix/2023-02-21/1334": "unknown",
        CV8000: "complete",
    }
    assert found["."].tally.files == 10
    assert sum(one.tally.files for one in found.values()) == sum(
        path.is_file() for path in (data / "cellpainting").rglob("*")
    )
    assert all(not one.verdict.unwhole and not one.verdict.remarks for one in found.values())


def test_the_fields_of_a_plate_come_from_its_name(data: Path) -> None:
    found = {name: dict(one.dataset.fields) for name, one in seen(data / "cellpainting").items()}
    assert found[PHENIX] == {"plate": "BR00121482", "date": "2021-03-29", "measurement": "1"}
    assert found["9987_Plate_3434"] == {"plate": "9987", "measurement": "3434"}
    tree = found["1well-3C-2S-Zmix-T/2024-04-22/1697"]
    assert tree == {"plate": "1well-3C-2S-Zmix-T", "date": "2024-04-22", "measurement": "1697"}
    assert found[CV8000] == {"plate": RUN, "date": "2023-09-18", "measurement": "20230918_135839"}
    assert {key for fields in found.values() for key in fields} == set(INSTRUMENT.habits.fields)


def test_what_a_phenix_plate_lacks_is_named(data: Path) -> None:
    said = verdict(data / "cellpainting", SHORT)
    assert said.summary == "short by 5 of 6 images: r01c01 f1 p1 ch1, r01c01 f1 p1 ch2, r01c01 f1 p1 ch3, …"
    assert said.missing_count == 5
    assert "r01c01 f1 p1 ch6" not in said.missing
    assert verdict(data / "cellpainting", V7).summary.startswith("short by 7 of 7 images: r01c01 f1 p1 ch1")


def test_what_an_imagexpress_plate_lacks_is_named(data: Path) -> None:
    stack = verdict(data / "cellpainting", "9987_Plate_3434")
    assert stack.missing == ("B02 s1 w4", "B02 s2 w4", "B03 s1 w4", "B03 s2 w4")
    assert stack.summary == "short by 4 of 16 images: B02 s1 w4, B02 s2 w4, B03 s1 w4, …"
    times = verdict(data / "cellpainting", "9987_Plate_3435")
    assert times.missing_count == 8
    assert times.summary.endswith("4 of 6 time points have no image: TimePoint_3, TimePoint_4, TimePoint_5, …")


def test_the_catalogue_of_a_phenix_plate(data: Path) -> None:
    said = verdict(data / "cellpainting", PHENIX).catalogue
    assert said == {
        "PlateID": "BR00121482",
        "Name": "BR00121482",
        "MeasurementID": "5de72537-0fda-42a5-8715-2e605ccb652c",
        "MeasurementStartTime": "2021-03-29T16:51:44.6444882-04:00",
        "start": "2021-03-29T16:51:44.6444882-04:00",
        "end": "2021-03-29T16:55:29.69-04:00",
        "PlateTypeName": "384 PerkinElmer CellCarrier Ultra",
        "PlateRows": 16,
        "PlateColumns": 24,
        "InstrumentType": "Phenix",
        "ImageResolutionX": 5.979760809567617e-07,
        "ObjectiveMagnification": 20,
        "channels": ["Alexa 647", "Alexa 568", "488 long", "Alexa 488", "HOECHST 33342", "Brightfield"],
        "wells": 1,
        "fields": 1,
        "images_expected": 6,
        "images_found": 6,
    }


def test_harmony_v7_and_a_byte_order_mark_are_read(data: Path) -> None:
    seven = verdict(data / "cellpainting", V7).catalogue
    assert seven["ImageResolutionX"] == 2.96688132474701e-07
    assert seven["channels"][-1] == "Brightfield"  # type: ignore[index]
    assert len(seven["channels"]) == 7  # type: ignore[arg-type]
    assert verdict(data / "cellpainting", OPERETTA).catalogue["PlateTypeName"] == "384 Greiner µClear"


def test_the_catalogue_of_the_other_makers(data: Path) -> None:
    htd = verdict(data / "cellpainting", "9987_Plate_3434").catalogue
    assert htd["UniquePlateIdentifier"] == "6f0ba473-d18a-4a31-8db8-e2087bc78145"
    assert htd["WaveNames"] == ["DAPI", "FITC", "Texas Red", "Cy5"]
    assert str(htd["Description"]).startswith("1t-2w-2s-4c-3z mixed")
    assert (htd["wells"], htd["sites"], htd["ZSteps"]) == (2, 2, 3)
    yokogawa = verdict(data / "cellpainting", CV8000).catalogue
    assert yokogawa["start"] == "2023-09-18T13:58:39.4014935+02:00"
    assert yokogawa["end"] == "2023-09-18T13:59:15.9664907+02:00"
    assert yokogawa["PlateTypeName"] == "#P96-1.5H-N"
    assert yokogawa["channels"] == ["BP445/45", "BP525/50"]
    assert (yokogawa["wells"], yokogawa["fields"], yokogawa["ZCount"], yokogawa["images_expected"]) == (3, 4, 4, 96)


def test_people_are_named_only_when_the_job_wants_it(data: Path) -> None:
    for name, key, who in ((PHENIX, "User", "lmiller"), (CV8000, "OperatorName", "reitsabi")):
        assert who not in json.dumps(verdict(data / "cellpainting", name).as_json())
        assert verdict(data / "cellpainting", name, personal=True).catalogue[key] == who


def test_plates_are_chosen_by_their_identifier_or_by_the_name_of_their_folder(data: Path) -> None:
    assert set(seen(data / "cellpainting", plates=("BR00121482",))) == {PHENIX}
    assert set(seen(data / "cellpainting", plates=(SHORT,))) == {SHORT}


def test_paths_are_recognised(data: Path) -> None:
    for folder in ("opera_phenix", "operetta", "imagexpress_htd", "imagexpress_db_export", "yokogawa_cv8000"):
        root = data / "cellpainting" / folder
        paths = [str(path.relative_to(root)) + "/" * path.is_dir() for path in root.rglob("*")]
        number, why = INSTRUMENT.recognise(paths)
        assert number > 0, folder
        assert why
    assert INSTRUMENT.recognise(["a/b.tif", "x_20230918_135839/", "Plate_7/", "2024-01-01/001/"]) == (0, "")


# --- finding ----------------------------------------------------------------------------------------------------------


def test_the_gallery_s_names_without_the_space_are_plates_too(tmp_path: Path) -> None:
    name = "BR00121482__2021-03-29T16_51_44-Measurement1"
    (tmp_path / "a" / "b" / name / "Images").mkdir(parents=True)
    assert dict(seen(tmp_path)[name].dataset.fields)["plate"] == "BR00121482"


def test_a_plate_is_not_looked_for_within_a_plate_nor_endlessly_deep(tmp_path: Path) -> None:
    (tmp_path / PHENIX / SHORT).mkdir(parents=True)
    deep = tmp_path.joinpath(*"abcdefgh", SHORT)
    deep.mkdir(parents=True)
    assert set(seen(tmp_path)) == {".", PHENIX}


def test_two_plates_of_one_name_are_called_by_their_paths(tmp_path: Path) -> None:
    for batch in ("one", "two"):
        (tmp_path / batch / PHENIX).mkdir(parents=True)
    assert set(seen(tmp_path)) == {".", f"one/{PHENIX}", f"two/{PHENIX}"}


@pytest.mark.parametrize(
    "folders", ["Exp_Plate_1/" + PHENIX, "notes_20230918_135839/figures", "mouse/2020-01-01/001/raw", "my_Plate_7/docs"]
)
def test_a_folder_that_is_only_named_like_a_plate_is_none(tmp_path: Path, folders: str) -> None:
    (tmp_path / folders).mkdir(parents=True)
    (tmp_path / folders / "notes.txt").write_text("n")
    assert set(seen(tmp_path)) - {".", PHENIX} == set()


def test_a_pattern_says_which_folders_are_plates_that_somebody_renamed(copied: Path) -> None:
    (copied / "opera_phenix" / PHENIX).rename(copied / "opera_phenix" / "renamed")
    (copied / "yokogawa_cv8000" / CV8000 / RUN).rename(copied / "yokogawa_cv8000" / "inner")
    found = seen(copied, datasets="*/*")
    assert found["opera_phenix/renamed"].verdict.condition is Condition.COMPLETE
    assert found["yokogawa_cv8000/inner"].verdict.condition is Condition.COMPLETE
    assert dict(found[f"opera_phenix/{SHORT}"].dataset.fields)["plate"] == "BR00122249"
    with pytest.raises(ConfigurationError, match="plates"):
        seen(copied, datasets="plate")


def test_names_that_are_not_utf_8_are_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xc9l\xe8ve__2021-03-29T16_51_44-Measurement 1")
    images = tmp_path / name / "Images"
    images.mkdir(parents=True)
    (images / os.fsdecode(b"\xff.tiff")).write_bytes(b"II*\0")
    said = seen(tmp_path)[name].verdict
    assert list(said.unwhole) == [f"{name}/Images/{os.fsdecode(bytes([255]))}.tiff"]


def test_the_list_of_a_plate_travels_after_its_images() -> None:
    plate = Dataset(PHENIX, (Part(f"phenix/{PHENIX}"),))
    start = f"phenix/{PHENIX}/"
    for name in ("Images/Index.idx.xml", "Images/Index.xml", "x/MeasurementDetail.mrf"):
        assert INSTRUMENT.marker(plate, start + name) == start
    for name in (
        "Images/Index.ref.xml",
        "Assaylayout/Unnamed.xml",
        "Images/r01c01f01p01-ch1sk1fk1fl1.tiff",
        "9987.HTD",
    ):
        assert INSTRUMENT.marker(plate, start + name) is None
    assert INSTRUMENT.marker(Dataset("."), "Images/Index.xml") is None


@pytest.mark.parametrize(("place", "name"), [((2, 3), "B03"), ((16, 24), "P24"), ((26, 1), "Z01"), ((32, 48), "AF48")])
def test_wells_are_named_as_on_the_plate(place: tuple[int, int], name: str) -> None:
    assert well_name(*place) == name


# --- damaged plates ---------------------------------------------------------------------------------------------------


def first_image(folder: Path) -> Path:
    return min(path for path in folder.rglob("*.[tT][iI][fF]*") if "ch1" in path.name or "_" in path.name)


WHOLE = {
    PHENIX: ("opera_phenix", "r01c01 f1 p1 ch1"),
    OPERETTA: ("operetta", "r03c03 f1 p1 ch1"),
    "9987_Plate_3420": ("imagexpress_htd", "B02 s1 w1"),
    CV8000: ("yokogawa_cv8000", "D08 f1 z1 ch1"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_plate_without_an_image_is_not_complete_and_says_which(copied: Path, name: str) -> None:
    folder = copied / WHOLE[name][0] / name
    image = sorted(path for path in folder.rglob("*.[tT]*") if "_" in path.name or "ch1" in path.name)
    image = [path for path in image if path.suffix.lower() in (".tif", ".tiff") and path.name[:3] not in ("DC_", "SC_")]
    image[0].unlink()
    said = verdict(copied, name)
    assert said.condition is Condition.INCOMPLETE
    assert said.missing == (WHOLE[name][1],)
    assert "short by 1 of " in said.summary


@pytest.mark.parametrize("name", WHOLE)
def test_an_image_that_is_cut_short_is_held_and_the_plate_not_complete(copied: Path, name: str) -> None:
    image = first_image(copied / WHOLE[name][0] / name)
    size_bytes = image.stat().st_size
    # MetaXpress leaves 60 bytes behind that nothing points to
    os.truncate(image, size_bytes - (61 if name.startswith("9987") else 1))
    said = verdict(copied, name)
    path = image.relative_to(copied).as_posix()
    assert set(said.unwhole) == {path}
    assert said.unwhole[path].startswith("the TIFF is cut short: ")
    assert said.condition is Condition.INCOMPLETE
    assert said.summary == f"1 image is not whole: {image.name}"


@pytest.mark.parametrize("name", WHOLE)
def test_an_image_of_something_else_is_carried_with_a_remark_and_the_plate_not_complete(
    copied: Path, name: str
) -> None:
    image = first_image(copied / WHOLE[name][0] / name)
    image.write_bytes(random.Random(1).randbytes(500))
    said = verdict(copied, name)
    assert [remark.path for remark in said.remarks] == [image.relative_to(copied).as_posix()]
    assert not said.unwhole
    assert said.condition is Condition.INCOMPLETE


LISTS = {
    PHENIX: ("opera_phenix", "Images/Index.idx.xml"),
    OPERETTA: ("operetta", "Images/Index.idx.xml"),
    "9987_Plate_3420": ("imagexpress_htd", "TimePoint_1/9987.HTD"),
    CV8000: ("yokogawa_cv8000", f"{RUN}/MeasurementData.mlf"),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_list_that_is_cut_short_is_held_and_the_plate_not_complete(copied: Path, name: str, share: float) -> None:
    path = copied / LISTS[name][0] / name / LISTS[name][1]
    os.truncate(path, int(path.stat().st_size * share))
    said = verdict(copied, name)
    assert said.condition is Condition.INCOMPLETE
    assert f"{path.name} is cut short" in said.summary
    assert path.relative_to(copied).as_posix() in said.unwhole


@pytest.mark.parametrize("name", [PHENIX, CV8000])
def test_a_list_that_ends_in_zeros_is_cut_short_too(copied: Path, name: str) -> None:
    path = copied / LISTS[name][0] / name / LISTS[name][1]
    content = path.read_bytes()
    path.write_bytes(content[:5000] + bytes(len(content) - 5000))
    said = verdict(copied, name)
    assert said.summary.startswith(f"{path.name} is cut short: only zeros from byte 5,000 on")
    assert said.condition is Condition.INCOMPLETE


@pytest.mark.parametrize("name", LISTS)
def test_garbage_in_place_of_a_list_stops_nothing_and_nothing_is_complete(copied: Path, name: str) -> None:
    folder = copied / LISTS[name][0] / name
    for seed in range(20):
        for path in [
            one for one in folder.rglob("*") if one.is_file() and not one.name.lower().endswith((".tif", ".tiff"))
        ]:
            path.write_bytes(random.Random(seed).randbytes(seed * 50))
        said = verdict(copied, name)
        assert said.condition is not Condition.COMPLETE


def test_a_list_with_a_few_bytes_changed_never_raises(data: Path) -> None:
    for path in (data / "cellpainting").rglob("*"):
        if path.suffix.lower() not in (".xml", ".mlf", ".mrf", ".mes", ".htd"):
            continue
        content = path.read_bytes()
        for seed in range(40):
            chance = random.Random(seed)
            changed = bytearray(content)
            for _ in range(chance.randrange(1, 20)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            parse([bytes(changed)], Index())
            read_plan(bytes(changed))


def test_a_plate_without_its_index_is_not_complete(copied: Path) -> None:
    (copied / "opera_phenix" / PHENIX / "Images" / "Index.idx.xml").unlink()
    said = verdict(copied, PHENIX)
    assert said.condition is Condition.INCOMPLETE
    assert said.summary == "there is no Images/Index.idx.xml or Images/Index.xml yet"


def test_an_index_that_declares_entities_is_not_read(copied: Path) -> None:
    path = copied / "opera_phenix" / PHENIX / "Images" / "Index.idx.xml"
    bomb = (
        '<!DOCTYPE a [<!ENTITY b "&c;&c;"><!ENTITY c "ha">]><EvaluationInputData><User>&b;</User></EvaluationInputData>'
    )
    path.write_text(bomb)
    said = verdict(copied, PHENIX)
    assert said.condition is Condition.UNKNOWN
    assert [remark.sentence for remark in said.remarks] == ["declares a document type, which no microscope does"]
    assert not said.unwhole


@pytest.mark.parametrize("content", [b"<a>" * 100_000, b"<a " + b"b" * (40 << 20), b"<a b='" + b"b" * (40 << 20)])
def test_an_index_without_end_is_not_read_to_its_end(content: bytes) -> None:
    pieces = (content[start : start + (1 << 20)] for start in range(0, len(content), 1 << 20))
    fault = parse(pieces, Index())
    assert fault is not None
    assert fault.ill is Ill.REFUSED


def test_an_image_that_the_microscope_says_failed_is_missing_all_the_same(copied: Path) -> None:
    images = copied / "opera_phenix" / PHENIX / "Images"
    index = images / "Index.idx.xml"
    index.write_bytes(index.read_bytes().replace(b"<State>Ok", b"<State>Failed", 1))
    (images / "r01c01f01p01-ch1sk1fk1fl1.tiff").unlink()
    assert verdict(copied, PHENIX).missing == ("r01c01 f1 p1 ch1 (its State is Failed)",)


def test_an_index_whose_wells_list_other_counts_gets_a_remark(copied: Path) -> None:
    index = copied / "opera_phenix" / PHENIX / "Images" / "Index.idx.xml"
    index.write_bytes(index.read_bytes().replace(b'<Image id="0101K1F1P1R1" />', b"", 1))
    assert [remark.sentence for remark in verdict(copied, PHENIX).remarks] == [
        "its wells list 5 images, and 6 are described"
    ]


def test_an_index_of_a_flat_field_export_says_nothing_of_what_must_be_there(copied: Path) -> None:
    index = copied / "opera_phenix" / PHENIX / "Images" / "Index.idx.xml"
    index.rename(index.with_name("Index.ref.xml"))
    assert verdict(copied, PHENIX).condition is Condition.UNKNOWN


def test_an_index_cannot_point_out_of_its_plate(copied: Path) -> None:
    index = copied / "opera_phenix" / PHENIX / "Images" / "Index.idx.xml"
    index.write_bytes(index.read_bytes().replace(b"<URL>r01", b"<URL>..\\..\\x\\r01", 1))
    assert verdict(copied, PHENIX).condition is Condition.COMPLETE


# --- ImageXpress ------------------------------------------------------------------------------------------------------


def four_waves(copied: Path) -> Path:
    """The real export of four wavelengths, with the images of the fourth, which the test data leaves out."""
    folder = copied / "imagexpress_htd" / "9987_Plate_3434" / "TimePoint_1"
    for path in list((folder / "ZStep_0").glob("*_w1.TIF")):
        shutil.copy(path, folder / "ZStep_2" / path.name.replace("_w1", "_w4"))
    return folder


def test_a_plate_is_complete_when_every_well_site_and_wavelength_is_there(copied: Path) -> None:
    four_waves(copied)
    said = verdict(copied, "9987_Plate_3434")
    assert said.condition is Condition.COMPLETE
    assert said.summary == "16 images, all whole, of every well, site and wavelength of the plan"


def test_a_thumbnail_is_no_image(copied: Path) -> None:
    folder = four_waves(copied)
    image = folder / "ZStep_2" / "9987_B02_s1_w4.TIF"
    image.rename(image.with_name("9987_B02_s1_w4_thumb4BFD4018-E675-475E-B5AB-2E959E6B6DA1.tif"))
    assert verdict(copied, "9987_Plate_3434").missing == ("B02 s1 w4",)


def test_a_step_that_other_sites_have_is_missing(copied: Path) -> None:
    folder = four_waves(copied)
    for path in sorted((folder / "ZStep_0").glob("*_w1.TIF"))[:3]:
        shutil.copy(path, folder / "ZStep_1" / path.name)
    said = verdict(copied, "9987_Plate_3434")
    assert said.condition is Condition.INCOMPLETE
    assert said.missing == ("B03 s2 w1 t1 z1",)
    assert said.summary == "short by 1 of 20 images: B03 s2 w1 t1 z1"


def test_an_acquisition_that_stops_between_time_points_is_not_complete(copied: Path) -> None:
    root = copied / "imagexpress_htd" / "9987_Plate_3435"
    for path in root.rglob("*.HTD"):
        path.write_bytes(path.read_bytes().replace(b'"NWavelengths", 4', b'"NWavelengths", 2'))
    said = verdict(copied, "9987_Plate_3435")
    assert said.condition is Condition.INCOMPLETE
    assert not said.missing
    assert said.summary == "4 of 6 time points have no image: TimePoint_3, TimePoint_4, TimePoint_5, …"
    for path in root.rglob("*.HTD"):
        path.write_bytes(path.read_bytes().replace(b'"TimePoints", 6', b'"TimePoints", 2'))
    assert verdict(copied, "9987_Plate_3435").condition is Condition.COMPLETE
    (root / "TimePoint_2" / "9987_B03_s2_w2.TIF").unlink()
    assert verdict(copied, "9987_Plate_3435").missing == ("B03 s2 w2 t2",)


def test_sites_may_be_numbered_within_the_selection_or_within_the_grid(copied: Path) -> None:
    root = copied / "imagexpress_htd" / "9987_Plate_3435"
    for path in root.rglob("*.HTD"):
        content = path.read_bytes().replace(b'"NWavelengths", 4', b'"NWavelengths", 2')
        content = content.replace(b'"TimePoints", 6', b'"TimePoints", 2').replace(b'"XSites", 2', b'"XSites", 3')
        path.write_bytes(content.replace(b'"SiteSelection1", TRUE, TRUE', b'"SiteSelection1", TRUE, FALSE, TRUE'))
    assert verdict(copied, "9987_Plate_3435").condition is Condition.COMPLETE
    for path in root.rglob("*_s2_*.TIF"):
        path.rename(path.with_name(path.name.replace("_s2_", "_s3_")))
    assert verdict(copied, "9987_Plate_3435").condition is Condition.COMPLETE


def test_a_plan_of_more_wells_says_that_they_are_missing(copied: Path) -> None:
    for path in (copied / "imagexpress_htd" / "9987_Plate_3420").rglob("*.HTD"):
        path.write_bytes(path.read_bytes().replace(b'"WellsSelection3", FALSE', b'"WellsSelection3", TRUE'))
    assert verdict(copied, "9987_Plate_3420").summary == "short by 1 of 2 images: C01 s1 w1"


def test_without_a_plan_a_hole_among_the_images_is_noticed_and_nothing_is_complete(copied: Path) -> None:
    name = "1well-3C-2S-Zmix-T/2024-04-22/1697"
    image = next((copied / "imagexpress_db_export" / name / "TimePoint_2").glob("*_s2_w3*"))
    image.unlink()
    said = verdict(copied, name)
    assert said.condition is Condition.INCOMPLETE
    assert said.missing == ("C07 s2 w3 t2",)


# --- Yokogawa ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [(b' bts:EndTime="2023-09-18T13:59:15.9664907+02:00"', b""), (b"2023-09-18T13:59:15.9664907+02:00", b"")]
)
def test_a_measurement_that_did_not_end_is_not_complete(copied: Path, change: tuple[bytes, bytes]) -> None:
    path = copied / "yokogawa_cv8000" / CV8000 / RUN / "MeasurementDetail.mrf"
    path.write_bytes(path.read_bytes().replace(*change))
    said = verdict(copied, CV8000)
    assert said.condition is Condition.INCOMPLETE
    assert said.summary == "MeasurementDetail.mrf has no EndTime: the measurement did not end"


@pytest.mark.parametrize("name", ["MeasurementDetail.mrf", "MeasurementData.mlf"])
def test_a_run_without_its_list_or_its_detail_is_not_complete(copied: Path, name: str) -> None:
    (copied / "yokogawa_cv8000" / CV8000 / RUN / name).unlink()
    said = verdict(copied, CV8000)
    assert said.condition is Condition.INCOMPLETE
    assert said.summary == f"there is no {name} yet"


def test_an_image_that_went_wrong_is_missing(copied: Path) -> None:
    path = copied / "yokogawa_cv8000" / CV8000 / RUN / "MeasurementData.mlf"
    path.write_bytes(path.read_bytes().replace(b'bts:Type="IMG"', b'bts:Type="ERR"', 1))
    said = verdict(copied, CV8000)
    assert said.missing == ("D08 f1 z1 ch1 (recorded as ERR)",)
    assert said.condition is Condition.INCOMPLETE


def test_a_selected_well_of_which_nothing_was_taken_is_noticed(copied: Path) -> None:
    folder = copied / "yokogawa_cv8000" / CV8000 / RUN
    path = folder / "MeasurementData.mlf"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b"_F08_" not in line))
    said = verdict(copied, CV8000)
    assert said.condition is Condition.INCOMPLETE
    assert said.summary == "no image of 1 selected wells: F08"


# --- time and reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [PHENIX, CV8000, "9987_Plate_3420"])
def test_a_plate_that_is_not_whole_is_being_acquired_while_it_is_young(copied: Path, name: str) -> None:
    first_image(copied / WHOLE[name][0] / name).write_bytes(b"II*\0")
    assert verdict(copied, name, after=timedelta(hours=5)).condition is Condition.ACQUIRING
    assert verdict(copied, name, after=timedelta(hours=7)).condition is Condition.INCOMPLETE


def test_a_file_from_the_future_does_not_hide_that_a_plate_is_young(copied: Path) -> None:
    folder = copied / "opera_phenix" / PHENIX
    first_image(folder).write_bytes(b"II*\0")
    future = (datetime.now(UTC) + timedelta(days=900)).timestamp()
    os.utime(folder / "Images" / "Index.idx.xml", (future, future))
    assert verdict(copied, PHENIX, after=timedelta(hours=1)).condition is Condition.ACQUIRING


def judged(root: Path, look: Look, folder: str) -> Verdict:
    dataset = next(one for one in INSTRUMENT.find(look.source, look.job) if one.parts[0].root == folder)
    judge = INSTRUMENT.judge(dataset, look)
    for found in look.source.list(folder):
        assert isinstance(found, Entry)
        judge.see(found)
    return judge.verdict()


class Broken:
    """A store from which some files cannot be read."""

    def __init__(self, root: Path, ending: str) -> None:
        self._store = open_store(Place("source", str(root)))
        self._ending = ending
        self.opened: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def read(self, key: str, *, past_cache: bool = False) -> Reader:
        self.opened.append(key)
        if key.endswith(self._ending):
            raise Unreliable("the disk hums")
        return self._store.read(key, past_cache=past_cache)


@pytest.mark.parametrize("ending", ["ch1sk1fk1fl1.tiff", "Index.idx.xml"])
def test_a_file_that_cannot_be_read_gets_a_remark_and_the_plate_is_not_complete(copied: Path, ending: str) -> None:
    look = Look(Broken(copied, ending), job(copied), datetime.now(UTC) + LATER)
    said = judged(copied, look, f"opera_phenix/{PHENIX}")
    assert said.condition is Condition.INCOMPLETE
    assert [remark.sentence for remark in said.remarks] == ["could not be read: the disk hums"]
    assert not said.unwhole


def test_rows_of_wells_that_did_not_change_are_not_read_again(copied: Path) -> None:
    folder = f"yokogawa_cv8000/{CV8000}"
    image = copied / folder / RUN / f"{RUN}_E03_T0001F001L01A01Z01C01.tif"
    os.truncate(image, 5000)
    store = Broken(copied, "nothing")
    now = datetime.now(UTC)
    first = Look(store, job(copied), now)
    said = judged(copied, first, folder)
    images = [path for path in store.opened if path.endswith(".tif")]
    assert len(set(images)) == 102
    store.opened.clear()
    second = Look(store, job(copied), now, json.loads(json.dumps(first.remembered)))
    assert judged(copied, second, folder) == said
    assert not [path for path in store.opened if path.endswith(".tif")]
    assert dict(second.remembered) == json.loads(json.dumps(first.remembered))
    os.truncate(image, 4000)
    third = Look(store, job(copied), now, json.loads(json.dumps(first.remembered)))
    assert judged(copied, third, folder).unwhole != said.unwhole
    again = {path for path in store.opened if path.endswith(".tif")}
    assert len(again) == 32
    assert all("_E03_" in path for path in again)


def test_a_file_that_is_only_named_like_an_image_by_macos_is_ordinary(copied: Path) -> None:
    (copied / "opera_phenix" / PHENIX / "Images" / "._r01c01f01p01-ch1sk1fk1fl1.tiff").write_bytes(b"\0\5\x16\7")
    said = verdict(copied, PHENIX)
    assert said.condition is Condition.COMPLETE
    assert not said.remarks


def test_a_row_is_read_again_when_a_size_is_all_that_changed(data: Path) -> None:
    root = data / "cellpainting" / "opera_phenix"
    path = f"{PHENIX}/Images/r01c01f01p01-ch1sk1fk1fl1.tiff"
    look = Look(open_store(Place("source", str(root))), job(root), datetime.now(UTC))
    assert not check_images(look, [Entry(path, 1_893_262, 1)]).cut
    again = Look(look.source, look.job, look.now, look.remembered)
    assert set(check_images(again, [Entry(path, 1_893_261, 1)]).cut) == {path}


def test_a_measurement_whose_end_was_not_read_is_not_complete(copied: Path) -> None:
    path = copied / "yokogawa_cv8000" / CV8000 / RUN / "MeasurementDetail.mrf"
    path.write_text('<!DOCTYPE a><MeasurementDetail EndTime="2023-09-18T13:59:15+02:00"/>')
    assert verdict(copied, CV8000).condition is Condition.UNKNOWN
