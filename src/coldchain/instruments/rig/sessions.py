"""Which folders of a behaviour rig are sessions?

The layout, the names and the flag are those of the International Brain Laboratory's rigs (source: the IBL repositories
``iblrig`` and ``ibllib``); other rigs are found by a pattern of folders, and have no arithmetic: silence decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

from coldchain.config.values import Job, OnChange
from coldchain.instruments.base import Habits, Judge, Look
from coldchain.instruments.folders import folders_like
from coldchain.instruments.rig.judging import QUIET, SessionJudge
from coldchain.model import OWN_FOLDER, Dataset, Part
from coldchain.stores.base import Store

DEPTH = 6
"""Sessions are looked for so many folders deep: ``<anything>/<lab>/Subjects/<subject>/<date>/<number>``."""
FLAGS = ("transfer_me.flag",)
"""At the top of a session, by any IBL rig; another name only where the job gives one."""
STATUS = ".status_complete"
"""How the file ends by which IBL's copier says that a session was copied."""

_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", re.ASCII)
_NUMBER = re.compile(r"\d{3}", re.ASCII)
_OWN_NAME = re.compile(r"_(iblrig|iblmic)_\w+\.", re.ASCII)


class Rig:
    """Sessions of behaviour: one folder for each."""

    name = "rig"
    title = "behaviour rigs: sessions, found by their layout or a pattern"
    habits = Habits(
        settle=timedelta(minutes=10),
        on_change=OnChange.REPLACE,
        quiet=QUIET,
        datasets=("sessions",),
        fields=("lab", "subject", "date", "number"),
    )

    def recognise(self, paths: Sequence[str]) -> tuple[int, str]:
        own = sum(1 for path in paths if _is_own(path))
        return own, "names of an IBL rig (_iblrig_*, SUBJECT/DATE/NUMBER)" if own else ""

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        if job.datasets not in ("", "sessions"):
            yield from (_dataset(path, job) for path in folders_like(source, job.datasets, self.habits.datasets))
            return
        found = False
        for path in _sessions(source, "", DEPTH):
            found = True
            yield _dataset(path, job)
        if not found:
            yield from (_dataset(name, job) for name in source.folders() if name != OWN_FOLDER)

    def judge(self, dataset: Dataset, look: Look) -> Judge:
        return SessionJudge(dataset, look)

    def marker(self, dataset: Dataset, path: str) -> str | None:
        # The judge has the job, and a marker has not; so the session itself carries the name of a flag of its own.
        folder, _, name = path.rpartition("/")
        if name.endswith(STATUS):
            return ""
        if folder == dataset.parts[0].root and (name in FLAGS or name == dict(dataset.fields).get("flag")):
            return ""
        return None


def _is_own(path: str) -> bool:
    if not path.endswith("/"):
        name = path.rpartition("/")[2]
        return name in FLAGS or _OWN_NAME.match(name) is not None
    return len(path.split("/")) > 3 and _is_session(path[:-1])


def _is_session(path: str) -> bool:
    *_, date, number = ("", *path.split("/"))
    return _DATE.fullmatch(date) is not None and _NUMBER.fullmatch(number) is not None


def _sessions(source: Store, folder: str, depth: int) -> Iterator[str]:
    in_date = _DATE.fullmatch(folder.rpartition("/")[2]) is not None
    for name in source.folders(folder):
        path = f"{folder}/{name}" if folder else name
        if path == OWN_FOLDER:
            continue
        if in_date and _NUMBER.fullmatch(name):
            yield path
        elif depth > 1 and not in_date:
            yield from _sessions(source, path, depth - 1)


def _dataset(path: str, job: Job) -> Dataset:
    fields: list[tuple[str, str]] = []
    if _is_session(path):
        *above, date, number = path.split("/")
        if len(above) > 2 and above[-2] == "Subjects":
            fields.append(("lab", above[-3]))
        fields += [("subject", subject) for subject in above[-1:]]
        fields += [("date", date), ("number", number)]
    if job.flag:
        fields.append(("flag", job.flag))
    return Dataset(path, (Part(path),), tuple(fields))


INSTRUMENT = Rig()
