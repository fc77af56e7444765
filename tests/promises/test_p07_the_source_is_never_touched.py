"""P7: only ``prune`` deletes at a source, and there is none yet: so nothing whatsoever is done to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.promises.lab import Lab, snapshot
from tests.promises.tracing import CHANGING, needs_strace, traced

WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE")


@needs_strace
@pytest.mark.parametrize("words", [("run", "--init"), ("check", "--repair"), ("restore", "lab", "run"), ("plan",)])
def test_no_command_opens_anything_at_the_source_for_writing_or_alters_a_name(
    lab: Lab, tmp_path: Path, words: tuple[str, ...]
) -> None:
    lab.acquire(20)
    lab.write("run/large.bin", bytes(33 << 20))
    if words[0] != "run":
        lab.ready()
        (lab.nas / "run/f0003.tif").write_bytes(b"rotten")
    if words[0] == "restore":
        words = (*words, "--to", str(tmp_path / "back"))
    before = snapshot(lab.source)
    done, calls = traced(lab, *words, calls=f"open,openat,openat2,{CHANGING}", shown=4096)
    assert done.code in {0, 4}, done.said
    below = re.compile(rf'[<"]{re.escape(str(lab.source))}[/>"]')
    touching = [call for call in calls if below.search(call.arguments)]
    assert touching or words[0] == "restore"
    assert not [c for c in touching if c.name not in {"open", "openat", "openat2"} or WRITING.search(c.arguments)]
    assert snapshot(lab.source) == before
