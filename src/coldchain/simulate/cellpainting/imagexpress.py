"""In which order does an ImageXpress write a plate?

The folder is ``<plate>_Plate_<id>/TimePoint_1/``, as MetaXpress 6.7 writes it; ``<plate>.HTD``, the plan, lies in both
levels and is the same.  Keys of the plan, tags, and the XML in the images are those of the three plates 9987 of the
tests of fmi-faim/faim-ipa; there too lines end with CR LF, and a description holds the bytes 0x82 0x81.

Assumed: that the plan is written first, in both levels at once (no public source says when); its number for the type of
plate.  The tree of the database (GUIDs in the names, thumbnails) is not played.  There is no marker: a plate is whole
when all that was planned is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache, partial

from coldchain.simulate.base import Options
from coldchain.simulate.cellpainting import tiff
from coldchain.simulate.cellpainting.plate import CELLS, CHANNELS, COLUMNS, ROWS, Plate, Shot, plan_plate, write_image
from coldchain.simulate.pixels import PIXEL_BYTES, draw_pixels
from coldchain.simulate.steps import MakeFolder, Step, write_file

LARGEST_SIDE = 2048
ROWS_PER_STRIP = 16
SITE_PITCH_MICRONS, WELL_PITCH_MICRONS = 700.0, 4500
LINE_BREAK = "\x82\x81"
"""Stands in a plan where the description has a line break; as bytes it is not UTF-8."""
PLATE_TYPE = 2
SOFTWARE, VERSION, SERIAL = "MetaSeries", "6.7.0.211", "5165008"
WRITTEN_AFTER = timedelta(milliseconds=182)


def acquire(options: Options) -> Iterator[Step]:
    """Yield the steps of one plate."""
    plate = plan_plate(options, LARGEST_SIDE)
    name = f"CP{plate.start:%Y}_{plate.random('plate').randrange(100, 1000)}"
    folder = f"{name}_Plate_{plate.random('id').randrange(1000, 10000)}"
    images = f"{folder}/TimePoint_1"
    yield MakeFolder(images)
    for level in (folder, images):
        yield from write_file(f"{level}/{name}.HTD", partial(_plan, plate))
    for shot in plate.all_shots():
        path = f"{images}/{name}_{shot.well.name}_s{shot.site}_w{shot.channel}.TIF"
        yield from write_image(path, _image, plate, shot)


def _plan(plate: Plate) -> bytes:
    """The ``.HTD``: what is going to be imaged."""
    channels = CHANNELS[: plate.channels]
    description = LINE_BREAK.join([f"Cell Painting {plate.channels}c", *(f"{c.metaxpress}: 1z" for c in channels)])
    wells = set(plate.wells)
    numbers = ("PlateType", PLATE_TYPE), ("TimePoints", 1), ("ZSeries", False), ("ZSteps", 0), ("ZProjection", False)
    lines = ['"HTSInfoFile", Version 1.0', _line("Description", description)]
    lines += [_line(key, value) for key, value in (*numbers, ("XWells", COLUMNS), ("YWells", ROWS))]
    for row in range(1, ROWS + 1):
        lines += [_line(f"WellsSelection{row}", *((row, column) in wells for column in range(1, COLUMNS + 1)))]
    lines += [_line("Sites", plate.sites > 1), _line("XSites", plate.site_columns), _line("YSites", plate.site_rows)]
    lines += [_line(f"SiteSelection{row}", *[True] * plate.site_columns) for row in range(1, plate.site_rows + 1)]
    lines += [_line("Waves", plate.channels > 1), _line("NWavelengths", plate.channels)]
    lines += [_line(f"WaveName{number}", channel.metaxpress) for number, channel in enumerate(channels, 1)]
    lines += [_line(f"WaveCollect{number}", 1) for number in range(1, plate.channels + 1)]
    lines += [_line("UniquePlateIdentifier", str(plate.guid("plate"))), '"EndFile"', ""]
    return "\r\n".join(lines).encode("latin-1")


def _line(key: str, *values: str | int) -> str:
    return ", ".join((f'"{key}"', *map(_value, values)))


def _value(value: str | int) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).upper()


@lru_cache(maxsize=1)  # it is laid out whole, and appended in pieces
def _image(plate: Plate, shot: Shot) -> bytes:
    pixels = draw_pixels(plate.random("image", shot.number), plate.side * plate.side, CELLS)
    strip_bytes = ROWS_PER_STRIP * plate.side * PIXEL_BYTES
    strips = [pixels[at : at + strip_bytes] for at in range(0, len(pixels), strip_bytes)]
    tags = [
        *tiff.grey(plate.side, tiff.UNCOMPRESSED, rows=ROWS_PER_STRIP),
        tiff.Tag(254, tiff.LONG, (2,)),
        tiff.text(270, _metadata(plate, shot)),
        tiff.short(274, 1),
        tiff.text(305, SOFTWARE),
        tiff.text(306, f"{shot.taken:%Y%m%d %H:%M:%S}.{shot.taken.microsecond // 1000:03d}"),
    ]
    return tiff.pixels_first(strips, tags)


def _metadata(plate: Plate, shot: Shot) -> str:
    """What ``ImageDescription`` holds; times are local, as everywhere in MetaXpress."""
    comment = f"Exposure: 100 ms&#13;&#10;Binning: 1 x 1&#13;&#10;Software Version: MetaXpress {VERSION}&#13;&#10;"
    lines = [_prop("Description", "string", comment), _prop("MetaDataVersion", "float", 1)]
    lines += [_prop("ApplicationName", "string", "MetaMorph"), _prop("ApplicationVersion", "string", VERSION)]
    lines += ["<PlaneInfo>", *_plane(plate, shot), "</PlaneInfo>", "<SetInfo>"]
    return "\n".join(["<MetaData>", *lines, _prop("number-of-planes", "int", 1), "</SetInfo>", "</MetaData>", ""])


def _plane(plate: Plate, shot: Shot) -> Iterator[str]:
    right, up = plate.site_microns(shot.site, SITE_PITCH_MICRONS)
    x, y = WELL_PITCH_MICRONS * shot.well.column + right, WELL_PITCH_MICRONS * shot.well.row - up
    row, column = divmod(shot.site - 1, plate.site_columns)
    wave = shot.optics.metaxpress
    yield _prop("plane-type", "string", "plane")
    yield _prop("pixel-size-x", "int", plate.side)
    yield _prop("pixel-size-y", "int", plate.side)
    yield _prop("bits-per-pixel", "int", 16)
    yield _prop("spatial-calibration-state", "bool", "on")
    yield _prop("spatial-calibration-x", "float", 0.3418)
    yield _prop("spatial-calibration-y", "float", 0.3418)
    yield _prop("spatial-calibration-units", "string", "um")
    yield _prop("image-name", "string", f"Copy of {wave}")
    yield _prop("plane-guid", "guid", f"{{{plate.guid('plane', shot.number)}}}".upper())
    for key, time in (("acquisition", shot.taken), ("modification", shot.taken + WRITTEN_AFTER)):
        yield _prop(f"{key}-time-local", "time", f"{time:%Y%m%d %H:%M:%S}.{time.microsecond // 1000:03d}")
    yield _prop("stage-position-x", "float", f"{x:g}")
    yield _prop("stage-position-y", "float", f"{y:g}")
    yield _prop("stage-label", "string", f"{shot.well.name} : Site {shot.site}")
    yield _prop("wavelength", "float", shot.optics.emission_nm)
    yield _prop("_IllumSetting_", "string", wave)
    yield _prop("_MagSetting_", "string", "20X Plan Apo Lambda")
    yield _prop("Instrument Serial Number", "string", SERIAL, kind="custom-prop")
    yield _prop("SiteX", "float", column + 1, kind="custom-prop")
    yield _prop("SiteY", "float", row + 1, kind="custom-prop")


def _prop(name: str, of: str, value: object, kind: str = "prop") -> str:
    return f'<{kind} id="{name}" type="{of}" value="{value}"/>'
