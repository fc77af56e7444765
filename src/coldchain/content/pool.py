"""Who works on several batches at once?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def threads(workers: int) -> Iterator[Executor]:
    """A pool of so many threads; work that has not begun is dropped when the block is left by an error."""
    executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="coldchain")
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def as_completed(
    executor: Executor, function: Callable[[T], R], items: Iterable[T], *, ahead: int
) -> Iterator[tuple[T, R]]:
    """Call ``function`` for each item, and yield item and result as they come, in no particular order.

    At most ``ahead`` items are taken from the stream before their results are handed out, so memory stays flat.  What
    was done is handed out before the error of another call is raised.
    """
    running: dict[Future[R], T] = {}
    source = iter(items)
    exhausted = False
    while True:
        while not exhausted and len(running) < ahead:
            try:
                item = next(source)
            except StopIteration:
                exhausted = True
                break
            running[executor.submit(function, item)] = item
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda one: one.exception() is not None):
            yield running.pop(future), future.result()
