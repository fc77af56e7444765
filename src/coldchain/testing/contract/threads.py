"""Can many threads use one store at once?"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from coldchain.errors import Occupied, StoreError
from coldchain.model import Entry
from coldchain.stores.base import Store
from coldchain.testing.contract.acts import (
    Subject,
    arrived,
    carry,
    content_of,
    everything,
    put_in,
    replace,
    some_bytes,
    staging_of,
)

T = TypeVar("T")
THREADS = 4
FILES = 12


class ThreadsContract(Subject):
    """The store is thread-safe; each thread has a staging of its own."""

    def test_threads_write_side_by_side(self, store: Store) -> None:
        """Into the same new folders, each its own files."""

        def write(number: int) -> None:
            contents = {f"run/{n % 3}/{number}-{n}": some_bytes(1000 + n, salt=number) for n in range(FILES)}
            carry(store, contents)
            assert all(content_of(store, key) == content for key, content in contents.items())

        _at_once([lambda number=number: write(number) for number in range(THREADS)])  # type: ignore[misc]
        assert everything(store) == sorted(f"run/{n % 3}/{t}-{n}" for n in range(FILES) for t in range(THREADS))

    def test_of_many_that_want_one_name_one_gets_it(self, store: Store) -> None:
        """The others find it occupied, and the content is that of the one."""

        def want(number: int) -> Entry | StoreError:
            with staging_of(store) as staging:
                put_in(staging, "run/wanted", some_bytes(5000, salt=number))
                staging.flush()
                return staging.publish({"run/wanted": None})["run/wanted"]

        results = _at_once([lambda number=number: want(number) for number in range(THREADS)])  # type: ignore[misc]
        winners = [number for number, result in enumerate(results) if isinstance(result, Entry)]
        assert len(winners) == 1
        assert sum(isinstance(result, Occupied) for result in results) == THREADS - 1
        assert content_of(store, "run/wanted") == some_bytes(5000, salt=winners[0])
        assert everything(store) == ["run/wanted"]

    def test_who_reads_while_others_replace_reads_a_whole_file(self, store: Store) -> None:
        """Under a name stands the old or the new content, at every moment (P3)."""
        contents = {some_bytes(200_000, salt=number) for number in range(FILES)}
        entry = carry(store, {"a": min(contents)})["a"]
        done = threading.Event()

        def write() -> None:
            try:
                expected = entry
                for content in sorted(contents):
                    expected = arrived(replace(store, "a", content, expected))
            finally:
                done.set()

        def read() -> None:
            while not done.is_set():
                assert content_of(store, "a") in contents

        _at_once([write, read, read])
        assert content_of(store, "a") == max(contents)


def _at_once(deeds: list[Callable[[], T]]) -> list[T]:
    """Start all deeds at the same moment; raises what the first of them raised."""
    gate = threading.Barrier(len(deeds))

    def run(deed: Callable[[], T]) -> T:
        gate.wait(timeout=30)
        return deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return [future.result(timeout=120) for future in [pool.submit(run, deed) for deed in deeds]]
