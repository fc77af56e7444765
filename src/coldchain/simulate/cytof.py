"""In which order does a CyTOF write a session, and what?

Sample after sample: the settings (``.conf``), then the ``.imd``, which is held open and grows push by push, its XML
tail last; after a pause the conversion to ``.fcs``; a list of what was acquired (``.txt``) grows meanwhile.  Sources:
the layout of .imd and .conf from nolanlab/cytofCore (R/read.R), the keywords and the 8 zeros behind the data from real
files (CyTOF 5.1.648; Helios 6.7.1016).

Assumed: when .conf and .txt are written, what the .txt says, how many zeros stand before the tail, and that conversion
follows each sample.  Left out: most of the tail, the XML behind the data of a CyTOF2, .rd8.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from random import Random

from coldchain.simulate.base import Options, Simulator
from coldchain.simulate.faults import GROWTH_BYTES
from coldchain.simulate.steps import Append, Close, MakeFolder, Open, Pause, Step, write_file

SAMPLES_AT_1, BYTES_AT_1 = 60, 64_000_000
"""A trial has 60 samples in parts of up to three, of one .conf, one .imd and one .fcs each, and one list."""
FEWEST = 3
PIECE_BYTES = 1 << 17
CONVERSION_S = 0.05
"""The pause before the conversion; a real one takes minutes."""
PUSH_S = 1 / 76_800
EVENT_SHARE = 0.12
"""So much of the bytes are in .fcs files (real ones: less than 1 %, which no trial could look into)."""
PANEL = (
    "Y89 CD45|Rh103 Live_Dead|In115 CD57|Ce140 Bead|Pr141 CD196|Nd142 CD19|Nd143 CD123|Nd144 CD69|Nd145 CD4|Nd146 CD8a|"
    "Sm147 CD11c|Nd148 CD16|Sm149 CD45RO|Nd150 CD45RA|Eu151 CD161|Sm152 CD194|Eu153 CD25|Sm154 CD27|Gd155 CD57|"
    "Gd156 CD183|Gd158 CD185|Tb159 CD28|Gd160 CD38|Dy161 CD56|Dy162 TCRgd|Dy163 CD294|Dy164 CD197|Ho165 CD14|Er166 CD3|"
    "Er167 CD20|Er168 CD66b|Tm169 HLA-DR|Er170 IgD|Yb171 TCRab|Yb172 CD127|Ir191 DNA1|Ir193 DNA2|Bi209 CD11b"
)
GAUSSIANS = ("Center", "Offset", "Width", "Residual")
"""What a Helios tells of the shape of each event."""
NAMESPACE = "http://www.dvssciences.com/xsd/Cytof/Experiment_1_0.xsd"


@dataclass(frozen=True, slots=True)
class Sample:
    """One acquisition."""

    session: str
    """The folder."""
    seed: int
    name: str
    """The stem of its files: ``PBMC_02 stim_1``."""
    start: datetime
    pushes: int
    events: int
    metals: tuple[tuple[str, int, str], ...]
    """Symbol, mass, marker."""

    def random(self, *what: object) -> Random:
        """Noise that is the same for the same sample and thing."""
        return Random(f"cytof {self.seed} {self.name} {what}")

    @property
    def end(self) -> datetime:
        """When the last push came; at least a second later, or the file would say that nothing happened."""
        return self.start + timedelta(seconds=max(1.0, self.pushes * PUSH_S))


def acquire(options: Options) -> Iterator[Step]:
    """Yield the steps of one session."""
    samples = plan_session(options)
    session = samples[0].session
    log = f"{session}/acquisitions.txt"
    yield MakeFolder(session)
    yield Open(log)
    yield Append(log, partial(bytes, b"File\tStart\tPushes\tEvents\r\n"))
    for sample in samples:
        stem = f"{session}/{sample.name}"
        yield from write_file(f"{stem}.conf", partial(conf, sample))
        yield from _acquire_imd(sample, f"{stem}.imd")
        yield Pause(CONVERSION_S)
        yield from _convert(sample, f"{stem}.fcs")
        yield Append(log, partial(_logged, sample))
    yield Close(log)


SIMULATOR = Simulator(
    name="cytof",
    description="A CyTOF session: each .imd grows push by push and gets its XML tail last, its .fcs follows.",
    acquire=acquire,
)


def plan_session(options: Options) -> list[Sample]:
    """The samples of a session, at least three: below a scale of 1 there are fewer, beyond it they are larger."""
    random = Random(f"cytof session {options.seed}")
    count = max(FEWEST, round(SAMPLES_AT_1 * min(1.0, options.scale)))
    metals = tuple(_metal(word) for word in PANEL.split("|"))
    size_bytes = BYTES_AT_1 * options.scale / count
    pushes = max(GROWTH_BYTES // (2 * len(metals)), int(size_bytes * (1 - EVENT_SHARE) / (4 * len(metals))))
    events = max(16, int(size_bytes * EVENT_SHARE / (4 * (2 + len(metals) + len(GAUSSIANS)))))
    session = f"{options.start:%Y%m%d} PBMC panel {random.choice('ABCDEFGH')}{random.randrange(10, 100)}"
    samples = []
    start = options.start
    for k in range(count):
        donor, part = divmod(k, 3)
        # both ways of counting parts are found (source: instruments.md 2.2)
        name = (
            f"PBMC_{donor + 1:02d} stim_{part + 1}" if donor % 2 == 0 else f"PBMC_{donor + 1:02d} stim_{part + 1:02d}"
        )
        samples.append(Sample(session, options.seed, name, start, pushes, events, metals))
        start = samples[-1].end + timedelta(minutes=4)
    return samples


def _metal(word: str) -> tuple[str, int, str]:
    metal, _, marker = word.partition(" ")
    symbol = metal.rstrip("0123456789")
    return symbol, int(metal[len(symbol) :]), marker


def conf(sample: Sample) -> bytes:
    """The ``.conf``: a table that says which analytes there are (source: ``cytofCore.read.conf``)."""
    rows = [f"{mass}.0 {symbol} 0.0335 0.0" for symbol, mass, _ in sample.metals]
    return "\r\n".join(["Mass Symbol Slope Intercept", *rows, ""]).encode()


def _logged(sample: Sample) -> bytes:
    return f"{sample.name}.imd\t{sample.start:%Y-%m-%d %H:%M:%S}\t{sample.pushes}\t{sample.events}\r\n".encode()


# --- .imd -------------------------------------------------------------------------------------------------------------


def _acquire_imd(sample: Sample, path: str) -> Iterator[Step]:
    """The last piece brings pushes and the tail, so that a file which goes on growing does not end in its tail."""
    yield Open(path, data=True)
    pieces = max(1, sample.pushes * 4 * len(sample.metals) // PIECE_BYTES)
    edges = [k * sample.pushes // pieces for k in range(pieces + 1)]
    for first, end in pairwise(edges[:-1]):
        yield Append(path, partial(_pushes, sample, first, end - first))
    yield Append(path, partial(_last_pushes, sample, edges[-2]))
    yield Close(path)


def _last_pushes(sample: Sample, first: int) -> bytes:
    return _pushes(sample, first, sample.pushes - first) + tail(sample)


_INTENSITY = bytes(0 if k < 230 else (k - 229) * 9 for k in range(256))
_PULSES = bytes(0 if k < 230 else 1 + (k - 230) // 9 for k in range(256))
"""One word of ten says something: most ions come in the few pushes of a cell."""


def _pushes(sample: Sample, first: int, count: int) -> bytes:
    """Little-endian 16-bit intensity and pulse count for each analyte, push after push."""
    drawn = sample.random("push", first).randbytes(count * len(sample.metals))
    content = bytearray(4 * len(drawn))
    content[0::4] = drawn.translate(_INTENSITY)
    content[2::4] = drawn.translate(_PULSES)
    return bytes(content)


def tail(sample: Sample) -> bytes:
    """Zeros, then the settings as XML in UTF-16LE, which ends with the end tag and nothing behind it."""
    analytes = "".join(
        f"<AcquisitionAnalytes><Mass>{mass}</Mass><Symbol>{symbol}</Symbol><OrderNumber>{order}</OrderNumber>"
        "</AcquisitionAnalytes>"
        for order, (symbol, mass, _) in enumerate(sample.metals, 1)
    )
    markers = "".join(
        f"<AcquisitionMarkers><Mass>{mass}</Mass><MassSymbol>{symbol}</MassSymbol><ShortName>{marker}</ShortName>"
        f"<Description>{mass}{symbol}_{marker}</Description></AcquisitionMarkers>"
        for symbol, mass, marker in sample.metals
    )
    duals = "".join(
        f"<DualAnalytesSnapshot><Mass>{mass}</Mass><DualSlope>0.0335</DualSlope><DualIntercept>0</DualIntercept>"
        "</DualAnalytesSnapshot>"
        for _, mass, _ in sample.metals
    )
    xml = f'<ExperimentSchema xmlns="{NAMESPACE}">{analytes}{markers}{duals}</ExperimentSchema>'
    return bytes(64) + xml.encode("utf-16-le")


# --- .fcs -------------------------------------------------------------------------------------------------------------


def _convert(sample: Sample, path: str) -> Iterator[Step]:
    """Not ``data``: it can be made again from the .imd."""
    yield Open(path)
    yield Append(path, partial(_head, sample))
    at_once = PIECE_BYTES // (4 * len(_channels(sample)))
    for first in range(0, sample.events, at_once):
        yield Append(path, partial(_events, sample, first, min(at_once, sample.events - first)))
    yield Append(path, partial(bytes, b"00000000"))  # where the standard has room for a checksum
    yield Close(path)


def _channels(sample: Sample) -> list[tuple[str, str]]:
    """$PnN and $PnS of each parameter."""
    metals = [(f"{symbol}{mass}Di", f"{mass}{symbol}_{marker}") for symbol, mass, marker in sample.metals]
    return [("Time", "Time"), ("Event_length", "Event_length"), *metals, *((name, name) for name in GAUSSIANS)]


def _head(sample: Sample) -> bytes:
    """The header and TEXT of FCS 3.0; the header has no room for an end beyond 99,999,999, and says 0 then."""
    channels = _channels(sample)
    data_bytes = 4 * sample.events * len(channels)
    pairs = [
        *(("$BEGINANALYSIS", "0"), ("$ENDANALYSIS", "0"), ("$BEGINSTEXT", "0"), ("$ENDSTEXT", "0")),
        *(("$BYTEORD", "4,3,2,1"), ("$DATATYPE", "F"), ("$MODE", "L"), ("$NEXTDATA", "0")),
        *(("$CYT", "DVSSCIENCES-CYTOF-6.7.1016"), ("$CYTSN", f"H{1000 + sample.seed % 9000}"), ("$OP", "operator")),
        *(("$DATE", _date(sample.start)), ("$BTIM", f"{sample.start:%H:%M:%S}"), ("$ETIM", f"{sample.end:%H:%M:%S}")),
        *(("$FIL", f"{sample.name}.fcs"), ("$COM", "simulated by coldchain")),
        *(("$PAR", str(len(channels))), ("$TOT", str(sample.events))),
    ]
    for n, (name, stain) in enumerate(channels, 1):
        pairs += [(f"$P{n}N", name), (f"$P{n}S", stain), (f"$P{n}B", "32"), (f"$P{n}E", "0,0"), (f"$P{n}R", "65536")]
    text = "|" + "".join(f"{key}|{value}|" for key, value in pairs)
    width = len(text.encode()) + len("$BEGINDATA||$ENDDATA||") + 2 * 20
    begin = 58 + width
    end = begin + data_bytes - 1
    text += f"$BEGINDATA|{begin:020d}|$ENDDATA|{end:020d}|"
    places = (58, begin - 1, begin, end) if end <= 99_999_999 else (58, begin - 1, 0, 0)
    return ("FCS3.0    " + "".join(f"{place:8d}" for place in (*places, 0, 0)) + text).encode()


def _date(day: datetime) -> str:
    """As the standard has it, whatever the language of this computer."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day.day:02d}-{months[day.month - 1]}-{day.year}"


_VALUES = array("f", [0.0 if k < 120 else (k - 119) ** 1.4 + k / 256 for k in range(256)])


def _events(sample: Sample, first: int, count: int) -> bytes:
    """Float32, big-endian; the first parameter is the time in milliseconds."""
    parameters = len(_channels(sample))
    drawn = sample.random("event", first).randbytes(count * parameters)
    values = array("f", map(_VALUES.__getitem__, drawn))
    step_ms = 1000 * sample.pushes * PUSH_S / sample.events
    values[0::parameters] = array("f", [step_ms * (first + k) for k in range(count)])
    if sys.byteorder == "little":
        values.byteswap()
    return values.tobytes()
