"""Which folders of a source fit a pattern that has one part for each level?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from coldchain.config.problems import suggestion
from coldchain.errors import ConfigurationError
from coldchain.model import OWN_FOLDER
from coldchain.stores.base import Store


def folders_like(source: Store, pattern: str, words: Sequence[str]) -> Iterator[str]:
    """Yield every folder that fits, as a path; ``*/*`` are the folders two levels down, and so on.

    A pattern without ``*``, ``?`` or ``[`` in it is taken for a word that was spelt wrongly.
    Raises ConfigurationError, in which ``words`` are the words of the instrument that could have been meant.
    """
    levels = pattern.split("/")
    if not set(pattern) & set("*?["):
        meant = suggestion(pattern, words)
        raise ConfigurationError(
            f'datasets = "{pattern}": no word of this instrument, nor a pattern such as "*/*"; {meant}'
        )
    if not {"", ".", "..", "**"}.isdisjoint(levels):
        known = ", ".join(f'"{word}"' for word in words)
        raise ConfigurationError(
            f'datasets = "{pattern}": use {known}, or one pattern for each level, such as "*/2024-*"'
        )
    yield from _below(source, "", levels)


def _below(source: Store, folder: str, levels: list[str]) -> Iterator[str]:
    for name in source.folders(folder):
        if not folder and name == OWN_FOLDER:
            continue
        if fnmatchcase(name, levels[0]):
            path = f"{folder}/{name}" if folder else name
            if len(levels) == 1:
                yield path
            else:
                yield from _below(source, path, levels[1:])
