"""Which requests are made again after trouble that may pass?

Only those that can be made twice without harm.  What was written may be half there, a flush that failed must never be
repeated, and a publication without a reply may have happened: those errors go to the run, which begins the file anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from coldchain.content.patience import Patience, passes
from coldchain.errors import ConfigurationError, NotFound, StoreError
from coldchain.model import Entry, Oddity
from coldchain.stores.base import Reader, Sink, Staging, Store
from coldchain.stores.wrapped.passing import PassingReader, PassingStaging, PassingStore


class RetryingStore(PassingStore):
    """Any store whose harmless requests are made again when they meet trouble that may pass."""

    def __init__(self, inner: Store, patience: Patience) -> None:
        """Wrap a store."""
        super().__init__(inner)
        self._patience = patience

    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        """List; after trouble from the beginning, without what was seen already, for listings ascend."""
        seen, tried = "", 0
        while True:
            try:
                for item in self._inner.list(prefix, without=without):
                    if item.path > seen or not seen:
                        seen, tried = item.path, 0
                        yield item
            except StoreError as error:
                if tried == self._patience.retries or not passes(error):
                    raise
                self._patience.wait(tried)
                tried += 1
            else:
                return

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Ask for the folders."""
        yield from self._patience.outlast(lambda: [*self._inner.folders(prefix)])

    def stat(self, key: str) -> Entry:
        """Look."""
        return self._patience.outlast(lambda: self._inner.stat(key))

    def read(self, key: str, *, past_cache: bool = False) -> Reader:
        """Open a file, whose content is asked for again as long as nothing of it came."""
        opened = self._patience.outlast(lambda: self._inner.read(key, past_cache=past_cache))
        return _RetryingReader(opened, self._patience)

    def stage(self, owner: str = "") -> Staging:
        """Begin to write."""
        return _RetryingStaging(self._patience.outlast(lambda: self._inner.stage(owner)), self._patience)

    def delete(self, key: str) -> None:
        """Remove a file; that it is gone at a later try is what was wanted."""
        tries = 0

        def deed() -> None:
            nonlocal tries
            tries += 1
            try:
                self._inner.delete(key)
            except NotFound:
                if tries == 1:
                    raise

        self._patience.outlast(deed)

    def volume(self) -> str:
        """Ask which place it is."""
        return self._patience.outlast(self._inner.volume)

    def make(self) -> None:
        """Make the place, if it is not there."""
        self._patience.outlast(self._inner.make)


class _RetryingReader(PassingReader):
    def __init__(self, inner: Reader, patience: Patience) -> None:
        super().__init__(inner)
        self._patience = patience

    def chunks(self) -> Iterator[bytes | memoryview]:
        def begin() -> tuple[Iterator[bytes | memoryview], bytes | memoryview | None]:
            pieces = iter(super(_RetryingReader, self).chunks())
            return pieces, next(pieces, None)

        pieces, first = self._patience.outlast(begin)
        if first is not None:
            yield first
            yield from pieces

    def piece(self, offset: int, length: int) -> bytes:
        return self._patience.outlast(lambda: self._inner.piece(offset, length))

    def look_again(self) -> Entry:
        return self._patience.outlast(self._inner.look_again)


class _RetryingStaging(PassingStaging):
    def __init__(self, inner: Staging, patience: Patience) -> None:
        super().__init__(inner)
        self._patience = patience

    def open(self, key: str, entry: Entry) -> Sink:
        return self._patience.outlast(lambda: self._inner.open(key, entry))

    def read_back(self, key: str) -> Reader:
        return _RetryingReader(self._patience.outlast(lambda: self._inner.read_back(key)), self._patience)


def retrying(store: Store, retries: str) -> Store:
    """Make harmless requests again as often as ``Place.options`` says."""
    if not retries.isdecimal():
        raise ConfigurationError(f"{store.url}: retries: {retries!r} is no whole number")
    return RetryingStore(store, Patience(int(retries))) if int(retries) else store
