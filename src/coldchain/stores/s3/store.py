"""How is a bucket of S3 a store?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from coldchain.errors import ConfigurationError
from coldchain.model import Secret
from coldchain.stores.objects.keys import is_note
from coldchain.stores.objects.patience import PATIENT, Patience
from coldchain.stores.objects.store import ObjectStore, traits
from coldchain.stores.s3.bucket import S3Bucket
from coldchain.stores.s3.checksums import NAMES
from coldchain.stores.s3.keys import SECOND_NS
from coldchain.stores.s3.remarks import remarks_on, remarks_on_bucket
from coldchain.stores.s3.where import where


class S3Store(ObjectStore[S3Bucket]):
    """A bucket of Amazon S3, or of another server that speaks its protocol; or a folder in it."""

    def __init__(
        self,
        url: str,
        *,
        options: Mapping[str, str] | None = None,
        patience: Patience = PATIENT,
        secret: Secret | None = None,
    ) -> None:
        """Name the place; nothing is asked and no package imported until it is used.

        Args:
            url: ``s3://bucket`` or ``s3://bucket/folder``.
            options: See docs/stores/s3.md; raises ConfigurationError for others.
            patience: How often a request is tried.
            secret: ``KEY:SECRET``, as it stood in the URL.
        """
        place = replace(where(url, options or {}), secret=secret)
        if secret is not None and (place.manner.profile or place.manner.anonymous):
            raise ConfigurationError(
                f"{place.url}: a key stands in the URL, and `profile` or `anonymous` beside it; take one out"
            )
        limit_s = place.manner.patience_s
        patience = replace(patience, connect_s=min(patience.connect_s, limit_s), read_s=limit_s)
        facts, whole_bytes = traits(SECOND_NS, NAMES), place.manner.whole_bytes
        # nobody uses the connection of one who has other rights
        same = (place, patience, secret.reveal() if secret else "")
        super().__init__(place.url, facts, whole_bytes, same, lambda: S3Bucket(place, patience))

    def delete(self, key: str) -> None:
        """Remove one object; with what tells of an upload goes the upload."""
        if is_note(key):
            self._bucket.abort_noted(key)
        super().delete(key)

    def remarks(self) -> Iterator[str]:
        """Say what a user should know of server and bucket; see ``Remarking``."""
        yield from remarks_on(self._bucket.whole(""), self._bucket.in_parts(""))
        yield from remarks_on_bucket(self._bucket.call)
