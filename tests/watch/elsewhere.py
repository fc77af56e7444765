"""How is a job tested whose source or destination is no folder?"""

from __future__ import annotations

import json
from pathlib import Path

from tests.watch.lab import Lab


class Elsewhere(Lab):
    """A job whose source or destination is no folder; ``more`` are further lines of the configuration."""

    def __init__(self, folder: Path, *, source: str = "", url: str = "near", more: str = "", job: str = "") -> None:
        self._source, self._url, self._more, self._job = source, url, more, job
        super().__init__(folder)

    def configure(self, said: dict[str, str]) -> str:
        """The text of the configuration."""
        lines = ["version = 1", "[jobs.rig]", f"source = {self._source or json.dumps(str(self.source))}"]
        lines += ['destinations = ["near"]', 'settle = "1 s"', self._job]
        lines += ["[destinations.near]", f'url = "{self._url}"', self._more, ""]
        return "\n".join(lines)
