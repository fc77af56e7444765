"""How is a long stream put in order without filling the memory?"""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from operator import itemgetter
from typing import IO

_RUN = 50_000
"""So many items are sorted in memory; what is longer waits on disk in sorted runs."""
Row = list[str | int]
"""What an item is on disk; its first value is the one to sort by."""


def in_order(rows: Iterable[Row], run: int = _RUN) -> Iterator[Row]:
    """Yield the rows ascending by their first value, by code point; each value once."""
    by: Callable[[Row], str | int] = itemgetter(0)
    rows = iter(rows)
    first = sorted(islice(rows, run), key=by)
    with ExitStack() as stack:
        runs: list[Iterator[Row]] = [iter(first)]
        while len(first) >= run and (waiting := sorted(islice(rows, run), key=by)):
            file = stack.enter_context(tempfile.TemporaryFile("w+", encoding="ascii", prefix="coldchain-"))
            for row in waiting:
                file.write(json.dumps(row) + "\n")
            file.seek(0)
            runs.append(_read(file))
        before: str | int | None = None
        for row in heapq.merge(*runs, key=by):
            if row[0] != before:
                before = row[0]
                yield row


def _read(file: IO[str]) -> Iterator[Row]:
    for line in file:
        yield json.loads(line)
