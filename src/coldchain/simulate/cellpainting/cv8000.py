"""In which order does a Yokogawa CV8000 write a plate?

The folder is ``<plate>_<start>/<plate>/``: first the settings and the images that correct others, then image after
image, each with a record in ``MeasurementData.mlf``, which is held open meanwhile, as is ``TRACE<date>.log`` beside the
folder; at the end ``MeasurementDetail.mrf`` with its EndTime.  Names, attributes and their order are those of the run
CV8000-Minimal-DataSet-2C-3W-4S-FP2-stack of the tests of fmi-faim/faim-ipa (CV8000 R2.06.03).

Assumed: that settings and corrections come first, that each record is written when its image is closed, that the .mrf
is written once, at the end; the name of the log (its date is blotted out in the real one); TIFFs without compression
(the real ones were written anew, without their pixels and tags); the product of a plate of 384 wells.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial

from coldchain.simulate.base import Options
from coldchain.simulate.cellpainting import cv8000_texts as texts
from coldchain.simulate.cellpainting import tiff
from coldchain.simulate.cellpainting.plate import CELLS, Plate, Shot, plan_plate, write_image
from coldchain.simulate.pixels import Camera, draw_pixels
from coldchain.simulate.steps import Append, Close, MakeFolder, Open, Step, write_file

LARGEST_SIDE = 2000
SHADE = Camera(offset=112, noise=28.0, bright_share=0.9, brightest=3)
SOFTWARE = f"{texts.SYSTEM} {texts.RELEASE}"


def acquire(options: Options) -> Iterator[Step]:
    """Yield the steps of one plate."""
    plate = plan_plate(options, LARGEST_SIDE)
    name = f"CellPainting-P{plate.random('plate').randrange(1000, 10000)}"
    outer = f"{name}_{plate.start:%Y%m%d_%H%M%S}"
    folder, log = f"{outer}/{name}", f"{outer}/TRACE{plate.start:%Y-%m-%d}.log"
    records = f"{folder}/MeasurementData.mlf"
    yield MakeFolder(folder)
    yield Open(log)
    yield from _prepare(plate, folder, name)
    yield Open(records)
    yield Append(records, texts.records_head)
    for shot in plate.all_shots():
        yield Append(log, partial(texts.traced, name, shot))
        yield from write_image(f"{folder}/{texts.image_name(name, shot)}", _image, plate, shot)
        yield Append(records, partial(texts.record, plate, name, shot))
    yield Append(records, texts.records_tail)
    yield Close(records)
    yield Close(log)
    yield from write_file(f"{folder}/MeasurementDetail.mrf", partial(texts.detail, plate, name))


def _prepare(plate: Plate, folder: str, name: str) -> Iterator[Step]:
    """The settings, and the images that correct others."""
    yield from write_file(f"{folder}/{texts.SETTINGS}", partial(texts.settings, plate))
    yield from write_file(f"{folder}/{name}.wpi", partial(texts.well_plate, name))
    yield from write_file(f"{folder}/{texts.PRODUCT}", texts.product)
    yield from write_file(f"{folder}/crosstalk_parameter.xml", texts.crosstalk)
    yield from write_file(f"{folder}/geometry_parameter.xml", texts.geometry)
    for correction in (*texts.CAMERAS, *texts.shadings(plate)):
        yield from write_file(f"{folder}/{correction}", partial(_correction, plate, correction))


@lru_cache(maxsize=1)  # it is laid out whole, and appended in pieces
def _image(plate: Plate, shot: Shot) -> bytes:
    pixels = draw_pixels(plate.random("image", shot.number), plate.side * plate.side, CELLS)
    return tiff.directory_first([pixels], _tags(plate, f"{shot.taken:%Y:%m:%d %H:%M:%S}"))


def _correction(plate: Plate, name: str) -> bytes:
    pixels = draw_pixels(plate.random(name), plate.side * plate.side, SHADE)
    return tiff.directory_first([pixels], _tags(plate, f"{plate.start:%Y:%m:%d %H:%M:%S}"))


def _tags(plate: Plate, time: str) -> list[tiff.Tag]:
    return [*tiff.grey(plate.side, tiff.UNCOMPRESSED, plate.side), tiff.text(305, SOFTWARE), tiff.text(306, time)]
