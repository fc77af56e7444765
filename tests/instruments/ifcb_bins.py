"""What do the tests of the IFCB share: copies of real bins, and what the instrument says of a folder."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from coldchain.config.values import Job
from coldchain.instruments.ifcb import INSTRUMENT
from coldchain.model import Place
from coldchain.operate.examine import Examined, examine
from coldchain.stores.base import open_store
from coldchain.verdict import Verdict

WRITTEN = datetime(2023, 8, 10, 12, 0, tzinfo=UTC)
NEXT_DAY = datetime(2023, 8, 11, 3, 0, tzinfo=UTC)
WHOLE_BIN, NO_ROI_BIN = "D20220522T003051_IFCB134", "D20220522T000439_IFCB134"
OLD_BIN = "IFCB5_2012_028_081515"


def job(source: Path, **keys: object) -> Job:
    return replace(Job("ifcb", Place("source", str(source)), (), instrument="ifcb"), **keys)  # type: ignore[arg-type]


def look_into(source: Path, now: datetime = NEXT_DAY, **keys: object) -> dict[str, Examined]:
    chosen = job(source, **keys)
    found = list(examine(INSTRUMENT, open_store(chosen.source), chosen, now))
    assert len({one.dataset.name for one in found}) == len(found)
    files = sum(one.tally.files for one in found)
    assert files == sum(path.is_file() for path in source.rglob("*")), "every file is in exactly one dataset"
    for one in found:
        starts = [part.start for part in one.dataset.parts]
        assert starts == sorted(starts)
        json.dumps(one.verdict.as_json(), allow_nan=False)
    return {one.dataset.name: one for one in found}


def verdicts(source: Path, now: datetime = NEXT_DAY, **keys: object) -> dict[str, Verdict]:
    return {name: one.verdict for name, one in look_into(source, now, **keys).items() if name != "."}


def only(source: Path, now: datetime = NEXT_DAY, **keys: object) -> Verdict:
    (verdict,) = verdicts(source, now, **keys).values()
    return verdict


def date_all(folder: Path, when: datetime = WRITTEN) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (when.timestamp(), when.timestamp()))


def place_bin(data: Path, target: Path, name: str, when: datetime) -> Path:
    """Copies the whole bin of 2022 (or of 2012) under another name, as new as it says; returns its folder."""
    old = name.startswith("IFCB")
    real = data / ("ifcb/data/2012/IFCB5_2012_028" if old else "ifcb/ifcbdata/D20220522")
    target.mkdir(parents=True, exist_ok=True)
    for file in real.glob(f"{OLD_BIN if old else WHOLE_BIN}.*"):
        copy = target / f"{name}{file.suffix}"
        shutil.copyfile(file, copy)
        os.utime(copy, (when.timestamp(), when.timestamp()))
    return target


def rewrite(path: Path, content: bytes, when: datetime = WRITTEN) -> None:
    path.write_bytes(content)
    os.utime(path, (when.timestamp(), when.timestamp()))
