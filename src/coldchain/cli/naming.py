"""Which jobs does a person mean by a job's name, a source folder or a destination?"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from coldchain.errors import UsageError

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job


def jobs_named(config: Config, words: list[str] | None) -> list[Job]:
    """The jobs that words name, all for none; raises UsageError for a word that names none.

    A word is a job, else a source folder (relative to the folder of whoever calls), else a destination, which may be a
    shell pattern that fits several.
    """
    if not words:
        return list(config.jobs.values())
    found: dict[str, Job] = {}
    for word in words:
        meant = _meant(config, word)
        if not meant:
            from coldchain.config.problems import suggestion

            known = set(config.jobs) | {one.name for job in config.jobs.values() for one in job.destinations}
            raise UsageError(
                f"{config.path} has no job, source folder or destination {word!r}; {suggestion(word, known)}"
            )
        found |= {job.name: job for job in meant}
    return list(found.values())


def _meant(config: Config, word: str) -> list[Job]:
    if word in config.jobs:
        return [config.jobs[word]]
    folder = os.path.realpath(Path.cwd() / word)
    jobs = config.jobs.values()
    by_source = [job for job in jobs if word == job.source.url or folder == _folder(job.source.url)]
    return by_source or [job for job in jobs if any(fnmatchcase(one.name, word) for one in job.destinations)]


def _folder(url: str) -> str:
    if url.startswith("file://"):
        return os.path.realpath(os.fsdecode(unquote_to_bytes(urlsplit(url).path)))
    return "" if "://" in url else os.path.realpath(url)
