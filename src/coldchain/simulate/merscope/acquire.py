"""In which order does a MERSCOPE write its files?

First the settings, then stack by stack and FOV by FOV the images: a .dax grows frame by frame, and its .inf is
written when it is closed (source: the image writers of storm-control).  ``EXPERIMENT_FINISHED`` ends the acquisition,
``RAW_DATA_SYNC_FINISHED`` its copying to the drive on which all of this lies, ``MERLIN_FINISHED`` the analysis, and
comes last of all (source: the real markers; the transfer scripts of labs that wait for it).

Assumed, because no public file shows it: the names in ``low_resolution/`` and ``seg_preview/``, four digits for the
FOV, the order of the computed files, an ``experiment.json`` that is rewritten at the end.  Left out: the folder
``merfish_analysis/``, cell boundaries (HDF5 or Parquet), ``summary.png``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from coldchain.simulate.base import Options, Simulator
from coldchain.simulate.merscope import settings, tables
from coldchain.simulate.merscope.run import FRAMES, PRESTAIN, ROUNDS, Run, plan_run
from coldchain.simulate.pixels import MOSAIC, RAW, draw_pixels, tiff_header
from coldchain.simulate.steps import MakeFolder, Mark, Opening, Step, write_file

STRIPE_PIXELS = 1 << 19
"""A mosaic grows by so much at a time."""


def acquire(options: Options) -> Iterator[Step]:
    """Yield the steps of one run: about ``60 + 144 * sqrt(scale)`` files and ``64 MB * scale``."""
    run = plan_run(options)
    yield from _prepare(run)
    for label in ROUNDS:
        yield from _image(run, label)
        if label == PRESTAIN:
            yield from _preview(run)
    experiment = partial(settings.experiment_json, run, finished=True)
    yield from write_file(f"{run.raw}/experiment.json", experiment, how=Opening.REWRITE)
    yield _mark(run, "EXPERIMENT_FINISHED")
    yield _mark(run, "RAW_DATA_SYNC_FINISHED")
    yield _mark(run, "MERLIN_START")
    yield from _compute(run)
    yield _mark(run, "MERLIN_FINISHED")


def _mark(run: Run, marker: str) -> Mark:
    return Mark(f"{run.raw}/{marker}", f"{run.run_id} {marker}\n".encode())


def _prepare(run: Run) -> Iterator[Step]:
    for folder in ("data", "low_resolution", "seg_preview", "settings"):
        yield MakeFolder(f"{run.raw}/{folder}")
    yield from write_file(f"{run.raw}/experiment.json", partial(settings.experiment_json, run, finished=False))
    yield from write_file(f"{run.raw}/{run.codebook}", partial(settings.codebook_csv, run))
    yield from write_file(f"{run.raw}/dataorganization.csv", settings.dataorganization_csv)
    yield from write_file(f"{run.raw}/analysis.json", settings.analysis_json)
    yield from write_file(f"{run.raw}/settings/protocol.json", partial(settings.protocol_json, run))
    yield from write_file(f"{run.raw}/settings/positions.csv", partial(settings.positions_csv, run))
    for label in ROUNDS:
        path = f"{run.raw}/settings/{settings.stack_name(label)}.toml"
        yield from write_file(path, partial(settings.stack_toml, label))
    yield from _tiff(run, f"{run.raw}/low_resolution/low_resolution_0000.tif", run.side, run.side)


def _image(run: Run, label: str) -> Iterator[Step]:
    """One stack of every FOV."""
    for fov in range(run.fov_count):
        path = f"{run.raw}/data/{settings.image_type(label)}_{fov:04d}"
        frames = [partial(_frame, run, label, fov, frame) for frame in range(FRAMES[label])]
        yield from write_file(f"{path}.dax", *frames, data=True)
        yield from write_file(f"{path}.inf", partial(settings.inf, run, FRAMES[label]))


def _frame(run: Run, label: str, fov: int, frame: int) -> bytes:
    return draw_pixels(run.random("frame", label, fov, frame), run.side * run.side, RAW)


def _preview(run: Run) -> Iterator[Step]:
    for fov in run.previewed:
        yield from _tiff(run, f"{run.raw}/seg_preview/seg_preview_{fov:04d}.tif", run.side, run.side)


def _compute(run: Run) -> Iterator[Step]:
    """What the analysis leaves in the output folder."""
    region, fovs, panel = run.region, range(run.fov_count), tuple(settings.genes(run))
    yield MakeFolder(f"{region}/images")
    width, height = run.mosaic_size
    for _, _, name in tables.mosaics():
        yield from _tiff(run, f"{region}/images/{name}", width, height)
    yield from write_file(f"{region}/images/micron_to_mosaic_pixel_transform.csv", partial(tables.transform_csv, run))
    yield from write_file(f"{region}/images/manifest.json", partial(tables.manifest_json, run))
    rows = [partial(tables.transcripts, run, fov, panel) for fov in fovs]
    yield from write_file(f"{region}/detected_transcripts.csv", tables.transcripts_header, *rows)
    rows = [partial(tables.cell_by_gene, run, fov, panel) for fov in fovs]
    yield from write_file(f"{region}/cell_by_gene.csv", partial(tables.cell_by_gene_header, panel), *rows)
    rows = [partial(tables.cell_metadata, run, fov) for fov in fovs]
    yield from write_file(f"{region}/cell_metadata.csv", tables.cell_metadata_header, *rows)
    yield from write_file(f"{region}/{run.run_id}_region_0.vzg", partial(tables.vzg, run))


def _tiff(run: Run, path: str, width: int, height: int) -> Iterator[Step]:
    pixels = width * height
    stripes = [
        partial(_stripe, run, path, at, min(STRIPE_PIXELS, pixels - at)) for at in range(0, pixels, STRIPE_PIXELS)
    ]
    yield from write_file(path, partial(tiff_header, width, height, "simulated"), *stripes)


def _stripe(run: Run, path: str, at: int, pixels: int) -> bytes:
    return draw_pixels(run.random("tiff", path, at), pixels, MOSAIC)


SIMULATOR = Simulator(
    name="merscope",
    description="A Vizgen MERSCOPE run: raw stacks frame by frame, then mosaics and tables, MERLIN_FINISHED last.",
    acquire=acquire,
)
