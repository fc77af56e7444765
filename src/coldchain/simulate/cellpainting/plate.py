"""What are the numbers of one simulated plate, whoever made the microscope?

A 384-well plate is imaged well by well, field by field and channel by channel.  How many images there are, and how
large they are, follows from the scale:

* below 1 both grow with its square root, and bytes with the scale: 0.05 is 40 images and 3 MB;
* 1 is 10 wells x 4 sites x 5 channels, 64 MB;
* from 1 on images grow with the scale and bytes with its square root only, until at 144 the plate is full:
  384 wells x 9 sites x 8 channels = 27,648 images (as the plates of JUMP), small ones, 768 MB;
* beyond, the images grow, bytes with the scale, up to the pixels of the real camera (Phenix: 50 GB, at about 10,000).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import ceil, sqrt
from random import Random
from typing import NamedTuple
from uuid import UUID

from coldchain.simulate.base import Options
from coldchain.simulate.pixels import PIXEL_BYTES, Camera
from coldchain.simulate.steps import Content, Step, write_file

ROWS, COLUMNS = 16, 24
EDGE = 1
"""Wells at the edge dry out: while there are others, they are left empty."""
IMAGES_AT_1, BYTES_AT_1, FULL_AT = 192, 64_000_000, 144
SMALLEST_SIDE = 32
PIECE_BYTES = 1 << 17
"""An image grows by about so much at a time."""
BEFORE_FIRST_IMAGE, PER_IMAGE, AFTER_LAST_IMAGE = timedelta(seconds=224), timedelta(milliseconds=260), timedelta(0, 2)
"""Loading and focusing (source: the Broad's plate BR00121482), a move and an exposure, and coming to rest."""

CELLS = Camera(offset=112, noise=40.0, bright_share=0.22, brightest=15)
"""Cells with gaps between them: compresses 1.45x (measured on real ImageXpress images: 1.46x)."""


class Channel(NamedTuple):
    """One channel, under the names that the makers' programs give it (source: real plates; the last two assumed)."""

    harmony: str
    metaxpress: str
    excitation_nm: int
    emission_nm: int
    """0 for transmitted light."""
    filter: str
    """The emission filter of the CV8000."""

    @property
    def bright(self) -> bool:
        """Whether light is transmitted; otherwise the channel is of fluorescence."""
        return self.emission_nm == 0


CHANNELS = (
    Channel("Alexa 647", "Cy5", 640, 706, "BP676/29"),
    Channel("Alexa 568", "Texas Red", 561, 599, "BP600/37"),
    Channel("488 long", "Cy3", 488, 599, "BP600/37"),
    Channel("Alexa 488", "FITC", 488, 522, "BP525/50"),
    Channel("HOECHST 33342", "DAPI", 405, 456, "BP445/45"),
    Channel("Brightfield", "TL", 740, 0, "BP525/50"),
    Channel("Brightfield High", "TL High", 740, 0, "BP525/50"),
    Channel("Brightfield Low", "TL Low", 740, 0, "BP525/50"),
)


class Well(NamedTuple):
    """A well; both numbers count from 1."""

    row: int
    column: int

    @property
    def name(self) -> str:
        """As people call it: ``B02``."""
        return f"{chr(ord('A') + self.row - 1)}{self.column:02d}"


class Shot(NamedTuple):
    """One image."""

    number: int
    """From 0 on, in the order of imaging."""
    well: Well
    site: int
    """From 1 on, as is ``channel``."""
    channel: int
    taken: datetime

    @property
    def optics(self) -> Channel:
        """What the channel is."""
        return CHANNELS[self.channel - 1]


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """One plate; equal only to itself, so that it can be a cheap key."""

    seed: int
    start: datetime
    wells: tuple[Well, ...]
    site_columns: int
    site_rows: int
    channels: int
    side: int
    """Pixels along each edge of the square images."""

    @property
    def sites(self) -> int:
        """Fields of view in each well."""
        return self.site_columns * self.site_rows

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(self.wells) * self.sites * self.channels

    @property
    def end(self) -> datetime:
        """When everything is done."""
        return self.taken(self.images - 1) + AFTER_LAST_IMAGE

    def taken(self, number: int) -> datetime:
        """When the image of this number is taken."""
        return self.start + BEFORE_FIRST_IMAGE + PER_IMAGE * number

    def shots(self, index: int) -> Iterator[Shot]:
        """The images of one well, the first well being 0, in their order."""
        number = index * self.sites * self.channels
        for site in range(1, self.sites + 1):
            for channel in range(1, self.channels + 1):
                yield Shot(number, self.wells[index], site, channel, self.taken(number))
                number += 1

    def all_shots(self) -> Iterator[Shot]:
        """Every image, in the order of imaging."""
        for index in range(len(self.wells)):
            yield from self.shots(index)

    def site_microns(self, site: int, pitch_microns: float) -> tuple[float, float]:
        """Where a site lies, right of and above the middle of its well; row by row from the upper left."""
        row, column = divmod(site - 1, self.site_columns)
        x, y = column - (self.site_columns - 1) / 2, (self.site_rows - 1) / 2 - row
        return x * pitch_microns + 0.0, y * pitch_microns + 0.0  # never -0.0

    def random(self, *what: object) -> Random:
        """A generator for one piece of content: the same for the same seed and piece, whatever was made before."""
        return Random("/".join(map(str, (self.seed, *what))))

    def guid(self, *what: object) -> UUID:
        """An identity for one thing."""
        return UUID(int=self.random("guid", *what).getrandbits(128), version=4)


def plan_plate(options: Options, largest_side: int, squeeze: float = 1.0) -> Plate:
    """Work out the plate.

    Args:
        options: The scale, see the module.
        largest_side: Pixels along each edge of the real camera.
        squeeze: How much smaller the images are as files, being compressed.
    """
    scale = options.scale
    images = IMAGES_AT_1 * (sqrt(scale) if scale < 1 else min(scale, FULL_AT))
    size_bytes = BYTES_AT_1 * (scale if scale < 1 else sqrt(min(scale, FULL_AT)) * max(1.0, scale / FULL_AT))
    columns, rows, channels = _fields(images)
    wells = min(ROWS * COLUMNS, max(1, round(images / (columns * rows * channels))))
    pixels = size_bytes * squeeze / (wells * columns * rows * channels * PIXEL_BYTES)
    return Plate(
        seed=options.seed,
        start=options.start,
        wells=_wells(wells),
        site_columns=columns,
        site_rows=rows,
        channels=channels,
        side=min(largest_side, max(SMALLEST_SIDE, round(sqrt(pixels) / 4) * 4)),
    )


def _fields(images: float) -> tuple[int, int, int]:
    """Columns and rows of sites, and channels, that fit so many images."""
    if images < 20:
        return 2, 1, 2
    if images < 100:
        return 2, 1, 5
    return (2, 2, 5) if images < 1000 else (3, 3, len(CHANNELS))


def _wells(count: int) -> tuple[Well, ...]:
    """The first wells, row by row; those at the edge only when there are not enough others."""
    inner = [Well(row, column) for row in range(1 + EDGE, ROWS + 1 - EDGE) for column in range(1 + EDGE, COLUMNS)]
    every = [Well(row, column) for row in range(1, ROWS + 1) for column in range(1, COLUMNS + 1)]
    return tuple((inner if count <= len(inner) else every)[:count])


def write_image(path: str, make: Callable[[Plate, Shot], bytes], plate: Plate, shot: Shot) -> Iterator[Step]:
    """Open the file of an image, append it in even pieces, close it.

    A piece is never smaller than the directory of a TIFF: one that is cut in the middle of its last piece lacks pixels,
    or the places of its strips.
    """
    count = ceil(plate.side * plate.side * PIXEL_BYTES / PIECE_BYTES)
    pieces: list[Content] = [partial(_piece, make, plate, shot, (at, count)) for at in range(count)]
    yield from write_file(path, *pieces, data=True)


def _piece(make: Callable[[Plate, Shot], bytes], plate: Plate, shot: Shot, which: tuple[int, int]) -> bytes:
    content = make(plate, shot)
    at, count = which
    return content[at * len(content) // count : (at + 1) * len(content) // count]
