"""The command line: one module a command, each with its page in docs/commands."""
