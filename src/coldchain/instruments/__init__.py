"""How instruments lay out their files: ``base`` is the contract, one more file per kind."""
