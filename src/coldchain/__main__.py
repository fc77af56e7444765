"""``python -m coldchain`` is the same as ``coldchain``."""

from coldchain.cli.main import main

main()
