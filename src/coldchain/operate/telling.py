"""Who is told of a run, and when?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coldchain.config.values import Config
from coldchain.ledger.ledger import Ledger
from coldchain.monitor import Surroundings

if TYPE_CHECKING:
    from coldchain.operate.ending import Ending


def tell(config: Config, ending: Ending, ledger: Ledger, around: Surroundings) -> None:
    """Begin nothing unless the job asks for it."""
