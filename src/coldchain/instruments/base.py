"""What must coldchain know of an instrument?"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from importlib import import_module
from typing import Protocol

from coldchain.errors import ConfigurationError
from coldchain.model import Dataset
from coldchain.stores.base import Store


class Instrument(Protocol):
    """How one kind of instrument lays out what it acquires.  Mostly data; one constant ``INSTRUMENT`` per module."""

    name: str
    title: str
    """One line for people."""

    def find(self, source: Store, pattern: str) -> Iterator[Dataset]:
        """Find the datasets in a source, ascending by root; together they hold every file, each file in one of them.

        ``pattern`` is the job's ``datasets`` setting.  Raises ConfigurationError when it makes no sense here.
        """


KINDS = {"files": "coldchain.instruments.files"}


def open_instrument(name: str) -> Instrument:
    """The instrument of that name; raises ConfigurationError with the nearest right spelling."""
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(KINDS))}"
        raise ConfigurationError(f"no instrument is called {name!r}{hint}")
    instrument: Instrument = import_module(KINDS[name]).INSTRUMENT
    return instrument
