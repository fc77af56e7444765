"""In which laboratory is coldchain attacked?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.promises.lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A source, one destination that is called nas, a configuration."""
    return Lab(tmp_path / "lab")
