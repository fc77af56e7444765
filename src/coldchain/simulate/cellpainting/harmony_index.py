"""What does ``Index.idx.xml`` say of a plate?

Elements and their order are those of real files in the namespace HarmonyV5 (Harmony 4.9); with a byte order mark, which
two of three real ones have.  It is made well by well, so that the index of a full plate, 50 MB, never lies in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from coldchain.simulate.cellpainting.plate import CHANNELS, COLUMNS, ROWS, Plate, Shot, Well
from coldchain.simulate.steps import Content

NAMESPACE = "http://www.perkinelmer.com/PEHH/HarmonyV5"
USER = "simuser"
"""Real indexes name the person who was logged in."""
PITCH_MICRONS = 646.0
METRES_PER_PIXEL = "5.979760809567617E-07"


def image_name(shot: Shot) -> str:
    """``r01c01f01p01-ch1sk1fk1fl1.tiff``."""
    return f"r{shot.well.row:02d}c{shot.well.column:02d}f{shot.site:02d}p01-ch{shot.channel}sk1fk1fl1.tiff"


def index_pieces(plate: Plate, plate_id: str) -> Iterator[Content]:
    """The whole file, one piece for each well at most."""
    indexes = range(len(plate.wells))
    yield partial(_head, plate, plate_id)
    yield from (partial(_well, plate, index) for index in indexes)
    yield partial(_maps, plate)
    yield from (partial(_images, plate, index) for index in indexes)
    yield partial(_lines, "  </Images>", "</EvaluationInputData>")


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def _head(plate: Plate, plate_id: str) -> bytes:
    start = plate.start.replace(microsecond=plate.random("start").randrange(10**6))
    text = _lines(
        '<?xml version="1.0" encoding="utf-8"?>',
        '<EvaluationInputData xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'Version="1" xmlns="{NAMESPACE}">',
        f"  <User>{USER}</User>",
        "  <InstrumentType>Phenix</InstrumentType>",
        "  <Plates>",
        "    <Plate>",
        f"      <PlateID>{plate_id}</PlateID>",
        f"      <MeasurementID>{plate.guid('measurement')}</MeasurementID>",
        f"      <MeasurementStartTime>{_ticks(start)}</MeasurementStartTime>",
        f"      <Name>{plate_id}</Name>",
        "      <PlateTypeName>384 PerkinElmer CellCarrier Ultra</PlateTypeName>",
        f"      <PlateRows>{ROWS}</PlateRows>",
        f"      <PlateColumns>{COLUMNS}</PlateColumns>",
        *(f'      <Well id="{_well_id(well)}" />' for well in plate.wells),
        "    </Plate>",
        "  </Plates>",
        "  <Wells>",
    )
    return b"\xef\xbb\xbf" + text


def _ticks(time: datetime) -> str:
    """With seven digits behind the second, as .NET writes a time: ``2021-03-29T16:51:44.6444882-04:00``."""
    text = time.isoformat(timespec="microseconds")
    return f"{text[:26]}1{text[26:]}"


def _well_id(well: Well) -> str:
    return f"{well.row:02d}{well.column:02d}"


def _image_id(shot: Shot) -> str:
    return f"{_well_id(shot.well)}K1F{shot.site}P1R{shot.channel}"


def _well(plate: Plate, index: int) -> bytes:
    well = plate.wells[index]
    return _lines(
        "    <Well>",
        f"      <id>{_well_id(well)}</id>",
        f"      <Row>{well.row}</Row>",
        f"      <Col>{well.column}</Col>",
        *(f'      <Image id="{_image_id(shot)}" />' for shot in plate.shots(index)),
        "    </Well>",
    )


def _maps(plate: Plate) -> bytes:
    lines = ["  </Wells>", "  <Maps>", "    <Map>"]
    for number, channel in enumerate(CHANNELS[: plate.channels], 1):
        profile = (
            "{Background: {Character: Flat, Profile: {Type: Identity}, Quality: 1}, "
            f"Channel: {number}, ChannelName: {channel.harmony}, Version: Acapella:2013}}"
        )
        lines += [f'      <Entry ChannelID="{number}">', f"        <FlatfieldProfile>{profile}</FlatfieldProfile>"]
        lines += ["      </Entry>"]
    return _lines(*lines, "    </Map>", "  </Maps>", "  <Images>")


def _images(plate: Plate, index: int) -> bytes:
    return b"".join(_image(plate, shot) for shot in plate.shots(index))


def _image(plate: Plate, shot: Shot) -> bytes:
    inner = "".join(f"      <{tag}{_unit(unit)}>{value}</{tag}>\r\n" for tag, unit, value in _facts(plate, shot))
    return f'    <Image Version="1">\r\n{inner}    </Image>\r\n'.encode()


def _unit(unit: str | None) -> str:
    return "" if unit is None else f' Unit="{unit}"'


def _facts(plate: Plate, shot: Shot) -> Iterator[tuple[str, str | None, object]]:
    """Element, unit and value, in the order of the real index."""
    optics, well = shot.optics, shot.well
    x, y = plate.site_microns(shot.site, PITCH_MICRONS)
    named = ("id", _image_id(shot)), ("State", "Ok"), ("URL", image_name(shot)), ("Row", well.row), ("Col", well.column)
    numbered = ("FieldID", shot.site), ("PlaneID", 1), ("TimepointID", 0), ("ChannelID", shot.channel), ("FlimID", 1)
    optical = (
        ("ChannelName", optics.harmony),
        ("ImageType", "Signal"),
        ("AcquisitionType", "NonConfocal"),
        ("IlluminationType", "Transmitted" if optics.bright else "Epifluorescence"),
        ("ChannelType", "Brightfield" if optics.bright else "Fluorescence"),
    )
    for tag, value in (*named, *numbered, *optical):
        yield tag, None, value
    for axis in "XY":
        yield f"ImageResolution{axis}", "m", METRES_PER_PIXEL
    camera = ("ImageSizeX", plate.side), ("ImageSizeY", plate.side), ("BinningX", 2), ("BinningY", 2)
    for tag, value in (*camera, ("MaxIntensity", 65535), ("CameraType", "AndorZylaCam")):
        yield tag, None, value
    yield "PositionX", "m", f"{x * 1e-6:.9g}"
    yield "PositionY", "m", f"{y * 1e-6:.9g}"
    yield "PositionZ", "m", "-5E-06"
    yield "AbsPositionZ", "m", f"{0.1346 + plate.random('z', shot.number).randrange(10**5) * 1e-9:.9f}"
    yield "MeasurementTimeOffset", "s", 0
    yield "AbsTime", None, shot.taken.isoformat(timespec="milliseconds")
    yield "MainExcitationWavelength", "nm", optics.excitation_nm
    yield "MainEmissionWavelength", "nm", optics.emission_nm
    yield "ObjectiveMagnification", "", 20
    yield "ObjectiveNA", "", 1
    yield "ExposureTime", "s", 0.01
    yield "OrientationMatrix", None, "[[0.979062,0,0,-8.8],[0,-0.979062,0,39.9],[0,0,1.00,5.671]]"
