"""Are simulated images as large, as valid and as compressible as real ones?"""

from __future__ import annotations

import struct
import zlib
from random import Random

import pytest

from coldchain.simulate.pixels import MOSAIC, RAW, Camera, draw_pixels, tiff_header


@pytest.mark.parametrize(("camera", "least", "most"), [(RAW, 1.7, 2.3), (MOSAIC, 1.1, 1.5)])
def test_images_are_as_compressible_as_real_ones(camera: Camera, least: float, most: float) -> None:
    content = draw_pixels(Random("a"), 1 << 19, camera)
    assert least < len(content) / len(zlib.compress(content)) < most


def test_pixels_follow_from_the_generator() -> None:
    assert draw_pixels(Random("a"), 99, RAW) == draw_pixels(Random("a"), 99, RAW)
    assert draw_pixels(Random("a"), 99, RAW) != draw_pixels(Random("b"), 99, RAW)
    assert len(draw_pixels(Random("a"), 99_999, RAW)) == 2 * 99_999


def test_byte_order_swaps_the_bytes_of_each_pixel() -> None:
    little, big = (draw_pixels(Random("a"), 99, RAW, order) for order in ("little", "big"))
    assert little[0::2] == big[1::2]
    assert little[1::2] == big[0::2]


def test_an_image_beyond_4_gigabytes_is_a_bigtiff() -> None:
    header = tiff_header(60_000, 40_000)
    magic, offset_bytes, directory = struct.unpack_from("<2xHH2xQ", header)
    assert (magic, offset_bytes, directory) == (43, 8, 16)
    (count,) = struct.unpack_from("<Q", header, directory)
    entries = [struct.unpack_from("<HHQQ", header, directory + 8 + 20 * k) for k in range(count)]
    tags = {tag: value for tag, _, _, value in entries}
    assert tags[279] == 60_000 * 40_000 * 2
    assert tags[273] == len(header)
