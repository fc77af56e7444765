"""How does a MERSCOPE name its runs, its folders and its markers?

Source: the folders of the public run 202205231554_MouseSagittalM3S1_VMSC01101, and the transfer scripts of other labs.
"""

from __future__ import annotations

import re
from datetime import datetime

RUN = re.compile(r"(\d{12})_(.+)_(VMSC\d{5})", re.ASCII | re.DOTALL)
"""The minute of the start (local time), the name of the experiment (free text, often with underscores), the serial."""

RAW, ANALYSIS, OUTPUT = "raw_data", "analysis", "output"
TREES = {"merfish_raw_data": RAW, "merfish_analysis": ANALYSIS, "merfish_output": OUTPUT}
"""The folders of the analysis computer's drive, to the part of a run that lies below each."""
RAW_TREE = "merfish_raw_data"

EXPERIMENT_FINISHED = "EXPERIMENT_FINISHED"
"""By the instrument, when it has acquired everything."""
RAW_FINISHED = "RAW_DATA_SYNC_FINISHED"
"""When the raw data are copied from the instrument to the drive of the analysis computer."""
MERLIN_START = "MERLIN_START"
MERLIN_FINISHED = "MERLIN_FINISHED"
"""When analysis and output are done; it lies in the folder of the raw data."""

REGION = re.compile(r"region_\d{1,6}", re.ASCII)


def fields_of(run: str) -> tuple[tuple[str, str], ...]:
    """What a run's name says; no date where the digits are none."""
    found = RUN.fullmatch(run)
    if found is None:
        return ()
    when = started(run)
    date = (("date", f"{when:%Y-%m-%d}"),) if when else ()
    return (*date, ("experiment", found[2]), ("serial", found[3]))


def started(run: str) -> datetime | None:
    """The start in the instrument's local time (naive), which the name gives to the minute."""
    try:
        return datetime.strptime(run[:12], "%Y%m%d%H%M")
    except ValueError:
        return None
