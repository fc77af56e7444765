"""How does a command work on several jobs: which ones, with which destinations, and which exit code counts?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from coldchain.cli.printing import complain, sentence, show_json
from coldchain.errors import ColdchainError, UsageError

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job

_WORST_FIRST = (1, 130, 4, 3, 2, 5, 6)


def chosen(config: Config, names: list[str] | None) -> list[Job]:
    """The jobs that were named, or all of them."""
    if not names:
        return list(config.jobs.values())
    for name in names:
        if name not in config.jobs:
            from coldchain.config.problems import suggestion

            raise UsageError(f"{config.path} has no job {name!r}; {suggestion(name, config.jobs)}")
    return [config.jobs[name] for name in dict.fromkeys(names)]


def one(config: Config, name: str | None) -> Job:
    """The job that was named, or the only one."""
    if name is None and len(config.jobs) != 1:
        raise UsageError(f"which job? {config.path} has: {', '.join(config.jobs)}")
    return chosen(config, [name] if name else None)[0]


def narrowed(jobs: Iterable[Job], only: list[str]) -> list[Job]:
    """The jobs with only some of their destinations; a job that has none of them is left out."""
    from dataclasses import replace

    from coldchain.config.problems import suggestion

    jobs = list(jobs)
    if not only:
        return jobs
    known = [destination.name for job in jobs for destination in job.destinations]
    for name in only:
        if name not in known:
            whose = " or ".join(job.name for job in jobs)
            raise UsageError(f"--only {name}: {whose} has no such destination; {suggestion(name, set(known))}")
    fewer = [replace(job, destinations=tuple(d for d in job.destinations if d.name in only)) for job in jobs]
    return [job for job in fewer if job.destinations]


def each(jobs: Iterable[Job], work: Callable[[Job], int], *, as_json: bool) -> int:
    """Work on one job after the other, whatever becomes of the others; returns the exit code that matters most."""
    codes = []
    for job in jobs:
        try:
            codes.append(work(job))
        except ColdchainError as error:
            complain(sentence(error, job.name))
            if as_json:
                said = {"job": job.name, "error": sentence(error, job.name), "exit_code": error.exit_code}
                show_json({"format": "coldchain-error", "version": 1, **said})
            codes.append(error.exit_code)
        if codes[-1] == 130:
            break
    return next((code for code in _WORST_FIRST if code in codes), 0)
