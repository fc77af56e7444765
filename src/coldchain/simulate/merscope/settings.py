"""What do the small files say that describe a MERSCOPE run before it is computed?

Keys, columns and orders are those of the real files (see ``run.py``); everything in them is made here.
"""

from __future__ import annotations

import json
from typing import Any

from coldchain.simulate.merscope.run import BUFFERS, FIDUCIAL, PRESTAIN, ROUNDS, Z_COUNT, Z_STEP_MICRONS, Run

LASERS = {"750": 100, "650": 80, "560": 80, FIDUCIAL: 10, "405": 10}
BITS = 25
SEQUENTIAL = ("Fos", "Snap25", "Slc1a2", "Slc17a7", "Gad1", "Mbp")
"""Genes outside the barcodes: each has a colour of round 9 or 10 (560, 650, 750) and a readout of its own."""
READOUTS = tuple(f"V{bit:04d}T8B1" for bit in range(1, BITS + 1))
AUXILIARY = tuple(f"Aux{k}" for k in range(4, 10))
GENES, BLANKS, BARCODE_WEIGHT = 496, 50, 4
_ROUND_PATTERN = r"(?P<imageType>[\w|-]+)_(?P<imagingRound>[0-9]+)_(?P<fov>[0-9]+)"
_PRESTAIN_PATTERN = r"(?P<imageType>[\w|-]+)_(?P<fov>[0-9]+)"


def positions_csv(run: Run) -> bytes:
    """``settings/positions.csv``: where the stage stands for each FOV."""
    return "".join("{},{}\n".format(*run.corner_microns(fov)) for fov in range(run.fov_count)).encode()


def stack_toml(label: str) -> bytes:
    """``settings/stack<k>.toml``: for each frame of a stack its depth, and which laser is on."""
    colours = ROUNDS[label]
    up = [Z_STEP_MICRONS * k for k in range(1, Z_COUNT + 1)]
    depths = [0.0] + [z for k in range(len(colours)) for z in (up if k % 2 == 0 else up[::-1])]
    lines = ["z_positions = [", *_items(depths), "]", "exposure_time = 0.1"]
    for laser, power in LASERS.items():
        frames = [int(laser == FIDUCIAL)] + [int(laser == colour) for colour in colours for _ in up]
        lines += ["", f"[ilm{laser}]", f"power = {power}", "sequence = [", *_items(frames), "]"]
    return "\n".join([*lines, ""]).encode()


def _items(values: list[float] | list[int]) -> list[str]:
    return [f"  {value}," for value in values[:-1]] + [f"  {values[-1]}"]


def protocol_json(run: Run) -> bytes:
    """``settings/protocol.json``: what the instrument does, one step after the other."""
    folder = _windows_folder(run)
    steps: list[dict[str, Any]] = []
    for label in ROUNDS:
        if label != PRESTAIN:
            steps.append({"Extinguish": {"increment": True, "incubation_time": 45 if label in ("0", "10") else 10}})
            steps.append({"Hybridize": {"hybridization_buffer": BUFFERS[int(label)], "increment": True}})
            steps.append({"Imaging": {}})
        imaging = {
            "stack_configuration": f"{folder}\\settings\\{stack_name(label)}.toml",
            "positions_path": f"{folder}\\settings\\positions.csv",
            "save_path": f"{folder}\\data",
            "base_name": image_type(label),
            "increment": True,
        }
        steps.append({"AcquireTiledImageStack": imaging})
    preview = {"dataset_name": run.run_id, "fovs": [str(fov) for fov in run.previewed]}
    return _json([*steps, {"GenerateSegmentationPreview": preview}])


def stack_name(label: str) -> str:
    """The name of the settings of a stack: ``stack3``, ``stack_prestain``."""
    return f"stack_{label}" if label == PRESTAIN else f"stack{label}"


def image_type(label: str) -> str:
    """How the names of the images of a stack begin: ``stack_3``, ``stack_prestain``."""
    return f"stack_{label}"


def experiment_json(run: Run, *, finished: bool) -> bytes:
    """``experiment.json``; that the last four keys come only at the end is assumed."""
    about: dict[str, Any] = {
        "startDateTime": run.start.isoformat(timespec="seconds"),
        "userId": "Local User",
        "experimentId": run.run_id,
        "experimentName": run.name,
        "experimentDescription": f"simulated by coldchain, seed {run.seed}",
        "experimentDirectory": _windows_folder(run),
        "codebookName": run.codebook,
        "codebookId": run.codebook_id,
        "panelName": run.panel,
        "sampleThickness": "10",
        "additionalStains": ["DAPI - Protein", "PolyT - Protein", *(f"{gene} - RNA" for gene in SEQUENTIAL)],
        "fiducialColor": FIDUCIAL,
        "usedReadouts": [*READOUTS, "DAPI", "PolyT", *AUXILIARY],
        "usedHybridizationBuffers": [str(buffer) for buffer in BUFFERS],
        "cartridgeBarcode": f"{run.random('cartridge').randrange(10**21):022d}",
        "regionSummaries": [{"name": "Region 1", "startIndex": 0, "endIndex": run.fov_count - 1}],
    }
    if finished:
        about["measurementStartDateTime"] = run.measured.isoformat(timespec="seconds")
        about["endDateTime"] = run.end.isoformat(timespec="seconds")
        about["fovCount"] = run.fov_count
        about["runMode"] = "Experiment"
    return _json(about)


def analysis_json() -> bytes:
    """``analysis.json``: the tasks of the analysis, shortened."""
    tasks = [
        ("FiducialCorrelationWarp", "warp", {"write_fiducial_images": False}),
        ("DeconvolutionPreprocessGuo", "preprocess", {"warp_task": "FiducialCorrelationWarp", "decon_sigma": 1.4}),
        ("Decode", "decode", {"preprocess_task": "DeconvolutionPreprocessGuo", "crop_width": 10}),
        ("ExportBarcodes", "exportbarcodes", {"columns": ["barcode_id", "global_x", "global_y", "global_z", "fov"]}),
        ("BlendMosaic", "mosaic", {"warp_task": "FiducialCorrelationWarp"}),
        ("ExportCellMetadata", "segment", {"segment_task": "RefineCellDatabases"}),
        ("AnalysisDataTransfer", "transfer", {"dependencies": ["ExportBarcodes", "BlendMosaic"]}),
    ]
    entries = [{"task": task, "module": f"merlin.analysis.{module}", "parameters": p} for task, module, p in tasks]
    return _json({"analysis_tasks": entries})


def dataorganization_csv() -> bytes:
    """``dataorganization.csv``: which frame of which image holds which bit or stain."""
    lines = [
        "channelName,readoutName,imageType,imagingRound,imageRegExp,bitNumber,color,frame,zPos,"
        "fiducialImageType,fiducialRegExp,fiducialImagingRound,fiducialFrame,fiducialColor"
    ]
    for label in list(ROUNDS)[1:]:
        k = int(label)
        for place, colour in reversed(list(enumerate(ROUNDS[label]))):
            bit = 3 * k + 3 - place if label != "8" else BITS
            alone = 3 * (k - 9) + 2 - place
            if alone >= 0:
                names = (SEQUENTIAL[alone], AUXILIARY[alone], "")
            else:
                names = (f"bit{bit}", READOUTS[bit - 1], str(bit))
            lines.append(_channel(names, label, colour, place))
    lines += [_channel((name, "", ""), PRESTAIN, ROUNDS[PRESTAIN][i], i) for i, name in enumerate(("PolyT", "DAPI"))]
    return "\n".join([*lines, ""]).encode()


def _channel(names: tuple[str, str, str], label: str, colour: str, place: int) -> str:
    channel, readout, bit = names
    prestain = label == PRESTAIN
    kind, number = ("stack_prestain", "-1") if prestain else ("stack", label)
    pattern = _PRESTAIN_PATTERN if prestain else _ROUND_PATTERN
    first = 1 + Z_COUNT * place
    depths = [f"{Z_STEP_MICRONS * k:g}" for k in range(1, Z_COUNT + 1)]
    frames = ",".join(str(first + k) for k in range(Z_COUNT))
    z = ",".join(depths if place % 2 == 0 else depths[::-1])
    image = f'{kind},{number},{pattern},{bit},{colour},"[{frames}]","[{z}]"'
    return f"{channel},{readout},{image},{kind},{pattern},{number},0,{FIDUCIAL}"


def codebook_csv(run: Run) -> bytes:
    """``codebook_0_<panel>_<id>.csv``: which bits make up which gene; blanks measure errors."""
    lines = [",".join(("name", "id", "barcodeType", *READOUTS, *AUXILIARY))]
    random = run.random("codebook")
    for name, transcript in genes(run):
        ones = set(random.sample(range(BITS), BARCODE_WEIGHT))
        bits = ["1" if bit in ones else "0" for bit in range(BITS)]
        lines.append(",".join((name, transcript, "merfish", *bits, *[""] * len(AUXILIARY))))
    for k, gene in enumerate(SEQUENTIAL):
        bits = ["1" if k == place else "0" for place in range(len(AUXILIARY))]
        lines.append(",".join((gene, _transcript(900_000 + k), "sequential", *[""] * BITS, *bits)))
    return "\n".join([*lines, ""]).encode()


def genes(run: Run) -> list[tuple[str, str]]:
    """The genes of the panel, then its blanks: name, transcript."""
    random = run.random("genes")
    families = ("Slc", "Grm", "Htr", "Kcn", "Cdh", "Gabr", "Adcy", "Nr4a", "Sema", "Tac", "Igf", "Rgs", "Pde", "Col")
    names = [f"{families[k % len(families)]}{k // len(families) + 1}{random.choice('abcd')}" for k in range(GENES)]
    named = [(name, _transcript(random.randrange(900_000))) for name in names]
    return named + [(f"Blank-{k}", f"Blank-{k}") for k in range(1, BLANKS + 1)]


def _transcript(number: int) -> str:
    return f"ENSMUST{number:011d}"


def inf(run: Run, frames: int) -> bytes:
    """The .inf beside a .dax: how to read it (source: the image writers of storm-control)."""
    return (
        "binning = 1 x 1\n"
        "data type = 16 bit integers (binary, little endian)\n"
        f"frame dimensions = {run.side} x {run.side}\n"
        f"number of frames = {frames}\n"
        "Lock Target = 0.0\n"
        f"x_start = 1\nx_end = {run.side}\ny_start = 1\ny_end = {run.side}\n"
    ).encode()


def _windows_folder(run: Run) -> str:
    return f"D:\\MERSCOPEDATA\\{run.run_id}"


def _json(value: object) -> bytes:
    return json.dumps(value, indent=4).encode()
