"""What do the small files of a run say of the whole?

Nothing that stands in them is believed to be well formed: what makes no sense becomes a remark, and is left out.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from coldchain.errors import StoreError
from coldchain.instruments.base import Look
from coldchain.verdict import Remark

TEXT_BYTES = 4 << 20
"""No JSON or CSV of a run that is read here has more; the largest real one has 13 KB."""
TOML_BYTES = 64 << 10
MOST_FOVS, MOST_STACKS = 1_000_000, 1000
"""Beyond these a number is no count (real runs: 1,248 fields of view, 12 stacks)."""


class Texts:
    """Reads small files once each, and keeps what there is to remark on them."""

    def __init__(self, look: Look) -> None:
        self.remarks: list[Remark] = []
        self._look = look

    def read(self, path: str, limit_bytes: int = TEXT_BYTES) -> str | None:
        """The content, None when it cannot be read."""
        try:
            content = self._look.text(path, limit_bytes)
        except StoreError as error:
            self.remark(path, f"could not be read: {error.reason}")
            return None
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return content.decode("latin-1")

    def json(self, path: str) -> object:
        """The value, None when there is no sense in it."""
        text = self.read(path)
        if text is None:
            return None
        try:
            value: object = json.loads(text)
        except (ValueError, RecursionError) as error:
            self.remark(path, f"is no valid JSON: {_short(error)}")
            return None
        return value

    def remark(self, path: str, sentence: str) -> None:
        """Keep a word on a file."""
        self.remarks.append(Remark(path, sentence))


def _short(error: Exception) -> str:
    return str(error).encode("ascii", "replace").decode()[:100]


@dataclass(frozen=True, slots=True)
class Experiment:
    """What ``experiment.json`` says."""

    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def fov_count(self) -> int | None:
        """Fields of view, None where it does not say so."""
        return _count(self.values.get("fovCount"), MOST_FOVS)

    @property
    def region_fovs(self) -> int:
        """So many fields of view its regions have at least: they say first and last, counted from 0."""
        ends = (_count(region.get("endIndex"), MOST_FOVS - 1) for region in self._regions())
        return max((end + 1 for end in ends if end is not None), default=0)

    @property
    def region_count(self) -> int:
        """Regions that were drawn; 0 where it says nothing of them."""
        return len(self._regions())

    @property
    def codebook(self) -> str:
        """The name of the codebook file, or ""."""
        name = self.values.get("codebookName")
        return re.split(r"[\\/]", name)[-1] if isinstance(name, str) else ""

    def _regions(self) -> list[Mapping[str, object]]:
        regions = self.values.get("regionSummaries")
        return [region for region in regions if isinstance(region, dict)] if isinstance(regions, list) else []


def read_experiment(texts: Texts, path: str) -> Experiment:
    """Read ``experiment.json``."""
    value = texts.json(path)
    if isinstance(value, dict):
        return Experiment(value)
    if value is not None:
        texts.remark(path, "holds no experiment")
    return Experiment()


def _count(value: object, most: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None


@dataclass(frozen=True, slots=True)
class Plan:
    """Which stacks ``protocol.json`` has the instrument acquire, in its order."""

    stacks: Mapping[str, str]
    """The base name of the images, to the name of the file in ``settings`` that says how they are made."""
    readable: bool
    """False when it is not known whether these are all."""


def read_plan(texts: Texts, path: str) -> Plan:
    """Read ``settings/protocol.json``: a list of steps, each an object of one key.  Source: the real one."""
    steps = texts.json(path)
    if not isinstance(steps, list):
        if steps is not None:
            texts.remark(path, "holds no list of steps")
        return Plan({}, readable=False)
    imaging = [step["AcquireTiledImageStack"] for step in steps if isinstance(step, dict) and _IMAGING in step]
    stacks = {}
    for step in imaging:
        name, settings = (
            (step.get("base_name"), step.get("stack_configuration")) if isinstance(step, dict) else ("", "")
        )
        if isinstance(name, str) and name and isinstance(settings, str):
            stacks[name] = re.split(r"[\\/]", settings)[-1]
    readable = 0 < len(stacks) == len(imaging) <= MOST_STACKS
    if not readable:
        texts.remark(path, f"has {len(imaging):,} steps of imaging, of which {len(stacks):,} have names of their own")
    return Plan(stacks if len(stacks) <= MOST_STACKS else {}, readable)


_IMAGING = "AcquireTiledImageStack"


def read_organization(texts: Texts, path: str) -> list[str]:
    """The base names of the images that ``dataorganization.csv`` finds channels in: ``stack_3``, ``stack_prestain``.

    A round of -1 is one that has no number in the name.
    """
    text = texts.read(path)
    names: dict[str, None] = {}
    try:
        for row in csv.DictReader((text or "").splitlines()):
            kind, number = row.get("imageType"), row.get("imagingRound")
            if kind and number and len(names) < MOST_STACKS:
                names[kind if number == "-1" else f"{kind}_{number}"] = None
    except csv.Error as error:
        texts.remark(path, f"is no valid CSV: {_short(error)}")
    if text is not None and not names:
        texts.remark(path, "names no images")
    return list(names)


_Z_POSITIONS = re.compile(r"^z_positions\s*=\s*\[([-+.,\w\s]*)\]", re.ASCII | re.MULTILINE)


def read_frames(texts: Texts, path: str) -> int:
    """Frames of each image of a stack: one for each of the ``z_positions`` of its settings; 0 when they do not say.

    This one array is looked for, because tomllib takes 16 seconds for 64 KB of dotted keys.
    """
    text = texts.read(path, TOML_BYTES)
    found = _Z_POSITIONS.search(text or "")
    if found is None and text is not None:
        texts.remark(path, "has no z_positions")
    return sum(bool(number.strip()) for number in found[1].split(",")) if found else 0


_DIMENSIONS = re.compile(r"^frame dimensions\s*=\s*(\d{1,6})\s*x\s*(\d{1,6})\s*$", re.ASCII | re.MULTILINE)
_FRAMES = re.compile(r"^number of frames\s*=\s*(\d{1,9})\s*$", re.ASCII | re.MULTILINE)


def read_inf(texts: Texts, path: str) -> tuple[int, int]:
    """Pixels of a frame and frames of the image that a .inf describes; noughts when it does not say.

    Source: the image writers of storm-control; ``frame dimensions = 2048 x 2048``, ``number of frames = 22``.
    """
    text = texts.read(path, 16 << 10) or ""
    size, frames = _DIMENSIONS.search(text), _FRAMES.search(text)
    if size is None or frames is None:
        texts.remark(path, "does not say how large its image is")
        return 0, 0
    return int(size[1]) * int(size[2]), int(frames[1])


def plain(value: object, depth: int = 0) -> object:
    """A value of some JSON as a catalogue can hold it: bounded, without NaN and lone surrogates."""
    match value:
        case str():
            return value[:2000].encode("utf-8", "replace").decode()
        case bool() | None:
            return value
        case int():
            return value if abs(value) < 1 << 63 else str(value)[:100]
        case float():
            return value if math.isfinite(value) else None
        case list() if depth < 4:
            return [plain(item, depth + 1) for item in value[:1000]]
        case dict() if depth < 4:
            return {str(plain(key)): plain(item, depth + 1) for key, item in list(value.items())[:1000]}
    return None
