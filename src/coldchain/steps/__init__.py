"""The steps of a run, each of which can be read, tested and called by itself."""
