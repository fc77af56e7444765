"""Row 83: the clock is set, over daylight saving, a year ahead and back, while a job keeps its schedule."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.uml.machine import Machine, needs_machine
from tests.faults.uml.test_devices import JOB

pytestmark = [needs_machine, pytest.mark.faults]

SCRIPT = """
mkdir -p /run/source /run/state /run/disk/stored
runs() { coldchain history j --config /run/coldchain.toml --json 2>/dev/null | grep -c '"run"'; }
wait_for() { for try in $(seq 40); do [ "$(runs)" -ge $1 ] && break; sleep 0.5; done; }
date -u -s '2027-03-27 12:00:00' >/dev/null
echo one >/run/source/one; coldchain run j --init --config /run/coldchain.toml >/dev/null 2>&1
echo "RUNS first $(runs)"
coldchain watch j --scheduled --config /run/coldchain.toml >/run/said 2>&1 &
for try in $(seq 40); do grep -q '"waiting"' /run/state/agents/j.json 2>/dev/null && break; sleep 0.5; done
sleep 3; echo "RUNS quiet $(runs)"
echo two >/run/source/two; date -u -s '2027-03-28 00:59:58' >/dev/null; wait_for 2
sleep 4; echo "RUNS spring $(runs)"
echo three >/run/source/three; date -u -s '2028-03-29 12:00:00' >/dev/null; wait_for 3
sleep 4; echo "RUNS year $(runs)"
date -u -s '2027-03-29 12:00:00' >/dev/null; sleep 4; echo "RUNS back $(runs)"
ls /run/disk/stored | sed 's/^/STORED /'
coldchain stop j --config /run/coldchain.toml; cat /run/said
"""


def test_row83_a_clock_that_is_set_skips_no_run_and_doubles_none(tmp_path: Path) -> None:
    """02:30 does not exist in Berlin on 2027-03-28: the run of that night is at 03:00, which is 01:00 UTC."""
    config = tmp_path / "coldchain.toml"
    schedule = 'settle = "0 s"\nschedule = "30 2 * * *"\ntimezone = "Europe/Berlin"\n'
    config.write_text((JOB % "/run/disk").replace('settle = "0 s"\n', schedule))
    with Machine(tmp_path / "uml", f"cp {config} /run/coldchain.toml\n{SCRIPT}", {}) as machine:
        text = "\n".join(machine.finish())
    assert "RUNS first 1" in text, text
    assert "RUNS quiet 1" in text, text
    assert "RUNS spring 2" in text, text
    assert "RUNS year 3" in text, "one, however many nights were passed over\n" + text
    assert "RUNS back 3" in text, text
    assert all(f"STORED {name}" in text for name in ("one", "two", "three")), text
