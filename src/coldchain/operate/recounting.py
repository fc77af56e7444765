"""What does each side hold, when other code counts it once more?"""

from __future__ import annotations

from coldchain.config.values import Job
from coldchain.ledger.ledger import Ledger
from coldchain.notify.letter import Listing, Table
from coldchain.steps.report import Report


def counted(job: Job, report: Report, ledger: Ledger) -> tuple[Table | Listing, ...]:
    """Count."""
    return ()
