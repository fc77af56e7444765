"""In which order does an Imaging FlowCytobot write its files?

A bin is one syringe of 20 minutes; its name is when it began, in UTC.  At its end the acquisition program writes
``.hdr``, ``.adc`` and ``.roi``, in this order, within a second.  A bin with so many images that they fill the memory
is written in portions while it runs: then ``.adc`` and ``.roi`` are appended to, long before the ``.hdr`` is there
(source: ``AcqComplete`` and ``WriteArraysToFile`` of robertjolson/ifcb-acq).  All bins lie flat in one folder, as on
the instrument.  Header and table are those of real bins of software 2.0.5.0; whether that program still writes in this
order is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from itertools import pairwise
from math import sqrt
from random import Random

from coldchain.simulate.base import Options, Simulator
from coldchain.simulate.pixels import Camera, draw_pixels
from coldchain.simulate.steps import Append, Close, MakeFolder, Open, Opening, Step, write_file

FOLDER = "ifcbdata"
INSTRUMENT = "IFCB134"
BINS_AT_1, ROIS_AT_1 = 66, 97
"""66 bins are 198 files, and 97 images of some 10 KB in each are 64 MB."""
BIN_SECONDS, RUN_SECONDS = 1434, 1201
"""From start to start, and while it looks: the medians of 884 bins of cruise AR82."""
FILLING, PORTIONS = 5, 3
"""Every fifth bin fills the memory, and is written in three portions."""
MISSED = 5
"""Every fifth trigger gives no image."""
ROI_BYTES = 9_800
CAMERA = Camera(offset=172, noise=9.0, bright_share=0.0, brightest=1)
"""Grey water with something in it: compresses 1.5 times, as real images do (zstd 1.45)."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """One row of the table: something passed the laser."""

    number: int
    seconds: float
    width: int
    height: int
    start_byte: int

    @property
    def roi_bytes(self) -> int:
        """A byte a pixel; none where the trigger gave no image."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Bin:
    """One syringe."""

    seed: int
    index: int
    start: datetime
    roi_count: int

    @property
    def stem(self) -> str:
        """The path of its files without an ending."""
        return f"{FOLDER}/{self.start:D%Y%m%dT%H%M%S}_{INSTRUMENT}"

    def random(self, *of: object) -> Random:
        """A source of noise for one thing of this bin: the same however often it is asked for."""
        return Random(repr((self.seed, self.index, *of)))


def acquire(options: Options) -> Iterator[Step]:
    """Yield the steps of about ``66 * sqrt(scale)`` bins of ``97 * sqrt(scale)`` images, and ``64 MB * scale``."""
    yield MakeFolder(FOLDER)
    size = sqrt(options.scale)
    start = options.start.astimezone(UTC).replace(microsecond=0)
    # An even number: then the fault "missing" takes a table away, without which no bin is whole; bins without images
    # there are on purpose.
    for index in range(max(4, 2 * round(BINS_AT_1 * size / 2))):
        begun = start + timedelta(seconds=BIN_SECONDS * index)
        one = Bin(options.seed, index, begun, max(2 * PORTIONS, round(ROIS_AT_1 * size)))
        yield from _fill(one) if index % FILLING == FILLING - 1 else _write(one)


def _write(one: Bin) -> Iterator[Step]:
    """A bin that was in memory until its end."""
    portions = _portions(one)
    yield from write_file(f"{one.stem}.hdr", partial(_header, one))
    yield from write_file(f"{one.stem}.adc", *(partial(_rows, one, portion) for portion in portions), data=True)
    yield from write_file(f"{one.stem}.roi", *(partial(_images, one, portion) for portion in portions), data=True)


def _fill(one: Bin) -> Iterator[Step]:
    """A bin that filled the memory on the way; its header comes when it ends, just before the last portion."""
    for k, portion in enumerate(_portions(one)):
        if k == PORTIONS - 1:
            yield from write_file(f"{one.stem}.hdr", partial(_header, one))
        for ending, content in ((".adc", partial(_rows, one, portion)), (".roi", partial(_images, one, portion))):
            yield Open(one.stem + ending, data=True, how=Opening.APPEND if k else Opening.NEW)
            yield Append(one.stem + ending, content)
            yield Close(one.stem + ending)


def _portions(one: Bin) -> list[tuple[int, int]]:
    """Which triggers are written together."""
    count = len(triggers(one))
    bounds = [count * k // PORTIONS for k in range(PORTIONS + 1)]
    return list(pairwise(bounds))


@lru_cache(maxsize=8)
def triggers(one: Bin) -> tuple[Trigger, ...]:
    """All rows of a bin.  The first is the lamp at its start, which gives no image; some have two images."""
    random = one.random("triggers")
    found = [Trigger(1, 0.05, 0, 0, 0)]
    number, start_byte, rois = 1, 0, 0
    step_seconds = RUN_SECONDS / (1.3 * one.roi_count + 2)
    while rois < one.roi_count:
        twice = rois > 0 and random.random() < 0.03
        number += 0 if twice else 1
        seconds = found[-1].seconds if twice else number * step_seconds - step_seconds * random.random() / 2
        if number % MISSED == 0 and not twice:
            found.append(Trigger(number, seconds, 0, 0, 0))
            continue
        width = 8 * random.randrange(9, 22)
        height = max(16, 2 * round(ROI_BYTES / width * random.uniform(0.6, 1.4) / 2))
        found.append(Trigger(number, seconds, width, height, start_byte))
        start_byte += width * height
        rois += 1
    return tuple(found)


def _rows(one: Bin, portion: tuple[int, int]) -> bytes:
    """Rows of the .adc: the 24 columns that ``ADCFileFormat`` names."""
    lines = []
    for row in triggers(one)[slice(*portion)]:
        draw = one.random("row", row.number, row.start_byte).random
        scattered = [0.8 * draw(), 0.03 * draw(), -0.004 * draw(), 0.0013 * draw()]
        peaks = [4 * scattered[0], 0.3 * draw(), 0.0108 + draw() / 1e4, 0.0099 + draw() / 1e4]
        light = ",".join(f"{value:.8g}" for value in (*scattered, *peaks))
        x, y = (8 * int(90 + 60 * draw()), int(900 * draw())) if row.width else (0, 0)
        times = f"{row.seconds:.7f},{row.seconds + 0.0419:.7f}"
        busy = 0.0712 + 0.0814 * (row.number - 1)
        lines.append(
            f"{row.number},{row.seconds:.7f},{light},{50 + 20 * draw():.6f},{times},"
            f"{x},{y},{row.width},{row.height},{row.start_byte},0,0,0,0,{row.seconds + 0.021:.12f},{busy:.12f}\n"
        )
    return "".join(lines).encode()


def _images(one: Bin, portion: tuple[int, int]) -> bytes:
    """The pixels of the .roi: one image behind the other."""
    pixels = sum(row.roi_bytes for row in triggers(one)[slice(*portion)])
    return draw_pixels(one.random("roi", portion), pixels, CAMERA)[::2]  # the low bytes: this camera has 8 bits


def _header(one: Bin) -> bytes:
    rows = triggers(one)
    random = one.random("header")
    lines = [
        "SoftwareVersion: 2.0.5.0",
        "AnalogFirmware: 45",
        "HousekeepingFirmware: 32",
        f"sampleNumber: {one.index + 1}",
        "sampleType: Normal",
        f"triggerCount: {rows[-1].number}",
        f"roiCount: {one.roi_count}",
        f"humidity: {random.uniform(40, 60):.13f}",
        f"temperature: {random.uniform(18, 27):.14f}",
        f"runTime: {RUN_SECONDS + random.random():.10f}",
        f"inhibitTime: {0.0814 * rows[-1].number:.12f}",
        f"gpsLatitude: {58.25 + one.index / 1000:.8f}",
        f"gpsLongitude: {11.44 + one.index / 1000:.8f}",
        *_SETTINGS,
    ]
    return "".join(f"{line}\n" for line in lines).encode()


_SETTINGS = (
    "ADCFileFormat: trigger#, ADCtime, PMTA, PMTB, PMTC, PMTD, PeakA, PeakB, PeakC, PeakD, TimeOfFlight, "
    "GrabTimeStart, GrabTimeEnd, RoiX, RoiY, RoiWidth, RoiHeight, StartByte, ComparatorOut, StartPoint, "
    "SignalLength, Status, RunTime, InhibitTime",
    "HumidityAlarmThreshold(%): 75",
    "FlashlampControlVoltage: 2.5",
    "binarizeThreshold: 6",
    "minimumBlobArea: 2000",
    "blobXgrowAmount: 20",
    "blobYgrowAmount: 1",
    "PMTAtriggerThreshold_DAQ_MCConly: 0.15",
    "PMTBtriggerThreshold_DAQ_MCConly: 0.12",
    "PMTtriggerSelection_DAQ_MCConly: 2",
    "PMTAhighVoltage: 0.65",
    "PMTBhighVoltage: 0.55",
    "KloehnPort: /dev/ttyUSB0",
    "NumberSyringesToAutoRun: 171",
    "SyringeSampleVolume: 5",
    "syringeSize: 5",
    "runBeads: False",
    "runSampleFast: False",
    "RunFastFactor: 1",
    f"imagerID: {INSTRUMENT.removeprefix('IFCB')}",
    "DataFilePath: /mnt/data/ifcbdata",
    "FileComment: simulated by coldchain",
    "triggerThreadCount: 3",
    "GPSFeed: 1:16070",
)

SIMULATOR = Simulator(
    name="ifcb",
    description="An Imaging FlowCytobot: bins of .hdr, .adc and .roi, flat in one folder, some written in portions.",
    acquire=acquire,
)
