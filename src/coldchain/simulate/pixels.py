"""What do the bytes of a 16-bit camera image look like?

Shot noise fills the low byte of a pixel and signal the high byte, so that compressors gain what they gain on real
images, and no more.  Everything is made anew for each image (no tile is repeated, a compressor or a deduplicating
store finds nothing in common), at some 400 MB/s on one core, with the standard library alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random
from statistics import NormalDist
from struct import pack

PIXEL_BYTES = 2


@dataclass(frozen=True, slots=True)
class Camera:
    """How bright pixels are: the distributions of their low and of their high byte."""

    offset: int
    """The mean of the low byte: what the camera adds to every pixel, and the background."""
    noise: float
    """The standard deviation of the low byte; 0 for evenly spread (all 8 bits are noise)."""
    bright_share: float
    """The share of pixels with a high byte other than 0."""
    brightest: int
    """The largest high byte."""


RAW = Camera(offset=112, noise=28.0, bright_share=0.02, brightest=15)
"""Dark background with few spots: compresses 1.9x (measured on simulated spots and noise: 2.2x)."""
MOSAIC = Camera(offset=0, noise=0.0, bright_share=0.9, brightest=6)
"""Stitched tissue without dark corners: compresses 1.3x (measured on real MERSCOPE mosaics: 1.1x to 1.5x)."""


def draw_pixels(random: Random, pixels: int, camera: Camera, byte_order: str = "little") -> bytes:
    """Draw so many pixels; the same state of ``random`` gives the same bytes."""
    low, high = _tables(camera)
    content = bytearray(pixels * PIXEL_BYTES)
    low_at = 0 if byte_order == "little" else 1
    content[low_at::2] = random.randbytes(pixels).translate(low)
    content[1 - low_at :: 2] = _stretch(random.randbytes(min(pixels, 1 << 15)).translate(high), pixels)
    return bytes(content)


def tiff_header(width: int, height: int, description: str = "") -> bytes:
    """Begin a TIFF of one 16-bit grey image; ``width * height`` little-endian pixels follow.

    One strip, no compression; a BigTIFF where the offsets of a classic one would not reach (4 GiB), as with the real
    mosaics of 10 to 18 GB.  Source: TIFF 6.0, sections 2 to 4; the BigTIFF design of libtiff.
    """
    size_bytes = width * height * PIXEL_BYTES
    big = size_bytes > 0xFFFF_0000
    text = description.encode("ascii") + b"\0"
    text += bytes(-len(text) % 16 + 16)  # never so short that it would have to lie inside its tag
    short, long = 3, 16 if big else 4
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, short, 1, 16), (259, short, 1, 1), (262, short, 1, 1)]
    tags += [(270, 2, len(text), 0), (273, long, 1, 0), (277, short, 1, 1), (278, 4, 1, height)]
    tags += [(279, long, 1, size_bytes), (339, short, 1, 1)]
    start = b"II" + (pack("<HHHQ", 43, 8, 0, 16) if big else pack("<HI", 42, 8))
    count, entry, end = ("<Q", "<HHQQ", bytes(8)) if big else ("<H", "<HHII", bytes(4))
    text_at = len(start) + len(pack(count, 0)) + len(tags) * len(pack(entry, 0, 0, 0, 0)) + len(end)
    places = {270: text_at, 273: text_at + len(text)}
    entries = b"".join(pack(entry, tag, kind, n, places.get(tag, value)) for tag, kind, n, value in tags)
    return start + pack(count, len(tags)) + entries + end + text


@lru_cache
def _tables(camera: Camera) -> tuple[bytes, bytes]:
    """Translate an evenly spread byte into a low byte, and into a high byte, of this camera."""
    ranks = [(rank + 0.5) / 256 for rank in range(256)]
    spread = NormalDist(camera.offset, camera.noise or 1.0)
    low = bytes(min(255, max(0, round(spread.inv_cdf(rank)))) for rank in ranks) if camera.noise else bytes(range(256))
    first_bright = round(256 * (1 - camera.bright_share))
    high = bytes(0 if i < first_bright else 1 + i % camera.brightest for i in range(256))
    return low, high


def _stretch(pattern: bytes, size_bytes: int) -> bytes:
    return (pattern * (size_bytes // len(pattern) + 1))[:size_bytes]
