"""Under which key does a file of a dataset go at a destination?"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from coldchain.model import OWN_FOLDER, Dataset


class Layout(NamedTuple):
    """Maps the paths of one dataset to keys of one destination, keeping their order.

    ``{path}`` is the path below the source, or below the dataset in a layout that names ``{dataset}``.
    """

    prefix: str
    """What comes before the path: "" or something that ends in "/"."""
    cut: int
    """How many characters of a path the layout replaces."""

    def key(self, path: str) -> str:
        """The key of a source path."""
        return self.prefix + path[self.cut :]

    def path(self, key: str, dataset: Dataset) -> str:
        """The source path of a key below the prefix."""
        return (f"{dataset.root}/" if self.cut else "") + key[len(self.prefix) :]

    def region(self, dataset: Dataset) -> tuple[str, Collection[str]]:
        """The folder of the destination that holds the dataset, and the folders in it that do not belong to it."""
        without = {self.key(f"{root}/")[:-1] for root in dataset.without}
        folder = self.key(f"{dataset.root}/" if dataset.root else "")
        if not folder:
            without.add(OWN_FOLDER)
        return folder.rstrip("/"), without


def layout_of(template: str, job: str, dataset: Dataset) -> Layout:
    """Fill in a destination's ``layout`` for one dataset; the configuration made sure that it ends in ``{path}``."""
    head = template.removesuffix("{path}").replace("{job}", job)
    if "{dataset}" not in head:
        return Layout(head, 0)
    if not dataset.root:
        return Layout(head.replace("{dataset}/", "").replace("{dataset}", ""), 0)
    return Layout(head.replace("{dataset}", dataset.name), len(dataset.root) + 1)
