"""Do several jobs watch beside each other, and do they end together?"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import CONFIGURATION, Desk

SECOND = """
[jobs.other]
source = "source"
destinations = ["far"]
settle = "0 s"

[destinations.far]
url = "far"
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_several_jobs_say_who_they_are_and_end_with_the_terminal(desk: Desk) -> None:
    desk.configure(CONFIGURATION + SECOND)
    assert desk.type("init", "rig").code == 0
    assert desk.type("init", "other").code == 0
    process = desk.start("watch", stderr=subprocess.STDOUT)
    ends = time.monotonic() + 40
    while not ((desk.near / "two/1.tif").exists() and (desk.folder / "far/two/1.tif").exists()):
        assert time.monotonic() < ends
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=40)[0].decode()
    assert process.returncode == 0, said
    assert "[rig] rig: stopped" in said
    assert "[other] other: stopped" in said
