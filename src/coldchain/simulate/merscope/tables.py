"""What do the files say that are computed from a MERSCOPE run?

Columns are those of the real files; cells, transcripts and their places are drawn, and fit together.
"""

from __future__ import annotations

import json
from io import BytesIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from coldchain.simulate.merscope.run import MICRONS_PER_PIXEL, STAINS, Z_COUNT, Run

CELLS_PER_FOV = 20
_CELL_MICRONS = 10.0


def transcripts_per_fov(run: Run) -> int:
    """Some hundred in a toy, up to 6,000 in a full frame (real ones have more: tables must not outgrow images)."""
    return min(6000, run.side * run.side // 3)


def transcripts_header() -> bytes:
    """The first line of ``detected_transcripts.csv``."""
    return b",barcode_id,global_x,global_y,global_z,x,y,fov,gene,transcript_id\n"


def transcripts(run: Run, fov: int, panel: tuple[tuple[str, str], ...]) -> bytes:
    """The lines of ``detected_transcripts.csv`` for one FOV."""
    draw = run.random("transcripts", fov).random
    left, top = run.corner_microns(fov)
    count = transcripts_per_fov(run)
    lines = []
    for row in range(fov * count, (fov + 1) * count):
        barcode = int(len(panel) * draw() ** 2)
        name, transcript = panel[barcode]
        x, y = draw() * run.side, draw() * run.side
        place = f"{left + x * MICRONS_PER_PIXEL:.4f},{top + y * MICRONS_PER_PIXEL:.4f},{int(draw() * Z_COUNT)}"
        lines.append(f"{row},{barcode},{place},{x:.4f},{y:.5f},{fov},{name},{transcript}\n")
    return "".join(lines).encode()


def cells(run: Run, fov: int) -> list[str]:
    """The identifiers of the cells of one FOV: numbers of up to 39 digits."""
    random = run.random("cells", fov)
    return [str(random.getrandbits(127)) for _ in range(CELLS_PER_FOV)]


def cell_metadata_header() -> bytes:
    """The first line of ``cell_metadata.csv``."""
    return b",fov,volume,center_x,center_y,min_x,max_x,min_y,max_y\n"


def cell_metadata(run: Run, fov: int) -> bytes:
    """The lines of ``cell_metadata.csv`` for one FOV."""
    draw = run.random("cell_metadata", fov).random
    left, top = run.corner_microns(fov)
    extent = run.side * MICRONS_PER_PIXEL
    lines = []
    for cell in cells(run, fov):
        radius = _CELL_MICRONS * (0.3 + draw())
        x, y = left + draw() * extent, top + draw() * extent
        numbers = (radius**3 * 4, x, y, x - radius, x + radius, y - radius, y + radius)
        lines.append(",".join((cell, str(fov), *map(repr, numbers))) + "\n")
    return "".join(lines).encode()


def cell_by_gene_header(panel: tuple[tuple[str, str], ...]) -> bytes:
    """The first line of ``cell_by_gene.csv``."""
    return ",".join(("", *(name for name, _ in panel))).encode() + b"\n"


def cell_by_gene(run: Run, fov: int, panel: tuple[tuple[str, str], ...]) -> bytes:
    """The lines of ``cell_by_gene.csv`` for one FOV: mostly noughts."""
    draw = run.random("cell_by_gene", fov).random
    lines = []
    for cell in cells(run, fov):
        counts = [str(int(12 * draw() ** 9)) for _ in panel]
        lines.append(",".join((cell, *counts)) + "\n")
    return "".join(lines).encode()


def mosaics() -> list[tuple[str, int, str]]:
    """Stain, depth and file name of each mosaic, as the manifest lists them."""
    return [(stain, z, f"mosaic_{stain}_z{z}.tif") for z in range(Z_COUNT) for stain in STAINS]


def manifest_json(run: Run) -> bytes:
    """``images/manifest.json``: what the mosaics show, and all their names."""
    width, height = run.mosaic_size
    left, top = _origin(run)
    about = {
        "microns_per_pixel": MICRONS_PER_PIXEL,
        "mosaic_width_pixels": width,
        "mosaic_height_pixels": height,
        "bbox_microns": [left, top, left + width * MICRONS_PER_PIXEL, top + height * MICRONS_PER_PIXEL],
        "hor_num_tiles_box": run.columns,
        "vert_num_tiles_box": run.rows,
        "mosaic_files": [{"stain": stain, "z": z, "file_name": name} for stain, z, name in mosaics()],
    }
    return json.dumps(about, indent=4).encode()


def transform_csv(run: Run) -> bytes:
    """``images/micron_to_mosaic_pixel_transform.csv``: a matrix that takes microns to pixels of a mosaic."""
    left, top = _origin(run)
    scale = 1 / MICRONS_PER_PIXEL
    rows = ((scale, 0.0, -left * scale), (0.0, scale, -top * scale), (0.0, 0.0, 1.0))
    return "".join(" ".join(f"{number:.18e}" for number in row) + "\n" for row in rows).encode()


def _origin(run: Run) -> tuple[float, float]:
    corners = [run.corner_microns(fov) for fov in range(run.fov_count)]
    return float(min(x for x, _ in corners)), float(min(y for _, y in corners))


def vzg(run: Run) -> bytes:
    """``<run>_region_0.vzg``: what the vendor's viewer opens, a ZIP; its members are invented."""
    packed = BytesIO()
    date_time = (max(1980, run.end.year), run.end.month, run.end.day, run.end.hour, run.end.minute, 0)
    with ZipFile(packed, "w", ZIP_STORED) as archive:
        for name, content in (("dataset.json", manifest_json(run)), ("pyramid.bin", run.random("vzg").randbytes(4096))):
            info = ZipInfo(name, date_time)
            info.create_system = 0  # else the bytes would differ between Windows and the rest
            archive.writestr(info, content)
    return packed.getvalue()
