"""How is a stream of work cut into batches?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

BATCH_FILES = 1000
BATCH_BYTES = 128 << 20
LARGE_BYTES = 32 << 20
"""A file of this size is a batch of its own."""


def in_batches(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Cut a stream into batches of up to ``BATCH_FILES`` items and ``BATCH_BYTES`` bytes; large items go alone.

    Order is kept, but for a large item, which overtakes the small ones that wait for their batch to fill.
    """
    batch: list[T] = []
    size_bytes = 0
    for item in items:
        size = size_of(item)
        if size >= LARGE_BYTES:
            yield [item]
            continue
        batch.append(item)
        size_bytes += size
        if len(batch) >= BATCH_FILES or size_bytes >= BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch
