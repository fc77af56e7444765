"""Does a store keep the contract of ``coldchain.stores.base``?

Subclass ``StoreContract`` in a test module and override its fixture ``store``; every sentence of the contract is a
test.  See ``docs/testing.md``.
"""

import pytest

_SUBJECTS = ("acts", "leftovers", "listing", "names", "place", "publishing", "reading", "staging", "threads")
pytest.register_assert_rewrite(*(f"{__name__}.{subject}" for subject in _SUBJECTS))

from coldchain.testing.contract.leftovers import LeftoversContract  # noqa: E402
from coldchain.testing.contract.listing import ListingContract  # noqa: E402
from coldchain.testing.contract.names import NamesContract  # noqa: E402
from coldchain.testing.contract.place import PlaceContract  # noqa: E402
from coldchain.testing.contract.publishing import PublishingContract  # noqa: E402
from coldchain.testing.contract.reading import ReadingContract  # noqa: E402
from coldchain.testing.contract.staging import StagingContract  # noqa: E402
from coldchain.testing.contract.threads import ThreadsContract  # noqa: E402

__all__ = ["StoreContract"]


class StoreContract(
    ReadingContract,
    ListingContract,
    StagingContract,
    PublishingContract,
    NamesContract,
    LeftoversContract,
    PlaceContract,
    ThreadsContract,
):
    """The whole contract; a third party overrides ``store``, and what else ``acts.Subject`` has defaults for."""
