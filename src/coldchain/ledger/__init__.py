"""The memory of coldchain, and the only SQL: see ``ledger.Ledger`` and, beside the data, ``manifest``."""
