"""In which order does a behaviour rig write the files of its sessions?

Settings first; then trial by trial one line of JSON, the wheel and the camera; ``transfer_me.flag`` when the session is
over (source: the IBL repository ``iblrig``, real sessions).  Beside the sessions lie what other rigs write: an activity
monitor's file that is never closed, and a table that an analysis writes anew, in place, after each session (source:
rethomics' DAM files; the pipelines of labs that track flies).

Invented: what the wheel does, the pixels (noise, which compresses as a video does: not at all).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import sqrt
from random import Random
from struct import pack

from coldchain.simulate.base import Options, Simulator
from coldchain.simulate.steps import Append, Close, MakeFolder, Mark, Open, Opening, Step, write_file

SUBJECT = "Subjects/SWC_042"
MONITOR = "Monitor1.txt"
TABLE = "trials_merged.csv"
SESSIONS_A_DAY = 3
FRAMES = 5
"""Frames of video in a trial."""
_VIDEO, _TIMES = "_iblrig_bodyCamera.raw.mp4", "_iblrig_bodyCamera.timestamps.ssv"
_COUNTER, _PINS = "_iblrig_bodyCamera.frame_counter.bin", "_iblrig_bodyCamera.GPIO.bin"
_EVENTS, _POSITIONS = "_iblrig_encoderEvents.raw.ssv", "_iblrig_encoderPositions.raw.ssv"
_INFO, _AMBIENT = "_iblrig_encoderTrialInfo.raw.ssv", "_iblrig_ambientSensorData.raw.jsonable"
_TASK = "_iblrig_taskData.raw.jsonable"


@dataclass(frozen=True, slots=True)
class Session:
    """One session of the one subject."""

    seed: str
    start: datetime
    number: int
    trials: int
    frame_bytes: int

    @property
    def folder(self) -> str:
        """Where it lies."""
        return f"{SUBJECT}/{self.start:%Y-%m-%d}/{self.number:03d}"

    def random(self, name: str, trial: int) -> Random:
        """What is random in one trial of one file."""
        return Random(f"{self.seed} {self.folder} {name} {trial}")


def acquire(options: Options) -> Iterator[Step]:
    """Yield the steps of some sessions: about ``11 * 18 * sqrt(scale)`` files and ``64 MB * scale``."""
    sessions = list(_plan(options))
    yield MakeFolder("Subjects")
    yield Open(MONITOR)
    for number, session in enumerate(sessions):
        yield from _session(session, sum(earlier.trials for earlier in sessions[:number]))
        how = Opening.REWRITE if number else Opening.NEW
        yield from write_file(TABLE, *[partial(_table, one) for one in sessions[: number + 1]], how=how)
    yield Close(MONITOR)


def _plan(options: Options) -> Iterator[Session]:
    count = max(1, round(18 * sqrt(options.scale)))
    trials = max(3, round(40 * sqrt(options.scale)))
    frame_bytes = max(64, int(62e6 * options.scale / count / trials / FRAMES))
    for index in range(count):
        day, number = divmod(index, SESSIONS_A_DAY)
        start = options.start + timedelta(days=day)
        yield Session(str(options.seed), start, number + 1, trials, frame_bytes)


def _session(session: Session, trials_before: int) -> Iterator[Step]:
    behaviour, video = f"{session.folder}/raw_behavior_data", f"{session.folder}/raw_video_data"
    yield MakeFolder(behaviour)
    yield MakeFolder(video)
    yield from write_file(f"{behaviour}/_iblrig_taskSettings.raw.json", partial(_settings, session))
    written = {
        f"{video}/{_VIDEO}": _frames,
        f"{video}/{_TIMES}": _times,
        f"{video}/{_COUNTER}": _counter,
        f"{video}/{_PINS}": _pins,
        f"{behaviour}/{_INFO}": _info,
        f"{behaviour}/{_AMBIENT}": _ambient,
        f"{behaviour}/{_EVENTS}": _events,
        f"{behaviour}/{_POSITIONS}": _positions,
        f"{behaviour}/{_TASK}": _trial,
    }
    for path in written:
        yield Open(path, data=not path.endswith((_INFO, _AMBIENT)))
    for trial in range(1, session.trials + 1):
        for path, make in written.items():
            yield Append(path, partial(make, session, trial))
        yield Append(MONITOR, partial(_activity, session, trials_before + trial))
    for path in written:
        yield Close(path)
    yield Mark(f"{session.folder}/transfer_me.flag")


# --- content ----------------------------------------------------------------------------------------------------------


def _settings(session: Session) -> bytes:
    windows = "C:\\iblrig_data\\" + session.folder.replace("/", "\\")
    said = {
        "PYBPOD_BOARD": "_iblrig_simulated_behavior_0",
        "PYBPOD_CREATOR": ["simulated_user", "00000000-0000-0000-0000-000000000000", "local"],
        "PYBPOD_PROTOCOL": "_iblrig_tasks_trainingChoiceWorld",
        "IBLRIG_VERSION_TAG": "6.4.2",
        "SUBJECT_NAME": SUBJECT.rpartition("/")[2],
        "SUBJECT_WEIGHT": 23.5,
        "SESSION_DATETIME": session.start.replace(tzinfo=None).isoformat(),
        "SESSION_NUMBER": f"{session.number:03d}",
        "SESSION_FOLDER": windows,
        "NTRIALS": 2000,
        "RECORD_VIDEO": True,
    }
    return json.dumps(said, indent=1).encode()


def _trial(session: Session, trial: int) -> bytes:
    random = session.random(_TASK, trial)
    licks = [round(4.2 * trial + random.random(), 4) for _ in range(100)]
    reward = random.random() < 0.8
    said = {
        "trial_num": trial,
        "position": random.choice([-35, 35]),
        "contrast": random.choice([1.0, 0.5, 0.25, 0.125, 0.0625, 0.0]),
        "trial_correct": reward,
        "water_delivered": 3.0 * reward,
        "behavior_data": {
            "Trial start timestamp": 4.2 * (trial - 1),
            "Trial end timestamp": 4.2 * trial,
            "States timestamps": {"no_go": [[float("nan"), float("nan")]]},  # as the rigs write it
            "Events timestamps": {"Port1Out": sorted(licks)},
        },
    }
    return json.dumps(said).encode() + b"\n"


def _events(session: Session, trial: int) -> bytes:
    start = 4_000_000 * trial + session.random(_EVENTS, trial).randrange(1_000_000)
    return b"".join(b"%d %d \n" % (start + 80_000 * event, event) for event in (1, 2, 3))


def _positions(session: Session, trial: int) -> bytes:
    random, position, lines = session.random(_POSITIONS, trial), 0, []
    for step in range(40):
        position += random.choice([-1, 1])
        lines.append(b"%d %d \n" % (4_000_000 * trial + 4_000 * step + random.randrange(4_000), position))
    return b"".join(lines)


def _info(session: Session, trial: int) -> bytes:
    at = session.start + timedelta(seconds=4.2 * trial)
    return f"{trial - 1} -35 1 0.1 0 8 49 {1.3 * (trial > 1):g} {at.isoformat()} \n".encode()


def _ambient(session: Session, trial: int) -> bytes:
    warm = 24 + session.random(_AMBIENT, trial).random()
    return (
        json.dumps({"Temperature_C": [warm], "AirPressure_mb": [1035.1], "RelativeHumidity": [49.7]}).encode() + b"\n"
    )


def _frames(session: Session, trial: int) -> bytes:
    start = pack(">I4s4sI", 16, b"ftyp", b"isom", 512) if trial == 1 else b""
    return start + session.random(_VIDEO, trial).randbytes(session.frame_bytes * FRAMES)


def _times(session: Session, trial: int) -> bytes:
    random = session.random(_TIMES, trial)
    times = [session.start + timedelta(seconds=4.2 * trial + 0.033 * frame) for frame in range(FRAMES)]
    return "".join(f"{time.isoformat()} {random.randrange(1 << 32)} \n" for time in times).encode()


def _counter(session: Session, trial: int) -> bytes:
    first = session.random(_COUNTER, 0).randrange(1 << 24) + FRAMES * trial
    return pack(f"<{FRAMES}d", *range(first, first + FRAMES))


def _pins(session: Session, trial: int) -> bytes:
    random = session.random(_PINS, trial)
    return pack(f"<{FRAMES}d", *(random.randrange(1 << 32) for _ in range(FRAMES)))


def _activity(session: Session, line: int) -> bytes:
    """A line of a DAM monitor: number, date, time, status, then the counts of 32 channels."""
    at = session.start + timedelta(minutes=line)
    counts = "\t".join(str(session.random(MONITOR, line).randrange(9)) for _ in range(32))
    return f"{line}\t{at:%d %b %y}\t{at:%H:%M:%S}\t1\t0\t0\t0\t0\t0\t0\t{counts}\n".encode()


def _table(session: Session) -> bytes:
    rows = (session.random(_TASK, trial) for trial in range(1, session.trials + 1))
    return "".join(f"{session.folder},{row.random():.6f}\n" for row in rows).encode()


SIMULATOR = Simulator(
    name="rig",
    description="A behaviour rig: sessions trial by trial, a flag, a file that is never closed, a table written anew.",
    acquire=acquire,
)
