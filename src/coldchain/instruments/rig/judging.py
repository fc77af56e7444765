"""Is a session of a behaviour rig over, and is what there is of it whole?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from coldchain.errors import StoreError
from coldchain.instruments.base import Look
from coldchain.instruments.rig.facts import ends_whole, session_facts
from coldchain.model import Dataset, Entry
from coldchain.verdict import KEPT, Condition, Remark, Verdict, first, shortage

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

QUIET = timedelta(hours=1)
DATABASE = (".db", ".db3", ".sqlite", ".sqlite3")
SIDECARS = ("-wal", "-journal")
"""What SQLite keeps beside a database that is open (source: sqlite.org, "Temporary Files Used By SQLite")."""
SMALLEST_DATABASE_BYTES = 100
"""The header of a database; one in which nothing was ever written has 0 bytes.  Source: sqlite.org, "Database File
Format".  A real ethoscope file has 15 bytes."""
FRAME_BYTES = 8
"""``frame_counter.bin`` and ``GPIO.bin`` hold one double for each frame (source: ``ibllib.io.raw_data_loaders``)."""

_SETTINGS, _TASK = "_iblrig_taskSettings.raw.json", "_iblrig_taskData.raw.jsonable"
_EVENTS, _POSITIONS = "_iblrig_encoderEvents.raw.ssv", "_iblrig_encoderPositions.raw.ssv"
_CAMERA = re.compile(r"(_iblrig_\w+Camera)\.(raw|timestamps|frameData|frame_counter|GPIO)\.\w+", re.ASCII)
_BY_FRAMES = re.compile(r"_iblrig_\w+Camera\.(frame_counter|GPIO)\.bin", re.ASCII)


class SessionJudge:
    """Remembers the few files of a session that say something; whatever it does not know is carried."""

    def __init__(self, dataset: Dataset, look: Look) -> None:
        self._look = look
        self._root = dataset.parts[0].root
        self._flag = f"{self._root}/{look.job.flag}" if look.job.flag and self._root else ""
        self._growing = _patterns(look.job.growing)
        self._flagged: Entry | None = None
        self._newest: Entry | None = None
        self._lines: list[Entry] = []
        self._settings: list[Entry] = []
        self._odd_frames: list[Entry] = []
        self._databases: dict[str, Entry] = {}
        self._sidecars: list[str] = []
        self._grown: list[str] = []
        self._names: dict[str, set[str]] = defaultdict(set)

    def see(self, entry: Entry) -> None:
        """Take notice of the next file."""
        path = entry.path
        if self._growing is not None and self._growing.match_file(path):
            if len(self._grown) < KEPT:
                self._grown.append(path)
            return  # it is never whole, and says nothing of the end of a session
        if path == self._flag:
            self._flagged = entry
            return
        if (self._newest is None or entry.mtime_ns > self._newest.mtime_ns) and self._look.age(entry) > -QUIET:
            self._newest = entry
        folder, _, name = path.rpartition("/")
        if name.startswith("_iblrig_"):
            self._names[folder].add(name)
        self._sort(entry, name)

    def _sort(self, entry: Entry, name: str) -> None:
        if name.endswith(".jsonable"):
            self._lines.append(entry)
        elif name == _SETTINGS:
            self._settings.append(entry)
        elif name.endswith(DATABASE):
            self._databases[entry.path] = entry
        elif name.endswith(SIDECARS) and entry.size_bytes:
            self._sidecars.append(entry.path)
        elif entry.size_bytes % FRAME_BYTES and _BY_FRAMES.fullmatch(name):
            self._odd_frames.append(entry)

    # --- after the last file ------------------------------------------------------------------------------------------

    def verdict(self) -> Verdict:
        """Say what the session is; reads the settings, and where files of lines end."""
        unwhole: dict[str, str] = self._in_use()
        remarks = [Remark(path, "grows on; carried as it was") for path in self._grown]
        for path, entry in self._databases.items():
            if 0 < entry.size_bytes < SMALLEST_DATABASE_BYTES:
                remarks.append(Remark(path, f"no database: {entry.size_bytes} bytes"))
        facts = session_facts(self._look, self._root, self._settings, {entry.path: entry for entry in self._lines})
        doubtful = list(unwhole)
        for entry, reason, read in [*facts.troubles, *self._cut()]:
            doubtful.append(entry.path)
            if read and self._is_young(entry):
                unwhole[entry.path] = reason
            else:  # it will not become whole by waiting
                remarks.append(Remark(entry.path, f"{reason}; carried as it is"))
        missing = _missing(self._names) if self._flag else []
        condition, summary = self._condition(doubtful, missing)
        return Verdict(
            condition,
            summary,
            first(map(self._below, missing)),
            len(missing),
            unwhole,
            tuple(remarks[:KEPT]),
            facts.catalogue,
            facts.units,
        )

    def _condition(self, doubtful: list[str], missing: list[str]) -> tuple[Condition, str]:
        if not self._flag:
            return Condition.UNKNOWN, ""
        flag, newest = self._look.job.flag, self._newest or self._flagged
        if self._flagged is None:
            return self._look.while_open(newest, QUIET), f"there is no {flag}"
        if missing:
            known = sum(map(len, self._names.values())) + len(missing)
            return self._look.while_open(newest, QUIET), shortage("files", known, [*map(self._below, missing)])
        if doubtful:
            more = f" and {len(doubtful) - 1:,} more" if len(doubtful) > 1 else ""
            return self._look.while_open(newest, QUIET), f"not whole: {self._below(doubtful[0])}{more}"
        if newest is not None and newest.mtime_ns > self._flagged.mtime_ns and self._is_young(newest):
            return Condition.ACQUIRING, f"{self._below(newest.path)} was written to after {flag}"
        return Condition.COMPLETE, f"{flag} is there"

    def _cut(self) -> Iterator[tuple[Entry, str, bool]]:
        for entry in self._lines:
            try:
                if not ends_whole(self._look, entry):
                    yield entry, "its last line is not whole", True
            except StoreError as error:
                yield entry, f"could not be read: {error}", False
        for entry in self._odd_frames:
            yield entry, f"its {entry.size_bytes:,} bytes are not {FRAME_BYTES} for each frame", True

    def _in_use(self) -> dict[str, str]:
        """Databases, with what lies beside them: they are only right together, and as they were at one moment."""
        unwhole = {}
        for path in self._sidecars:
            database, _, kind = path.rpartition("-")
            if database in self._databases:
                unwhole[database] = f"a database in use (its -{kind} lies beside it)"
                unwhole[path] = "belongs to a database in use"
        return unwhole

    def _is_young(self, entry: Entry) -> bool:
        return self._look.while_open(entry, QUIET) is Condition.ACQUIRING

    def _below(self, path: str) -> str:
        return path.removeprefix(f"{self._root}/")


def _patterns(growing: tuple[str, ...]) -> GitIgnoreSpec | None:
    if not growing:
        return None
    from pathspec import GitIgnoreSpec  # takes 20 ms

    return GitIgnoreSpec.from_lines(growing)


def _missing(names: dict[str, set[str]]) -> list[str]:
    """Files without which those that are there make no sense, folder by folder; it says nothing of any other."""
    missing = []
    for folder, there in sorted(names.items()):
        wanted = {_TASK} if _SETTINGS in there else set()
        if {_EVENTS, _POSITIONS} & there:
            wanted |= {_EVENTS, _POSITIONS}
        missing += [f"{folder}/{name}" for name in [*sorted(wanted - there), *_missing_of_cameras(there)]]
    return missing


def _missing_of_cameras(there: set[str]) -> Iterator[str]:
    """A video is of no use without its times; the frame counter and the GPIO pins are written together, by frame."""
    cameras: dict[str, set[str]] = defaultdict(set)
    for name in there:
        if found := _CAMERA.fullmatch(name):
            cameras[found[1]].add(found[2])
    for camera, kinds in sorted(cameras.items()):
        if "raw" not in kinds:
            yield f"{camera}.raw.*"
        if not {"timestamps", "frameData"} & kinds:
            yield f"{camera}.timestamps.ssv"
        if {"frame_counter", "GPIO"} & kinds:
            yield from (f"{camera}.{kind}.bin" for kind in ("GPIO", "frame_counter") if kind not in kinds)
