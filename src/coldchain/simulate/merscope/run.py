"""What are the numbers of one simulated MERSCOPE run?

They are as consistent as those of a real run: a run images every field of view (FOV) in a prestain and in eleven
rounds; each round is one stack, one .dax file a FOV.  Source: ``protocol.json``, the ``stack<k>.toml``,
``dataorganization.csv`` and ``experiment.json`` of the public mouse brain run 202205231554 of 2022, with 1,248 FOVs of
243 frames; the arithmetic of this file gives these numbers, and 2048 pixels a side, at a scale of about 40,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, sqrt
from random import Random

from coldchain.simulate.base import Options
from coldchain.simulate.pixels import PIXEL_BYTES

MICRONS_PER_PIXEL = 0.108
FIDUCIAL, SWEEPS = "488", ("750", "650", "560")
"""Laser lines in nanometres: beads that align the rounds, and the order in which a round goes through its colours."""
Z_COUNT, Z_STEP_MICRONS = 7, 1.5
PRESTAIN = "prestain"
ROUNDS = {PRESTAIN: (FIDUCIAL, "405")} | {str(k): SWEEPS if k != 8 else ("560",) for k in range(11)}
"""The stacks in the order of imaging, with the colours of each; round 8 has but one bit, 9 and 10 are sequential."""
FRAMES = {label: 1 + Z_COUNT * len(colours) for label, colours in ROUNDS.items()}
"""Frames of one .dax of each stack: one of the beads, then one a colour and depth."""
BUFFERS = (1, 3, 7, 9, 11, 15, 17, 19, 21, 28, 30)
"""The port of the hybridisation buffer of each round."""
STAINS = ("Snap25", "Mbp", "PolyT", "DAPI")
PREVIEWS = 10

FOVS_AT_1, DAX_BYTES_AT_1 = 6, 54_500_000
LARGEST_SIDE = 2048


@dataclass(frozen=True, slots=True)
class Run:
    """One run."""

    run_id: str
    name: str
    seed: int
    start: datetime
    measured: datetime
    end: datetime
    panel: str
    codebook_id: str
    fov_count: int
    side: int
    """Pixels along each edge of the square frames."""

    @property
    def raw(self) -> str:
        """The folder of what was acquired."""
        return f"merfish_raw_data/{self.run_id}"

    @property
    def region(self) -> str:
        """The folder of what was computed; one region here."""
        return f"merfish_output/{self.run_id}/region_0"

    @property
    def codebook(self) -> str:
        """The name of the codebook."""
        return f"codebook_0_{self.panel}_{self.codebook_id}.csv"

    @property
    def frame_bytes(self) -> int:
        """The size of one frame."""
        return self.side * self.side * PIXEL_BYTES

    @property
    def columns(self) -> int:
        """FOVs beside each other."""
        return ceil(sqrt(self.fov_count))

    @property
    def rows(self) -> int:
        """FOVs below each other; the last row may be short."""
        return ceil(self.fov_count / self.columns)

    @property
    def mosaic_size(self) -> tuple[int, int]:
        """Width and height of a mosaic in pixels; tiles do not overlap here."""
        return self.columns * self.side, self.rows * self.side

    @property
    def previewed(self) -> list[int]:
        """The FOVs of the segmentation preview: ten, evenly spread, fewer when there are fewer."""
        count = min(PREVIEWS, self.fov_count)
        return [round(k * (self.fov_count - 1) / max(1, count - 1)) for k in range(count)]

    def corner_microns(self, fov: int) -> tuple[int, int]:
        """Where the stage stands for a FOV: row by row, every other one backwards."""
        pitch = max(1, int(self.side * MICRONS_PER_PIXEL))
        row, column = divmod(fov, self.columns)
        if row % 2:
            column = self.columns - 1 - column
        return -5800 + column * pitch, -800 - row * pitch

    def random(self, *what: object) -> Random:
        """A generator for one piece of content: the same for the same seed and piece, whatever was made before."""
        return Random("/".join(map(str, (self.seed, *what))))


def plan_run(options: Options) -> Run:
    """Work out the run; FOVs and pixels a FOV grow alike, each with the square root of the scale."""
    fov_count = max(1, round(FOVS_AT_1 * sqrt(options.scale)))
    dax_bytes = DAX_BYTES_AT_1 * options.scale
    frames = sum(FRAMES.values())
    side = max(16, round(sqrt(dax_bytes / (frames * fov_count * PIXEL_BYTES)) / 4) * 4)
    if side > LARGEST_SIDE:
        side = LARGEST_SIDE
        fov_count = round(dax_bytes / (frames * side * side * PIXEL_BYTES))
    random = Random(f"{options.seed}/run")
    name = f"Simulated_Mouse{random.choice(('Cortex', 'Liver', 'Sagittal'))}_M{random.randrange(1, 10)}S{options.seed}"
    measured = options.start + timedelta(minutes=39, seconds=random.randrange(60))
    fluidics = timedelta(minutes=80) * len(BUFFERS)
    return Run(
        run_id=f"{options.start:%Y%m%d%H%M}_{name}_VMSC01101",
        name=name,
        seed=options.seed,
        start=options.start,
        measured=measured,
        end=measured + fluidics + timedelta(seconds=3) * (fov_count * len(ROUNDS)),
        panel="SimulatedGene500V1",
        codebook_id="VA00123",
        fov_count=fov_count,
        side=side,
    )
