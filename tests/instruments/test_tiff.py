"""Is a TIFF that is cut short noticed, whatever wrote it, and does garbage do no harm?"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
import pytest
import tifffile

from coldchain.instruments.tiff import MOST_BYTES, Flaw, flaw_of


class Reading:
    def __init__(self, content: bytes) -> None:
        self.content = content
        self.pieces: list[tuple[int, int]] = []

    def __call__(self, offset: int, length: int) -> bytes:
        self.pieces.append((offset, length))
        return self.content[offset : offset + length]


def flaw(content: bytes) -> Flaw | None:
    return flaw_of(Reading(content), len(content))


def classic(order: str = "<", pages: int = 1, pixels: int = 1000) -> bytes:
    """Header, then for each page its pixels and its directory, which comes last."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    content = bytearray(magic + struct.pack(f"{order}I", 8 + pixels))
    for page in range(pages):
        start = len(content)
        content += bytes(pixels)
        tags = [(256, 3, 1, 10), (273, 4, 1, start), (279, 4, 1, pixels)]
        content += struct.pack(f"{order}H", len(tags))
        for tag, kind, count, value in tags:
            packed = struct.pack(f"{order}H2x" if kind == 3 else f"{order}I", value)
            content += struct.pack(f"{order}HHI", tag, kind, count) + packed
        following = len(content) + 4 + pixels if page < pages - 1 else 0
        content += struct.pack(f"{order}I", following)
    return bytes(content)


def written(**options: Any) -> bytes:
    file = BytesIO()
    frames = bytes(range(256)) * 256
    with tifffile.TiffWriter(
        file, bigtiff=bool(options.pop("bigtiff", False)), byteorder=options.pop("order", "<")
    ) as out:
        for _ in range(int(str(options.pop("pages", 1)))):
            out.write(
                iter([frames]) if "tile" not in options else iter(numpy.zeros((4, 128, 128), "uint8")),
                shape=(256, 256),
                dtype="uint8",
                **options,
            )
    return file.getvalue()


KINDS: dict[str, Callable[[], bytes]] = {
    "the directory last": classic,
    "big-endian": lambda: classic(">"),
    "many pages": lambda: classic(pages=7),
    "tifffile": written,
    "tifffile, big-endian": lambda: written(order=">"),
    "BigTIFF": lambda: written(bigtiff=True),
    "BigTIFF, big-endian": lambda: written(bigtiff=True, order=">"),
    "pages of tifffile": lambda: written(pages=3),
    "strips": lambda: written(rowsperstrip=4),
    "tiles": lambda: written(tile=(128, 128)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_tiff_is_whole(kind: str) -> None:
    assert flaw(KINDS[kind]()) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiff_without_its_last_byte_is_cut_short(kind: str) -> None:
    content = KINDS[kind]()
    found = flaw(content[:-1])
    assert found is not None
    assert found.cut
    assert found.reason.startswith("the TIFF is cut short: ")


@pytest.mark.parametrize("kind", KINDS)
def test_wherever_a_tiff_is_cut_it_is_noticed(kind: str) -> None:
    content = KINDS[kind]()
    chance = random.Random(kind)
    for length in [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, *(chance.randrange(len(content)) for _ in range(100))]:
        found = flaw(content[:length])
        assert found is not None, length
        assert found.cut, (length, found)


def test_how_much_is_missing_is_said_where_it_can_be_known() -> None:
    content = written()
    assert flaw(content[:-100]) == Flaw(
        f"the TIFF is cut short: {len(content) - 100:,} of {len(content):,} bytes", cut=True
    )
    found = flaw(classic(pixels=5000)[:100])
    assert found == Flaw("the TIFF is cut short: 100 of at least 5,010 bytes", cut=True)


def test_a_file_of_zeros_or_without_content_is_not_whole() -> None:
    assert flaw(b"") == Flaw("the TIFF is empty", cut=True)
    assert flaw(bytes(100_000)) == Flaw("the TIFF begins with zeros", cut=True)
    assert flaw(b"II*\0" + bytes(1000)) == Flaw("the TIFF has no directory yet", cut=True)


def test_a_directory_that_was_not_written_yet_is_not_whole() -> None:
    content = classic()
    found = flaw(content[:1008] + bytes(len(content) - 1008))
    assert found == Flaw("the TIFF has nothing in its directory at byte 1,008", cut=True)


def test_what_is_no_tiff_is_not_called_cut() -> None:
    assert flaw(b"\x89PNG\r\n\x1a\n" + bytes(100)) == Flaw("it does not begin like a TIFF", cut=False)
    assert flaw(b"ab") == Flaw("it does not begin like a TIFF", cut=False)


def test_directories_that_run_in_a_circle_come_to_an_end() -> None:
    content = bytearray(classic())
    content[-4:] = struct.pack("<I", 1008)
    assert flaw(bytes(content)) == Flaw("its directories run in a circle", cut=False)


def test_a_value_beyond_the_end_is_noticed_also_of_a_tag_that_nobody_knows() -> None:
    tags = struct.pack("<HHII", 256, 3, 1, 1) + struct.pack("<HHII", 65000, 2, 5000, 38)
    content = b"II*\0" + struct.pack("<IH", 8, 2) + tags + bytes(4)
    assert flaw(content + bytes(5000)) is None
    assert flaw(content + bytes(4999)) == Flaw("the TIFF is cut short: 5,037 of 5,038 bytes", cut=True)


def test_a_directory_below_another_is_looked_into() -> None:
    file = BytesIO()
    with tifffile.TiffWriter(file) as out:
        out.write(numpy.zeros((256, 256), "uint8"), subifds=1)
        out.write(numpy.zeros((128, 128), "uint8"))
    content = file.getvalue()
    assert flaw(content) is None
    assert flaw(content[:-1]) is not None


def test_a_claim_of_a_billion_strips_is_not_believed() -> None:
    tags = struct.pack("<HHII", 273, 4, 0x3FFFFFFF, 100)
    found = flaw_of(lambda offset, length: (b"II*\0" + struct.pack("<IH", 8, 1) + tags + bytes(4))[offset:], 1 << 40)
    assert found == Flaw("it claims 1,073,741,823 strips", cut=False)


def test_a_file_with_its_directory_in_front_is_read_once_and_another_twice() -> None:
    for content, pieces in ((written(), 1), (classic(pixels=100_000), 2)):
        reading = Reading(content)
        assert flaw_of(reading, len(content)) is None
        assert len(reading.pieces) == pieces
        assert sum(length for _, length in reading.pieces) <= 12_288


def test_a_file_that_became_shorter_since_it_was_listed_is_cut_short() -> None:
    content = classic(pixels=100_000)
    found = flaw_of(Reading(content[:50_000]), len(content))
    assert found is not None
    assert found.cut


@pytest.mark.parametrize("seed", range(300))
def test_garbage_does_no_harm(seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(KINDS[chance.choice(sorted(KINDS))]())
    if seed % 3 == 0:
        content = bytearray(chance.choice([b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"]) + chance.randbytes(3000))
    for _ in range(chance.randrange(1, 60)):
        place = chance.choice([0, max(0, len(content) - 300)]) + chance.randrange(300)
        content[min(place, len(content) - 1)] = chance.randrange(256)
    reading = Reading(bytes(content))
    flaw_of(reading, chance.choice([len(content), 1 << 40]))
    assert sum(length for _, length in reading.pieces) <= MOST_BYTES + 8192


def test_every_real_tiff_of_a_microscope_is_whole_and_no_shorter_one_is(data: Path) -> None:
    here = [path for path in (data / "cellpainting").rglob("*") if path.suffix.lower() in (".tif", ".tiff")]
    assert len(here) == 194
    for path in here:
        content = path.read_bytes()
        assert flaw(content) is None, path
        # MetaXpress leaves 60 bytes behind that nothing points to
        found = flaw(content[:-61])
        assert found is not None, path
        assert found.cut


def test_a_list_that_all_directories_point_to_is_not_followed_without_end() -> None:
    """Else a file of eight megabytes would be worked on for a minute, and one of sixty for an hour."""
    directories, numbers = 100, 1 << 21
    start = 8 + 18 * directories
    chain = b"".join(
        struct.pack("<HHHIII", 1, 273, 4, numbers, start, 8 + 18 * (one + 1) if one + 1 < directories else 0)
        for one in range(directories)
    )
    found = flaw(b"II*\0" + struct.pack("<I", 8) + chain + bytes(4 * numbers))
    assert found == Flaw("its lists of strips are too long to be followed", cut=False)
