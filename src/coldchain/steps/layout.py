"""Under which key does a file of a dataset go at a destination?"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from coldchain.config.values import Destination
from coldchain.errors import ConfigurationError
from coldchain.instruments.base import Instrument
from coldchain.model import OWN_FOLDER, REST, Dataset, Part

_FIELD = re.compile(r"\{([^{}]*)\}")
_OWN = ("job", "dataset", "part", "path")


class Region(NamedTuple):
    """Where the files of a part lie at a destination: below a folder, under names that begin so."""

    folder: str
    begins: str
    without: Collection[str]
    """Folders in it that belong to other datasets."""


class Layout(NamedTuple):
    """Maps the paths of one part of a dataset to keys of one destination, keeping their order."""

    prefix: str
    """What comes before the path: "" or something that ends in "/"."""
    cut: int
    """How many characters of a path the layout replaces."""

    def key(self, path: str) -> str:
        """The key of a source path."""
        return self.prefix + path[self.cut :]

    def region(self, part: Part) -> Region:
        """The place at the destination that holds the part."""
        start = part.start if part.begins or not part.root else f"{part.root}/"
        folder, _, begins = self.key(start).rpartition("/")
        without = {self.key(beginning)[:-1] for beginning in part.without if beginning.endswith("/")}
        if not folder:
            without.add(OWN_FOLDER)
        return Region(folder, begins, without)


def check_layout(template: str, instrument: Instrument, destination: str) -> None:
    """Refuse a layout that the instrument's datasets cannot fill in, or in which two parts would lie on one another."""
    habits = instrument.habits
    fields = _FIELD.findall(template)
    known = [*_OWN, *habits.fields]
    if unknown := [field for field in fields if field not in known or (field == "part" and not habits.parts)]:
        usable = ", ".join(f"{{{field}}}" for field in known if field != "part" or habits.parts)
        raise ConfigurationError(
            f"{destination}: the layout names {{{unknown[0]}}}, which the instrument {instrument.name} does not have; "
            f"it has {usable}"
        )
    if len(habits.parts) > 1 and set(fields) > {"path"} and "part" not in fields and _cuts(fields):
        raise ConfigurationError(
            f"{destination}: the parts of a dataset ({', '.join(habits.parts)}) would lie on one another; name "
            f"{{part}} in the layout, such as {{dataset}}/{{part}}/{{path}}"
        )


def check_apart(destination: Destination, job: str, datasets: Iterable[Dataset]) -> None:
    """Refuse a layout that gives files of two datasets the same names, for it names only what both share."""
    if "{dataset}" in destination.layout or not _cuts(_FIELD.findall(destination.layout)):
        return
    first: dict[tuple[str, str], str] = {}
    for dataset in datasets:
        for part in dataset.parts:
            region = layout_of(destination.layout, job, dataset, part).region(part)
            other = first.setdefault((region.folder, region.begins), dataset.name)
            if other != dataset.name:
                raise ConfigurationError(
                    f"{destination.name}: the datasets {other!r} and {dataset.name!r} would both lie in "
                    f"{region.folder!r}, one over the other; name {{dataset}} in the layout, or what tells them apart"
                )


def layout_of(template: str, job: str, dataset: Dataset, part: Part) -> Layout:
    """Fill in a destination's ``layout`` for one part of a dataset; the configuration made sure that it is well formed.

    A layout that names what it knows of a dataset puts ``{path}`` below the dataset; a part of a path that names
    something which this dataset does not have vanishes (files outside of datasets).
    """
    fields = _FIELD.findall(template)
    if not _cuts(fields):
        return Layout(template.removesuffix("{path}").replace("{job}", job), 0)
    values = {"job": job, **dict(dataset.fields)}
    if dataset.name != REST:
        values |= {"dataset": dataset.name, "part": part.name}
    levels = []
    for level in template.split("/")[:-1]:
        if all(values.get(field) for field in _FIELD.findall(level)):
            levels.append(_FIELD.sub(lambda found: values[found[1]], level))
    prefix = "".join(f"{level}/" for level in levels)
    return Layout(prefix, len(part.root) + 1 if part.root else 0)


def _cuts(fields: list[str]) -> bool:
    return any(field not in ("job", "path") for field in fields)
