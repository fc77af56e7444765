"""How is a bucket of Google Cloud Storage a store?"""

from __future__ import annotations

from collections.abc import Mapping

from coldchain.stores.gcs.bucket import GcsBucket
from coldchain.stores.gcs.where import where
from coldchain.stores.objects.patience import PATIENT, Patience
from coldchain.stores.objects.store import ObjectStore, traits


class GcsStore(ObjectStore[GcsBucket]):
    """A bucket, or a folder in it."""

    def __init__(self, url: str, *, options: Mapping[str, str] | None = None, patience: Patience = PATIENT) -> None:
        """Name the place; nothing is asked and no package imported until it is used.

        Args:
            url: ``gs://bucket`` or ``gs://bucket/folder``.
            options: See docs/stores/gcs.md; raises ConfigurationError for others.
            patience: How often a request is tried.
        """
        place = where(url, options or {})
        facts = traits(1_000_000, ("crc32c",))
        super().__init__(place.url, facts, place.whole_bytes, (place, patience), lambda: GcsBucket(place, patience))
