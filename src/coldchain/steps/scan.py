"""Which files does a job select from a dataset?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from coldchain.config.values import Job, Symlinks
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
    for found in source.list(dataset.root, without=without):
        if selected(found.path) and not (isinstance(found, Oddity) and found.what in ignored):
            yield found
