"""Is a simulated plate laid out, counted and ordered like a real one, whoever made the microscope?"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import pytest
import tifffile

from coldchain.config.values import Job
from coldchain.instruments.base import open_instrument
from coldchain.model import Place
from coldchain.operate.examine import examine
from coldchain.simulate.base import open_simulator
from coldchain.simulate.cellpainting import tiff
from coldchain.simulate.cellpainting.plate import Plate, Well, plan_plate
from coldchain.simulate.faults import FAULTS
from coldchain.simulate.steps import Append, Close, Open, Step
from coldchain.stores.base import open_store
from coldchain.verdict import Condition, Verdict
from tests.simulate.playing import START, completed, options, play_all, play_named, tree

PHENIX, IMAGEXPRESS, CV8000 = "cellpainting", "cellpainting-imagexpress", "cellpainting-cv8000"
MAKERS = (PHENIX, IMAGEXPRESS, CV8000)
HARMONY = "{http://www.perkinelmer.com/PEHH/HarmonyV5}"
BTS = "{http://www.yokogawa.co.jp/BTS/BTSSchema/1.0}"
SCALE, SIDE = 0.05, {PHENIX: 228, IMAGEXPRESS: 200, CV8000: 200}
IMAGE = {
    PHENIX: re.compile(r"r(?P<row>\d\d)c(?P<column>\d\d)f(?P<site>\d\d)p01-ch(?P<channel>\d)sk1fk1fl1\.tiff"),
    IMAGEXPRESS: re.compile(r"CP2024_\d{3}_(?P<well>[A-P]\d\d)_s(?P<site>\d)_w(?P<channel>\d)\.TIF"),
    CV8000: re.compile(
        r"CellPainting-P\d{4}_(?P<well>[A-P]\d\d)_T0001F(?P<site>\d{3})L01A(?P<action>\d\d)Z01C(?P<channel>\d\d)\.tif"
    ),
}
Plays = dict[str, tuple[Path, list[Step]]]
"""By maker: where a flawless toy was played, and its steps."""
every_maker = pytest.mark.parametrize("maker", MAKERS)
every_fault = pytest.mark.parametrize("fault", sorted(FAULTS))


@pytest.fixture(scope="module")
def plays(tmp_path_factory: pytest.TempPathFactory) -> Plays:
    folders = {maker: tmp_path_factory.mktemp(maker) for maker in MAKERS}
    return {maker: (folder, play_named(maker, folder, options(scale=SCALE))) for maker, folder in folders.items()}


def images(maker: str, folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if IMAGE[maker].fullmatch(path.name))


def only(folder: Path, pattern: str) -> Path:
    (path,) = folder.rglob(pattern)
    return path


def listed_by_index(folder: Path) -> list[str]:
    index = ElementTree.parse(only(folder, "Index.idx.xml"))
    return [image.findtext(f"{HARMONY}URL", "") for image in index.iter(f"{HARMONY}Image") if image.get("Version")]


def listed_by_mlf(folder: Path) -> list[str]:
    records = ElementTree.parse(only(folder, "MeasurementData.mlf")).iter(f"{BTS}MeasurementRecord")
    return [record.text or "" for record in records]


def pixels_of(path: Path) -> int:
    """How many pixels a reader finds; 0 when they cannot be read."""
    try:
        return tifffile.imread(path).size
    except ValueError:
        return 0


# --- all makers -------------------------------------------------------------------------------------------------------


@every_maker
def test_every_image_opens_and_has_pixels_of_16_bits(plays: Plays, maker: str) -> None:
    corrections = list(plays[maker][0].rglob("[SD]C_*.tif"))
    found = images(maker, plays[maker][0])
    assert len(found) == 4 * 2 * 5
    seen = set()
    for path in [*found, *corrections]:
        with tifffile.TiffFile(path) as file:
            (page,) = file.pages
            pixels = page.asarray()
            assert (pixels.shape, pixels.dtype.name) == ((SIDE[maker], SIDE[maker]), "uint16")
            assert 50 < pixels.mean() < 5000
            assert {"Software", "DateTime"} <= {tag.name for tag in page.aspage().tags}
            seen.add(pixels.tobytes())
    assert len(seen) == len(found) + len(corrections)


@pytest.mark.parametrize("lay_out", [tiff.pixels_first, tiff.directory_first])
@pytest.mark.parametrize("rows", [1, 7, 16])
def test_a_tiff_gives_back_the_pixels_that_it_was_made_of(
    lay_out: Callable[[list[bytes], list[tiff.Tag]], bytes], rows: int
) -> None:
    pixels = bytes(range(256)) + bytes(range(256))[::-1]
    strips = [pixels[at : at + 32 * rows] for at in range(0, 512, 32 * rows)]
    for compression, pack in ((tiff.UNCOMPRESSED, bytes), (tiff.DEFLATE, zlib.compress)):
        tags = [*tiff.grey(16, compression, rows), tiff.text(270, "text"), tiff.text(305, "µ"), tiff.text(306, "odd…")]
        content = lay_out([pack(strip) for strip in strips], tags)
        with tifffile.TiffFile(BytesIO(content)) as file:
            assert file.pages[0].asarray().tobytes() == pixels
            assert [file.pages.first.tags[number].value for number in (270, 305, 306)] == ["text", "µ", "odd?"]
        assert sum(content.count(strip) for strip in {pack(strip) for strip in strips}) == len(strips)


@every_maker
def test_images_come_well_by_well_site_by_site_channel_by_channel_and_are_the_data(plays: Plays, maker: str) -> None:
    steps = plays[maker][1]
    data = [step.path for step in steps if isinstance(step, Open) and step.data]
    named = [IMAGE[maker].fullmatch(path.rsplit("/", 1)[-1]) for path in data]
    assert all(named)
    assert data == sorted(data)
    assert len(data) == len(images(maker, plays[maker][0]))
    closed = [step.path for step in steps if isinstance(step, Close) and step.path in data]
    assert closed == data


@every_maker
def test_an_image_grows_in_pieces(maker: str) -> None:
    appends = [step.path for step in open_simulator(maker).steps(options(scale=1.0)) if isinstance(step, Append)]
    grown = [path for path in appends if IMAGE[maker].fullmatch(path.rsplit("/", 1)[-1])]
    assert len(grown) >= 3 * len(set(grown))


@every_maker
def test_walking_through_a_full_plate_makes_no_content(maker: str) -> None:
    steps = open_simulator(maker).steps(options(scale=144.0))
    assert sum(isinstance(step, Open) and step.data for step in steps) == 384 * 9 * 8


@pytest.mark.parametrize(
    ("scale", "wells", "sites", "channels", "side"),
    [
        (0.001, 2, 2, 2, 64),
        (0.05, 4, 2, 5, 200),
        (1.0, 10, 4, 5, 400),
        (20.0, 53, 9, 8, 192),
        (144.0, 384, 9, 8, 116),
        (1000.0, 384, 9, 8, 312),
        (1e5, 384, 9, 8, 2000),
    ],
)
def test_the_scale_says_how_many_images_there_are_and_how_large(
    scale: float, wells: int, sites: int, channels: int, side: int
) -> None:
    plate = plan_plate(options(scale=scale), largest_side=2000)
    assert (len(plate.wells), plate.sites, plate.channels, plate.side) == (wells, sites, channels, side)
    assert len(set(plate.wells)) == wells


def test_wells_at_the_edge_are_used_only_when_the_others_are_full() -> None:
    def edge(plate: Plate) -> set[Well]:
        return {well for well in plate.wells if well.row in {1, 16} or well.column in {1, 24}}

    assert not edge(plan_plate(options(scale=100.0), 2000))
    assert len(edge(plan_plate(options(scale=144.0), 2000))) == 2 * 24 + 2 * 14


@every_maker
@every_fault
def test_a_struck_plate_differs_from_a_flawless_one_only_where_it_should(
    maker: str, fault: str, plays: Plays, tmp_path: Path
) -> None:
    play_all(open_simulator(maker).steps(options(scale=SCALE, fault=fault)), tmp_path, at_most=2000)
    flawless, struck = tree(plays[maker][0]), tree(tmp_path)
    lost, more = flawless.keys() - struck.keys(), struck.keys() - flawless.keys()
    other = {path for path in struck.keys() & flawless.keys() if flawless[path] != struck[path]}
    data = [step.path for step in plays[maker][1] if isinstance(step, Open) and step.data]
    middle, last = data[len(data) // 2], data[-1]
    match fault:
        case "crash":
            ends = {PHENIX: "Index.idx.xml", IMAGEXPRESS: "_w5.TIF", CV8000: "MeasurementDetail.mrf"}
            assert {path for path in lost if path in data} == set(data[len(data) // 2 + 1 :])
            assert any(path.endswith(ends[maker]) for path in lost)
            growing = {path for path in other if path.endswith((".mlf", ".log"))}
            assert (more, other - growing) == (set(), {middle})
            assert len(growing) == (2 if maker == CV8000 else 0)
        case "truncate":
            assert (lost, more, other) == (set(), set(), {last})
            assert pixels_of(plays[maker][0] / last) == SIDE[maker] ** 2
            assert pixels_of(tmp_path / last) == 0
        case "missing":
            assert (lost, more, other) == ({middle}, set(), set())
        case "late":
            stem, dot, extension = last.rpartition(".")
            assert (lost, more, other) == (set(), {f"{stem}_late{dot}{extension}"}, set())
        case "growing":
            assert (lost, more, other) == (set(), set(), {middle})


# --- Opera Phenix -----------------------------------------------------------------------------------------------------


@pytest.fixture
def phenix(plays: Plays) -> Path:
    (plate,) = plays[PHENIX][0].iterdir()
    return plate


def test_a_phenix_plate_is_named_as_harmony_names_it(phenix: Path) -> None:
    assert re.fullmatch(r"BR00\d{6}__2024-05-06T07_08_00-Measurement 1", phenix.name)
    assert sorted(path.name for path in phenix.iterdir()) == ["Assaylayout", "Images"]


def test_the_index_lists_exactly_the_images_and_is_written_last(phenix: Path, plays: Plays) -> None:
    assert listed_by_index(phenix) == [path.name for path in images(PHENIX, phenix)]
    assert completed(plays[PHENIX][1])[-1].endswith("/Images/Index.idx.xml")


def test_the_index_has_the_elements_of_a_real_one(data: Path, phenix: Path) -> None:
    (real,) = data.glob("cellpainting/opera_phenix/BR00122249*/Images/Index.idx.xml")
    ours = phenix / "Images/Index.idx.xml"
    assert ours.read_bytes()[:3] == real.read_bytes()[:3] == b"\xef\xbb\xbf"
    first, theirs = (ElementTree.parse(path).getroot() for path in (ours, real))
    assert (first.tag, first.attrib) == (theirs.tag, theirs.attrib)
    for path in (".", f"{HARMONY}Plates/{HARMONY}Plate", f"{HARMONY}Images/{HARMONY}Image"):
        tags = [[child.tag for child in root.find(path) or ()] for root in (first, theirs)]
        assert list(dict.fromkeys(tags[0])) == list(dict.fromkeys(tags[1]))
        assert tags[0]


def test_the_images_of_a_phenix_have_the_tags_of_real_ones(data: Path, phenix: Path) -> None:
    real = next(data.glob("cellpainting/opera_phenix/BR00121482*/Images/*.tiff"))
    with tifffile.TiffFile(real) as theirs, tifffile.TiffFile(images(PHENIX, phenix)[0]) as ours:
        tags = theirs.pages.first.tags
        assert {tag.code for tag in tags} - {tag.code for tag in ours.pages.first.tags} == set()
        assert ours.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE


# --- ImageXpress ------------------------------------------------------------------------------------------------------


@pytest.fixture
def imagexpress(plays: Plays) -> Path:
    (plate,) = plays[IMAGEXPRESS][0].iterdir()
    return plate


def plan_of(path: Path) -> dict[str, str]:
    return dict(line.split(", ", 1) for line in path.read_text("latin-1").splitlines() if ", " in line)


def test_the_plan_is_that_of_the_images_lies_in_both_levels_and_comes_first(imagexpress: Path, plays: Plays) -> None:
    name = imagexpress.name.split("_Plate_")[0]
    first, second = imagexpress / f"{name}.HTD", imagexpress / f"TimePoint_1/{name}.HTD"
    assert first.read_bytes() == second.read_bytes()
    assert completed(plays[IMAGEXPRESS][1])[:2] == [
        f"{imagexpress.name}/{name}.HTD",
        f"{imagexpress.name}/TimePoint_1/{name}.HTD",
    ]
    plan = plan_of(first)
    wells = [
        f"{chr(64 + row)}{column:02d}"
        for row in range(1, int(plan['"YWells"']) + 1)
        for column, chosen in enumerate(plan[f'"WellsSelection{row}"'].split(", "), 1)
        if chosen == "TRUE"
    ]
    sites = range(1, int(plan['"XSites"']) * int(plan['"YSites"']) + 1)
    waves = range(1, int(plan['"NWavelengths"']) + 1)
    expected = [f"{name}_{well}_s{site}_w{wave}.TIF" for well, site, wave in product(wells, sites, waves)]
    assert [path.name for path in images(IMAGEXPRESS, imagexpress)] == expected


def test_the_plan_is_written_as_metaxpress_writes_it(data: Path, imagexpress: Path) -> None:
    real = data / "cellpainting/imagexpress_htd/9987_Plate_3435/9987.HTD"
    ours = only(imagexpress, "TimePoint_1/*.HTD")
    for content in (real.read_bytes(), ours.read_bytes()):
        assert content.startswith(b'"HTSInfoFile", Version 1.0\r\n')
        assert content.endswith(b'\r\n"EndFile"\r\n')
        assert b"\x82\x81" in content
        assert content.count(b"\n") == content.count(b"\r\n")
    keys = [[re.sub(r"\d+", "", key) for key in plan_of(path)] for path in (ours, real)]
    assert list(dict.fromkeys(keys[0])) == list(dict.fromkeys(keys[1]))
    assert len(plan_of(ours)['"WellsSelection16"'].split(", ")) == 24


def test_the_images_of_an_imagexpress_are_metaseries(data: Path, imagexpress: Path) -> None:
    real = data / "cellpainting/imagexpress_htd/9987_Plate_3420/TimePoint_1/9987_B02.TIF"
    with tifffile.TiffFile(real) as theirs, tifffile.TiffFile(images(IMAGEXPRESS, imagexpress)[-1]) as ours:
        assert [tag.code for tag in ours.pages.first.tags] == [tag.code for tag in theirs.pages.first.tags]
        assert ours.is_metaseries
        plane = (ours.metaseries_metadata or {})["PlaneInfo"]
        assert plane.keys() <= (theirs.metaseries_metadata or {})["PlaneInfo"].keys()
        assert (plane["stage-label"], plane["pixel-size-x"]) == ("B05 : Site 2", 200)
        assert len(ours.pages[0].dataoffsets) == 13  # 200 rows, 16 a strip


# --- Yokogawa CV8000 --------------------------------------------------------------------------------------------------


@pytest.fixture
def cv8000(plays: Plays) -> Path:
    (outer,) = plays[CV8000][0].iterdir()
    assert re.fullmatch(r"CellPainting-P\d{4}_20240506_070800", outer.name)
    return outer / outer.name[: -len("_20240506_070800")]


def test_the_records_list_exactly_the_images(cv8000: Path) -> None:
    assert listed_by_mlf(cv8000) == [path.name for path in images(CV8000, cv8000)]


def test_the_records_grow_with_the_images_and_the_end_is_told_last(cv8000: Path, plays: Plays) -> None:
    steps = plays[CV8000][1]
    records = f"{cv8000.parent.name}/{cv8000.name}/MeasurementData.mlf"
    whole = ""
    for step in steps[steps.index(Open(records)) : steps.index(Close(records))]:
        if isinstance(step, Close):
            whole = step.path.rsplit("/", 1)[-1]
        elif isinstance(step, Append) and step.path == records and whole:
            told = step.content().decode()
            assert f">{whole}<" in told or told == "</bts:MeasurementData>\n"
    assert completed(steps)[-3:] == [
        records,
        f"{cv8000.parent.name}/TRACE2024-05-06.log",
        f"{cv8000.parent.name}/{cv8000.name}/MeasurementDetail.mrf",
    ]


@pytest.mark.parametrize("pattern", ["*.mlf", "*.mrf", "*.mes", "*.wpi", "*.wpp", "cross*.xml", "geo*.xml"])
def test_the_small_files_have_elements_and_attributes_of_real_ones(data: Path, cv8000: Path, pattern: str) -> None:
    real, ours = only(data / "cellpainting/yokogawa_cv8000", pattern), only(cv8000, pattern)
    assert (real.read_bytes()[:3] == b"\xef\xbb\xbf") == (ours.read_bytes()[:3] == b"\xef\xbb\xbf")
    known: dict[str, set[str]] = {}
    for element in ElementTree.parse(real).iter():
        known.setdefault(element.tag, set()).update(element.attrib)
    roots = [ElementTree.parse(path).getroot() for path in (real, ours)]
    assert roots[0].tag == roots[1].tag
    for element in roots[1].iter():
        assert element.attrib.keys() <= known[element.tag]
    if pattern in {"*.mrf", "*.mlf"}:
        assert list(roots[0].attrib) == list(roots[1].attrib)
        assert list(roots[0][0].attrib) == list(roots[1][0].attrib)


def test_the_detail_counts_what_is_there(cv8000: Path) -> None:
    detail = ElementTree.parse(cv8000 / "MeasurementDetail.mrf").getroot()
    assert (detail.get(f"{BTS}FieldCount"), detail.get(f"{BTS}ZCount"), detail.get(f"{BTS}Status")) == ("2", "1", "0")
    begin, end = (datetime.fromisoformat(detail.get(f"{BTS}{key}Time", "")) for key in ("Begin", "End"))
    assert begin == START < end
    names = {element.get(f"{BTS}ShadingCorrectionSource") for element in detail.iter(f"{BTS}MeasurementChannel")}
    assert names == {path.name for path in cv8000.glob("SC_*.tif")}
    (sample,) = detail.iter(f"{BTS}MeasurementSamplePlate")
    assert (cv8000 / sample.get(f"{BTS}WellPlateProductFileName", "")).exists()
    assert (cv8000 / detail.get(f"{BTS}MeasurementSettingFileName", "")).exists()


# --- what the instrument says of them ---------------------------------------------------------------------------------


def judged(maker: str, folder: Path, fault: str = "", *, later: timedelta = timedelta(0)) -> Verdict:
    """The verdict of the only dataset that is found, of a play that nobody has written to for some time."""
    play_all(open_simulator(maker).steps(options(scale=SCALE, fault=fault)), folder)
    place = Place("source", str(folder))
    job = Job("plates", place, (), "cellpainting")
    found = examine(open_instrument("cellpainting"), open_store(place), job, datetime.now(UTC) + later)
    (plate,) = [examined for examined in found if examined.tally.files]
    return plate.verdict


@every_maker
def test_a_flawless_plate_is_complete(maker: str, tmp_path: Path) -> None:
    verdict = judged(maker, tmp_path)
    assert (verdict.condition, verdict.missing_count, verdict.unwhole) == (Condition.COMPLETE, 0, {})
    assert verdict.remarks == ()


@every_maker
@pytest.mark.parametrize(
    ("later", "condition"), [(timedelta(0), Condition.ACQUIRING), (timedelta(days=2), Condition.INCOMPLETE)]
)
def test_a_plate_that_crashed_is_being_acquired_and_then_incomplete(
    maker: str, later: timedelta, condition: Condition, tmp_path: Path
) -> None:
    assert judged(maker, tmp_path, "crash", later=later).condition == condition


@every_maker
def test_a_plate_with_an_image_cut_short_is_not_complete(maker: str, tmp_path: Path) -> None:
    verdict = judged(maker, tmp_path, "truncate", later=timedelta(days=2))
    assert verdict.condition == Condition.INCOMPLETE
    (cut,) = verdict.unwhole
    assert cut.endswith(images(maker, tmp_path)[-1].name)


@every_maker
def test_a_plate_without_one_image_is_not_complete(maker: str, tmp_path: Path) -> None:
    verdict = judged(maker, tmp_path, "missing", later=timedelta(days=2))
    assert (verdict.condition, verdict.missing_count, verdict.unwhole) == (Condition.INCOMPLETE, 1, {})
