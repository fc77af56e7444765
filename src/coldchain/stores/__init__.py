"""Places that keep whole files: ``base`` is the contract, every other module or package here is one kind."""
