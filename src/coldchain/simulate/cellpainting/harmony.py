"""In which order does an Opera Phenix write a plate?

The folder is an export of Harmony, ``<plate>__<start>-Measurement 1``, with a space: ``Assaylayout/``, then image after
image in ``Images/``, and at the very end ``Images/Index.idx.xml``, which lists them all.  Names, tags, keys and their
order are those of the plates BR00121482 and BR00122249 of the Broad Institute (HarmonyV5).

Assumed: that the index comes last (it is made by the export; no public source says when), that the layout comes first.
Unlike the real files: Deflate within the TIFFs in the place of LZW, which the standard library cannot write (both leave
nothing to compress: real images 1.06x); a description of 1 kB and not of 83 kB in each; no maps for cropping.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache, partial
from zlib import compress

from coldchain.simulate.base import Options
from coldchain.simulate.cellpainting import tiff
from coldchain.simulate.cellpainting.harmony_index import NAMESPACE, USER, image_name, index_pieces
from coldchain.simulate.cellpainting.plate import Plate, Shot, plan_plate, write_image
from coldchain.simulate.pixels import Camera, draw_pixels
from coldchain.simulate.steps import MakeFolder, Step, write_file

LARGEST_SIDE = 1080
DENSE = Camera(offset=112, noise=40.0, bright_share=0.5, brightest=15)
SQUEEZE = 1.28
"""How much smaller Deflate makes ``DENSE``; LZW makes real images 1.27 times smaller (1.83 MB of 2.33)."""
SERIAL = "1400L15075"
PLATE_TYPE = "384 PerkinElmer CellCarrier Ultra"
SOFTWARE = (
    f"Windows Ver: 6.1.7601(Service Pack 1), Device Serial No: {SERIAL}, App Ver: NGen 4.9.2137.273, "
    "App SVN Revision: 147881, Setup SVN Revision: 147881. "
)
ARRAYS = (
    '<?xml version="1.0" encoding="UTF-8" ?><Root><Arrays><Array FrameIndex="0" CompressionType="Deflate" '
    'CompressionRate="1" Type="Image" Width="{side}" Height="{side}" BitsPerPixel="16" Factor="1" /></Arrays></Root>'
)
DESCRIPTION = (
    '<?xml version="1.0" encoding="utf-8"?>\r\n'
    '<TiffImageDescription Version="1" xmlns="{namespace}"><MeasurementID>{guid}</MeasurementID>'
    "<InstrumentDescription><Type>Phenix</Type><Serial>{serial}</Serial></InstrumentDescription>"
    '<Image Version="1"><Row>{shot.well.row}</Row><Col>{shot.well.column}</Col><FieldID>{shot.site}</FieldID>'
    "<PlaneID>1</PlaneID><SlowKineticID>1</SlowKineticID><ChannelID>{shot.channel}</ChannelID><FlimID>1</FlimID>"
    "<AbsTime>{time}</AbsTime></Image><Information><State>ImageRegular</State><Message></Message></Information>"
    "</TiffImageDescription>\r\n"
)


def acquire(options: Options) -> Iterator[Step]:
    """Yield the steps of one plate."""
    plate = plan_plate(options, LARGEST_SIDE, SQUEEZE)
    plate_id = f"BR{plate.random('plate').randrange(100_000, 200_000):08d}"
    folder = f"{plate_id}__{plate.start:%Y-%m-%dT%H_%M_%S}-Measurement 1"
    yield MakeFolder(f"{folder}/Assaylayout")
    yield MakeFolder(f"{folder}/Images")
    yield from write_file(f"{folder}/Assaylayout/{plate_id}.xml", partial(_layout, plate))
    for shot in plate.all_shots():
        yield from write_image(f"{folder}/Images/{image_name(shot)}", _image, plate, shot)
    yield from write_file(f"{folder}/Images/Index.idx.xml", *index_pieces(plate, plate_id))


def _layout(plate: Plate) -> bytes:
    """``Assaylayout/<name>.xml``: what is in the wells."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>']
    lines += [f'<AssayLayout xmlns="{NAMESPACE}">', "  <PlateCols>24</PlateCols>", "  <PlateRows>16</PlateRows>"]
    lines += ["  <Layer>", "    <Name>Compound</Name>", "    <ValueType>string</ValueType>"]
    for well in plate.wells:
        compound = "DMSO" if plate.random("compound", well).random() < 0.2 else f"SIM-{well.name}"
        lines += ["    <Well>", f"      <Row>{well.row}</Row>", f"      <Col>{well.column}</Col>"]
        lines += [f"      <Value>{compound}</Value>", "      <Color>4294967295</Color>", "    </Well>"]
    return "\r\n".join([*lines, "  </Layer>", "</AssayLayout>", ""]).encode("utf-8-sig")


@lru_cache(maxsize=1)  # it is compressed whole, and appended in pieces
def _image(plate: Plate, shot: Shot) -> bytes:
    pixels = draw_pixels(plate.random("image", shot.number), plate.side * plate.side, DENSE)
    strip = compress(pixels, 1)
    return tiff.pixels_first([strip], _tags(plate, shot))


def _tags(plate: Plate, shot: Shot) -> list[tiff.Tag]:
    time = _zulu(shot.taken)
    guid = plate.guid("measurement")
    about = DESCRIPTION.format(namespace=NAMESPACE, guid=guid, serial=SERIAL, shot=shot, time=time)
    resolution = tiff.RATIONAL, (0xFFFF_FFFF, 2_770_410)  # pixels a centimetre, as a fraction
    return [
        *tiff.grey(plate.side, tiff.DEFLATE, rows=plate.side),
        tiff.Tag(254, tiff.LONG, (0,)),
        tiff.text(269, f"{PLATE_TYPE} ({USER})"),
        tiff.text(271, "PerkinElmer"),
        tiff.text(272, SERIAL),
        tiff.Tag(282, *resolution),
        tiff.Tag(283, *resolution),
        tiff.short(296, 3),
        tiff.text(305, SOFTWARE),
        tiff.text(306, time),
        tiff.text(315, USER),
        tiff.short(339, 1),
        tiff.short(340, 0),
        tiff.short(341, 0xFFFF),
        tiff.text(65200, ARRAYS.format(side=plate.side)),
        tiff.Tag(65500, tiff.BYTE, about.encode()),
    ]


def _zulu(time: datetime) -> str:
    """As the real images have it, which is not the form that TIFF asks for."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
