"""What the person configured: ``values`` are the answers, ``read`` makes them out of TOML and the environment."""
