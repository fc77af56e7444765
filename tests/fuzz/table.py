"""Which parsers of foreign bytes are there, each with its target?"""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.targets import cytometers, datasets, ledgers, own, servers, settings, tiffs

MODULES = (cytometers, datasets, ledgers, own, servers, settings, tiffs)
TARGETS: dict[str, Target] = {target.name: target for module in MODULES for target in module.TARGETS}
