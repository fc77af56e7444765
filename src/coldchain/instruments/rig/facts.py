"""What do the files of a behaviour rig say of the session that they are of?"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from coldchain.errors import StoreError
from coldchain.instruments.base import Look
from coldchain.model import Entry

TAIL_BYTES = 1 << 20
"""The longest line of a trial that was met has 306,752 bytes."""
COUNTED_BYTES = 16 << 20
SETTINGS_BYTES = 1 << 20
"""The largest settings that were met have 130,067 bytes."""
UNITS = 20
"""So many tasks of one session are looked into; there is one as a rule."""
TEXT_CHARACTERS = 500

KEYS = (
    "PYBPOD_PROTOCOL",
    "PYBPOD_BOARD",
    "RIG_NAME",
    "IBLRIG_VERSION_TAG",
    "IBLRIG_VERSION",
    "SUBJECT_NAME",
    "SUBJECT_WEIGHT",
    "SUBJECT_DISENGAGED_TRIGGERED",
    "SESSION_DATETIME",
    "SESSION_START_TIME",
    "SESSION_END_TIME",
    "SESSION_START_DELAY_SEC",
    "SESSION_NUMBER",
    "NTRIALS",
    "NTRIALS_CORRECT",
    "REWARD_TYPE",
    "REWARD_AMOUNT",
    "TOTAL_WATER_DELIVERED",
    "RECORD_VIDEO",
    "RECORD_SOUND",
)
PERSONAL_KEYS = ("PYBPOD_CREATOR", "ALYX_USER", "EXPERIMENTER", "SESSION_PATH", "SESSION_FOLDER", "NOTES")
"""Who ran the session, and paths, in which names of users stand."""


class Facts(NamedTuple):
    """What was found out of a session."""

    catalogue: dict[str, object]
    units: tuple[Mapping[str, object], ...]
    """A row for each task; there is one as a rule."""
    troubles: list[tuple[Entry, str, bool]]
    """Files that could not be used, why, and whether they could be read at all."""


def ends_whole(look: Look, entry: Entry) -> bool:
    """Whether the last line is whole: it ends, or is an object or a list by itself; raises StoreError.

    Each line of a ``.jsonable`` is a JSON object and a line feed, written at once (source: ``iblrig``).
    """
    stamp = _stamp(entry)
    known = look.recall(entry.path, stamp)
    if isinstance(known, bool):
        return known
    whole = not entry.size_bytes or look.piece(entry.path, -1, 1) == b"\n" or _is_json(look, entry)
    look.remember(entry.path, stamp, whole)
    return whole


def _is_json(look: Look, entry: Entry) -> bool:
    tail = look.piece(entry.path, -TAIL_BYTES, TAIL_BYTES)
    above, _, line = tail.rpartition(b"\n")
    if not above and entry.size_bytes > len(tail):
        return False  # longer than any line of a trial
    return isinstance(_loaded(line), dict | list)


def session_facts(look: Look, root: str, settings: Sequence[Entry], lines: Mapping[str, Entry]) -> Facts:
    """The catalogue of a session, and a row for each of its tasks; ``lines`` are the ``.jsonable`` files by path."""
    units: list[dict[str, object]] = []
    troubles: list[tuple[Entry, str, bool]] = []
    for entry in settings[:UNITS]:
        folder, slash, _ = entry.path.rpartition("/")
        unit: dict[str, object] = {"unit": folder.removeprefix(f"{root}/") or "."}
        task = lines.get(f"{folder}{slash}_iblrig_taskData.raw.jsonable")
        try:
            said = _said(look, entry)
            if said is None:
                troubles.append((entry, "its JSON is not whole", True))
            unit |= said or {}
        except StoreError as error:
            troubles.append((entry, f"could not be read: {error}", False))
        if task is not None and (trials := _trials(look, task)) is not None:
            unit["trials"] = trials
        units.append(unit)
    catalogue = {key: value for key, value in (units[0] if units else {}).items() if key != "unit"}
    return Facts(catalogue, tuple(units), troubles)


def _said(look: Look, entry: Entry) -> dict[str, object] | None:
    """What settings say under the keys that are kept; None when they are no JSON object."""
    stamp = f"{_stamp(entry)} {look.job.personal}"
    known = look.recall(entry.path, stamp)
    if isinstance(known, dict):
        return known
    if entry.size_bytes > SETTINGS_BYTES:
        return {}
    content = _loaded(look.text(entry.path, SETTINGS_BYTES))
    if not isinstance(content, dict):
        return None
    said: dict[str, object] = {}
    for key in KEYS + PERSONAL_KEYS * look.job.personal:
        if (value := _kept(content.get(key))) is not None:
            said[key] = value
    if start := _time(content.get("SESSION_START_TIME")) or _time(content.get("SESSION_DATETIME")):
        said["start"] = start
    if end := _time(content.get("SESSION_END_TIME")):
        said["end"] = end
    look.remember(entry.path, stamp, said)
    return said


def _trials(look: Look, entry: Entry) -> int | None:
    """How many lines, each of one trial; None where that would be much to read, or cannot be read."""
    if entry.size_bytes > COUNTED_BYTES:
        return None
    unit, stamp = f"{entry.path} trials", _stamp(entry)
    known = look.recall(unit, stamp)
    if isinstance(known, int):
        return known
    try:
        trials = look.text(entry.path, COUNTED_BYTES).count(b"\n")
    except StoreError:
        return None  # whoever looks at its end will say so
    look.remember(unit, stamp, trials)
    return trials


def _stamp(entry: Entry) -> str:
    return f"{entry.size_bytes} {entry.mtime_ns}"


def _loaded(content: bytes) -> object:
    """Read JSON from foreign bytes; None for what is none."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # Python on Windows wrote cp1252 for years
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def _kept(value: object) -> object:
    """A value as a catalogue can hold it; None for one that says nothing there."""
    match value:
        case bool():
            return value
        case int():
            return value if abs(value) < 1 << 63 else None
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value[:TEXT_CHARACTERS].encode("utf-8", "replace").decode() or None
        case [first, *_]:  # PyBpod keeps (name, id) of people
            return _kept(first) if isinstance(first, str) else None
    return None


def _time(value: object) -> str | None:
    """A time in ISO 8601, as the rig wrote it: its own local time, without a zone."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).isoformat()
    except ValueError:
        return None
