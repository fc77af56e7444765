"""Does ``make run`` still show what it says?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY


def test_the_demonstration_goes_as_it_says(tmp_path: Path) -> None:
    folder = tmp_path / "demonstration"
    command = [sys.executable, str(REPOSITORY / "scripts" / "demo.py"), "--keep", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything went as it should" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    shown = [line for line in done.stdout.splitlines() if line.startswith("   | ")]
    assert max(map(len, shown)) <= 100


def test_the_demonstration_leaves_a_folder_with_files_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    command = [sys.executable, str(REPOSITORY / "scripts" / "demo.py"), "--keep", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
