"""How is a place kept from taking more of the line than it was given?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from coldchain.config.bandwidth import Window, parse_bandwidth
from coldchain.errors import ConfigurationError
from coldchain.model import Entry
from coldchain.stores.base import Reader, Sink, Staging, Store
from coldchain.stores.wrapped.passing import PassingReader, PassingSink, PassingStaging, PassingStore

_BURST_S = 0.25
"""So much of what was not used before may be used at once."""


def local_minute() -> int:
    """The minute of the day by the clock on the wall."""
    now = time.localtime()
    return now.tm_hour * 60 + now.tm_min


class Bucket:
    """What all that goes to and from one place draws from; thread-safe."""

    def __init__(
        self,
        windows: Sequence[Window],
        *,
        minute: Callable[[], int] = local_minute,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin full; the clock counts seconds, ``minute`` says the minute of the day."""
        self._windows = tuple(windows)
        self._minute, self._clock, self._sleep = minute, clock, sleep
        self._lock = threading.Lock()
        self._paid_until = float("-inf")
        """The moment by which all that was drawn so far will have been earned."""

    def draw(self, size_bytes: int) -> None:
        """Wait until so many bytes may travel.  Who draws pays for itself: the wait is that for its own bytes."""
        bytes_per_s = self._bytes_per_s()
        if bytes_per_s is None or size_bytes <= 0:
            return
        with self._lock:
            now = self._clock()
            self._paid_until = max(self._paid_until, now - _BURST_S) + size_bytes / bytes_per_s
            wait_s = self._paid_until - now
        if wait_s > 0:
            self._sleep(wait_s)

    def _bytes_per_s(self) -> int | None:
        minute = self._minute()
        return next((window.bytes_per_s for window in self._windows if window.holds_at(minute)), None)


class Buckets:
    """One bucket for each place, however often the place is opened; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], Bucket] = {}

    def of(self, url: str, bandwidth: str) -> Bucket:
        """The bucket of a place; raises ConfigurationError when the bandwidth is none."""
        with self._lock:
            if (url, bandwidth) not in self._made:
                try:
                    self._made[url, bandwidth] = Bucket(parse_bandwidth(bandwidth))
                except ValueError as error:
                    raise ConfigurationError(f"{url}: bandwidth: {bandwidth!r} {error}") from error
            return self._made[url, bandwidth]


_OF_THIS_PROCESS = Buckets()
"""The one exception to "no module state": every thread of a run opens its stores anew, and all of them together may
use the line only as fast as the person said."""


class ThrottledStore(PassingStore):
    """Any store whose content travels no faster than a bucket allows, in both directions."""

    def __init__(self, inner: Store, bucket: Bucket) -> None:
        """Wrap a store."""
        super().__init__(inner)
        self._bucket = bucket

    def read(self, key: str, *, past_cache: bool = False) -> Reader:
        """Open a file whose chunks come no faster."""
        return _ThrottledReader(self._inner.read(key, past_cache=past_cache), self._bucket)

    def stage(self, owner: str = "") -> Staging:
        """Begin to write no faster."""
        return _ThrottledStaging(self._inner.stage(owner), self._bucket)


class _ThrottledReader(PassingReader):
    def __init__(self, inner: Reader, bucket: Bucket) -> None:
        super().__init__(inner)
        self._bucket = bucket

    def chunks(self) -> Iterator[bytes | memoryview]:
        for chunk in super().chunks():
            self._bucket.draw(len(chunk))
            yield chunk

    def piece(self, offset: int, length: int) -> bytes:
        found = super().piece(offset, length)
        self._bucket.draw(len(found))
        return found


class _ThrottledSink(PassingSink):
    def __init__(self, inner: Sink, bucket: Bucket) -> None:
        super().__init__(inner)
        self._bucket = bucket

    def write(self, chunk: bytes | memoryview) -> None:
        self._bucket.draw(len(chunk))
        super().write(chunk)


class _ThrottledStaging(PassingStaging):
    def __init__(self, inner: Staging, bucket: Bucket) -> None:
        super().__init__(inner)
        self._bucket = bucket

    def open(self, key: str, entry: Entry) -> Sink:
        return _ThrottledSink(super().open(key, entry), self._bucket)

    def read_back(self, key: str) -> Reader:
        return _ThrottledReader(super().read_back(key), self._bucket)


def throttled(store: Store, bandwidth: str) -> Store:
    """Slow a store down to what ``Place.options`` says, together with all others of this process at its URL."""
    return ThrottledStore(store, _OF_THIS_PROCESS.of(store.url, bandwidth))
