"""How do people hear of a run: one contract, one more module per way."""
