"""How is one request made, and how often?"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from coldchain.stores.away import Away
from coldchain.stores.objects.patience import Patience
from coldchain.stores.s3.trouble import judge, status_of, translate
from coldchain.stores.s3.where import Where

if TYPE_CHECKING:
    from coldchain.stores.s3.quick import Quick

Facts = dict[str, Any]
"""What the server answered, in the words of the protocol."""


class Caller:
    """Makes requests to one bucket; thread-safe.  botocore's own retries are off, so that each is counted once."""

    def __init__(self, client: Any, where: Where, patience: Patience, quick: Quick | None = None) -> None:
        self.quick = quick
        """The way to try first for small objects, if there is one."""
        self._client, self._patience, self._away = client, patience, Away(patience.away_s)
        self._always: Facts = {"Bucket": where.bucket}
        if where.manner.requester_pays:
            self._always["RequestPayer"] = "requester"
        self.url = where.url

    def __call__(self, operation: str, key: str = "", answers: Collection[int] = (), **arguments: Any) -> Facts:
        """Make a request; raises StoreErrors that name ``key``.  The statuses ``answers`` are not tried again."""
        return self.counted(operation, key, answers, **arguments)[0]

    def counted(
        self, operation: str, key: str = "", answers: Collection[int] = (), **arguments: Any
    ) -> tuple[Facts, int]:
        """Make a request, and say how many tries it took: what an earlier one did is not known."""
        verb, tries = getattr(self._client, operation), 0

        def deed() -> Facts:
            nonlocal tries
            tries += 1
            try:
                facts: Facts = verb(**self._always, **arguments)
                return facts
            except Exception as error:
                if status_of(error) in answers:
                    raise translate(error, url=self.url, key=key) from error
                raise

        facts = self._away.ask(
            lambda: self._patience.keep_trying(deed, lambda error: judge(error, url=self.url, key=key))
        )
        return facts, tries
