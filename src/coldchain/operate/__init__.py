"""The stories that a person tells: what happens, in order."""
