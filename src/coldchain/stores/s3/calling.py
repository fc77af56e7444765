"""How is one request made, and how often?"""

from __future__ import annotations

import random
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coldchain.stores.s3.trouble import is_temporary, retry_after_s, status_of, translate
from coldchain.stores.s3.where import Where

if TYPE_CHECKING:
    from coldchain.stores.s3.quick import Quick

Facts = dict[str, Any]
"""What the server answered, in the words of the protocol."""
_LONGEST_ASKED_S = 60.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is tried that met temporary trouble, and how long is waited in between (with jitter)."""

    tries: int = 8
    first_wait_s: float = 0.25
    longest_wait_s: float = 16.0

    def wait_s(self, tried: int, asked_s: float) -> float:
        """How long to wait after so many tries; the server's Retry-After counts, up to a minute."""
        # jitter keeps many workers from coming back at once; no secret hangs on it
        waits: float = min(self.longest_wait_s, self.first_wait_s * 2 ** (tried - 1))
        return max(waits * random.uniform(0.5, 1), min(asked_s, _LONGEST_ASKED_S))  # noqa: S311


PATIENT = Patience()


class Caller:
    """Makes requests to one bucket; thread-safe.  botocore's own retries are off, so that each is counted once."""

    def __init__(self, client: Any, where: Where, patience: Patience, quick: Quick | None = None) -> None:
        self.quick = quick
        """The way to try first for small objects, if there is one."""
        self._client, self._where, self._patience = client, where, patience
        self._always: Facts = {"Bucket": where.bucket}
        if where.manner.requester_pays:
            self._always["RequestPayer"] = "requester"
        self.url = where.url

    def __call__(self, operation: str, key: str = "", **arguments: Any) -> Facts:
        """Make a request; ``key`` is only named in errors, which are StoreErrors."""
        return self.counted(operation, key, **arguments)[0]

    def counted(self, operation: str, key: str = "", **arguments: Any) -> tuple[Facts, int]:
        """Make a request, and say how many tries it took: what an earlier one did is not known."""
        try:
            return self.raw(operation, **arguments)
        except Exception as error:
            raise translate(error, url=self.url, key=key) from error

    def raw(self, operation: str, answers: Collection[int] = (), **arguments: Any) -> tuple[Facts, int]:
        """Make a request; errors are those of botocore, and these statuses are no reason to try again."""
        verb = getattr(self._client, operation)
        for tried in range(1, self._patience.tries + 1):
            try:
                facts: Facts = verb(**self._always, **arguments)
                return facts, tried
            except Exception as error:
                if tried == self._patience.tries or status_of(error) in answers or not is_temporary(error):
                    raise
                time.sleep(self._patience.wait_s(tried, retry_after_s(error)))
        raise AssertionError("at least one try is made")
