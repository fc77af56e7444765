"""What does a catalogue say of a run?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from coldchain.instruments.merscope.headers import Experiment, plain
from coldchain.instruments.merscope.names import RUN, started
from coldchain.model import Tally

_KEYS = (
    "experimentId",
    "experimentName",
    "startDateTime",
    "measurementStartDateTime",
    "endDateTime",
    "panelName",
    "codebookName",
    "codebookId",
    "sampleThickness",
    "cartridgeBarcode",
    "fovCount",
    "regionSummaries",
    "additionalStains",
    "runMode",
)
_PERSONAL_KEYS = ("experimentDescription", "userId")
_MOSAIC_KEYS = ("microns_per_pixel", "mosaic_width_pixels", "mosaic_height_pixels")


def catalogue_of(
    run: str,
    experiment: Experiment,
    regions: Sequence[Mapping[str, object]],
    tallies: Mapping[str, Tally],
    *,
    personal: bool,
) -> dict[str, object]:
    """The fields of experiment.json under their own names, those of the manifests where all regions agree, counts.

    ``start`` falls back on the name of the run: local time of the instrument, to the minute, without a zone.
    """
    values = experiment.values
    keys = (*_KEYS, *_PERSONAL_KEYS) if personal else _KEYS
    catalogue = {key: plain(values[key]) for key in keys if key in values}
    when = started(run)
    start = _time(values.get("startDateTime")) or (when.isoformat(timespec="minutes") if when else "")
    if start:
        catalogue["start"] = start
    if end := _time(values.get("endDateTime")):
        catalogue["end"] = end
    if found := RUN.fullmatch(run):
        catalogue["serial"] = found[3]
    for key in _MOSAIC_KEYS:
        said = [region[key] for region in regions if key in region]
        if said and all(value == said[0] for value in said):
            catalogue[key] = said[0]
    for part, tally in tallies.items():
        catalogue[f"{part}_files"], catalogue[f"{part}_bytes"] = tally.files, tally.size_bytes
    return catalogue


def _time(value: object) -> str:
    """A time in ISO 8601, or ""."""
    if not isinstance(value, str):
        return ""
    try:
        return datetime.fromisoformat(value).isoformat()
    except ValueError:
        return ""
