"""Which files does a job select from a dataset?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from coldchain.config.values import Job, Symlinks
from coldchain.errors import NotFound, StoreError
from coldchain.model import OWN_FOLDER, Dataset, Entry, Oddity
from coldchain.stores.base import Store


def selection(job: Job) -> Callable[[str], bool]:
    """A function that says whether a path is selected by the job's ``include`` and ``exclude`` (gitignore patterns)."""
    if job.include == ("*",) and not job.exclude:
        return lambda path: True
    from pathspec import GitIgnoreSpec  # only jobs with patterns pay for it

    include = None if job.include == ("*",) else GitIgnoreSpec.from_lines(job.include)
    exclude = GitIgnoreSpec.from_lines(job.exclude)
    return lambda path: (include is None or include.match_file(path)) and not exclude.match_file(path)


def scan(source: Store, dataset: Dataset, job: Job) -> Iterator[Entry | Oddity]:
    """Yield what the job selects of a dataset, ascending by path; what is no plain file comes as an Oddity.

    coldchain's own folder at the top of a source is not data and is left out.
    """
    without = set(dataset.without)
    if not dataset.root:
        without.add(OWN_FOLDER)
    selected = selection(job)
    ignored = ("symlink",) if job.symlinks is Symlinks.IGNORE else ()
    unseen = selection(replace(job, include=("*",)))  # nobody knows what an unreadable folder holds: it is not left out
    for found in _listed(source, dataset, without):
        choose = unseen if found.path.endswith("/") else selected
        if choose(found.path) and not (isinstance(found, Oddity) and found.what in ignored):
            yield found


def _listed(source: Store, dataset: Dataset, without: Collection[str]) -> Iterator[Entry | Oddity]:
    """A dataset whose own folder cannot be opened is in trouble by itself; the others go on (P1)."""
    try:
        yield from source.list(dataset.root, without=without)
    except StoreError as error:
        if not dataset.root or error.ends_store or isinstance(error, NotFound):
            raise
        yield Oddity(f"{dataset.root}/", "unreadable", error.reason)
