"""How long do the properties search?

In the suite the examples are few and always the same.  To search for more, and anew each time:
``COLDCHAIN_EXAMPLES=50 make test ARGS="-n0 tests/properties"``, which makes fifty times as many.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

FACTOR = int(os.environ.get("COLDCHAIN_EXAMPLES", "0"))
_PHASES = (Phase.explicit, Phase.generate, *((Phase.shrink,) if FACTOR else ()))
"""To make a bad example small can take minutes: it is for those who search."""


def few(count: int) -> settings:
    """So many examples, the same each time; or many times as many others."""
    return settings(
        max_examples=count * max(1, FACTOR),
        derandomize=not FACTOR,
        deadline=None,
        phases=_PHASES,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
