"""Does every line of docs/security.md have the test that it names?"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", PAGE)


def test_every_test_that_the_page_names_is_there() -> None:
    assert len(NAMED) > 60
    for file, name in NAMED:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not name or re.search(rf"^def {name}\(", text, re.MULTILINE), f"{file}::{name}"


def test_every_line_of_a_table_says_what_holds_it() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and line.count(" | ") == 1]
    assert len(rows) > 50
    for row in rows:
        held = row.strip("| ").rpartition(" | ")[2]
        assert "**Yours:**" in row or re.search(r"tests/|not built|\]\(|held by", held), row


def test_every_file_of_these_tests_is_on_the_page() -> None:
    own = {f"tests/security/{file.name}" for file in Path(__file__).parent.glob("test_*.py")}
    assert own - {file for file, _ in NAMED} == {"tests/security/test_page.py"}
