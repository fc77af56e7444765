"""How does a large file get to Google's server while it is read?

By a resumable upload, piece after piece; the object appears with the last one, which is kept back until then.  So
nothing is ever copied or removed at the server, and what a killed run leaves is no object: it is never listed, costs
nothing, and is forgotten after a week (Cloud Storage, "Resumable uploads").  The alternative, another name and a
``rewrite``, leaves objects that have to be swept, and removing those of a cold class is billed for months.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from coldchain.errors import NotFound, Unreliable
from coldchain.stores.objects.bucket import Found
from coldchain.stores.objects.patience import Patience, Verdict
from coldchain.stores.objects.pieces import session

_RESUME = 308


class _Answered(Exception):
    """An answer that is no success, in the form of the library's errors."""

    def __init__(self, response: Any) -> None:
        super().__init__(response.status_code)
        self.code, self.response = response.status_code, response
        self.message = str(response.text)[:300]
        self.errors: list[object] = []
        with contextlib.suppress(ValueError, AttributeError):
            told = response.json().get("error", {})
            self.message, self.errors = str(told.get("message", "")), told.get("errors", [])


class Session:
    """One upload; used by one thread, while one piece travels in another."""

    def __init__(
        self,
        address: str,
        replaces: str,
        part_bytes: int,
        patience: Patience,
        judge: Callable[[Exception], Verdict],
    ) -> None:
        """Go on with the upload at ``address``, which is as good as a password, and is shown to nobody.

        ``replaces`` is the mark of the object whose place it was begun for, "" for a free name.
        """
        self._address, self._replaces, self._part_bytes = address, replaces, part_bytes
        self._patience, self._judge = patience, judge
        self._http = session(1)
        self._waiting = bytearray()
        self._sent_bytes = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="gcs")
        self._travelling: Future[None] | None = None

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece; at least one byte is kept back."""
        self._waiting += chunk
        while len(self._waiting) > self._part_bytes:
            part = bytes(memoryview(self._waiting)[: self._part_bytes])
            del self._waiting[: self._part_bytes]
            self._arrived()
            self._travelling = self._pool.submit(self._send, self._sent_bytes, part, None, {})
            self._sent_bytes += len(part)

    def finish(self) -> None:
        """Wait until all has arrived but the piece that makes it an object."""
        self._arrived()

    def _arrived(self) -> None:
        if self._travelling is not None:
            travelling, self._travelling = self._travelling, None
            travelling.result()

    def publish(self, expected: Found | None, sums: Mapping[str, str]) -> None:
        """Send the last piece; the server looks then what stands under the name."""
        if (expected.mark if expected else "") != self._replaces:
            raise self._judge(_NotMet()).error
        total = self._sent_bytes + len(self._waiting)
        self._send(self._sent_bytes, bytes(self._waiting), total, {"X-Goog-Hash": f"crc32c={sums['crc32c']}"})

    def close(self, *, published: bool) -> None:
        """Tell the server to forget it; a failure costs nothing, for it forgets by itself."""
        if self._travelling is not None:
            self._travelling.cancel()
        self._pool.shutdown()
        if not published:
            with contextlib.suppress(Exception):
                self._http.delete(self._address, timeout=self._timeout, headers={"Content-Length": "0"})
        self._waiting = bytearray()
        self._http.close()

    @property
    def _timeout(self) -> tuple[float, float]:
        return self._patience.connect_s, self._patience.read_s

    # --- one piece ---------------------------------------------------------------------------------------------------

    def _send(self, offset: int, part: bytes, total: int | None, headers: Mapping[str, str]) -> None:
        """Send until the server has it all; after a failure it is asked how much that is."""
        at, end, sure = offset, offset + len(part), True

        def attempt() -> None:
            nonlocal at, sure
            while at < end:
                span = f"bytes {at}-{end - 1}/{'*' if total is None else total}"
                if sure:
                    sure = False
                    have = self._put(memoryview(part)[at - offset :], {"Content-Range": span, **headers})
                else:
                    have = self._put(b"", {"Content-Range": f"bytes */{'*' if total is None else total}"})
                if have is None and total is None:
                    raise Unreliable("the server made an object of a part of the file")
                at = end if have is None else have
                sure = True
                if not offset <= at <= end:
                    raise Unreliable("the server lost a part of the upload")

        try:
            self._patience.keep_trying(attempt, self._judge)
        except NotFound as error:
            if total is None:  # with the last piece it may have become an object, which is looked for
                raise Unreliable("the server forgot the upload, which must begin anew") from error
            raise

    def _put(self, content: bytes | memoryview, headers: Mapping[str, str]) -> int | None:
        """How many bytes the server has now, None when it has made an object of them."""
        response = self._http.put(
            self._address, data=bytes(content), headers=dict(headers), timeout=self._timeout, allow_redirects=False
        )
        if response.status_code in {200, 201}:
            return None
        if response.status_code == _RESUME:
            last = response.headers.get("Range", "").rpartition("-")[2]
            return int(last) + 1 if last else 0
        raise _Answered(response)


class _NotMet(Exception):
    """What the server would say if it were asked."""

    code = 412
    message = ""
