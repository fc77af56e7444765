"""How is a container of Azure Blob Storage a store?"""

from __future__ import annotations

from collections.abc import Mapping

from coldchain.stores.azure.container import Container
from coldchain.stores.azure.where import where
from coldchain.stores.objects.patience import PATIENT, Patience
from coldchain.stores.objects.store import ObjectStore, traits


class AzureStore(ObjectStore[Container]):
    """A container, or a folder in it."""

    def __init__(self, url: str, *, options: Mapping[str, str] | None = None, patience: Patience = PATIENT) -> None:
        """Name the place; nothing is asked and no package imported until it is used.

        Args:
            url: ``az://container`` or ``az://container/folder``.
            options: See docs/stores/azure.md; raises ConfigurationError for others.
            patience: How often a request is tried.
        """
        place = where(url, options or {})
        facts = traits(1_000_000_000, ("md5",))
        super().__init__(place.url, facts, place.whole_bytes, (place, patience), lambda: Container(place, patience))
