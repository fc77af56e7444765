"""Which files does a job select from a dataset?"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from coldchain.config.values import Job, Symlinks
from coldchain.errors import NotFound, StoreError
from coldchain.model import OWN_FOLDER, Entry, Oddity, Part
from coldchain.stores.base import Store

Found = Entry | Oddity


class Walks:
    """Listings of one store that go on where they were left.

    Where one folder holds many datasets, each of them is a range of the same listing: read once, in order, it costs
    no more than the folder.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._folder: tuple[str, frozenset[str]] | None = None
        self._listing: Iterator[Found] = iter(())
        self._next: Found | None = None
        self._last = ""

    def walk(self, folder: str, begins: str, without: Collection[str]) -> Iterator[Found]:
        """Yield what lies below a folder under names that begin so, ascending; read it to its end, or leave it."""
        if not begins:
            yield from self.store.list(folder, without=without)
            return
        start = f"{folder}/{begins}" if folder else begins
        where = (folder, frozenset(without))
        if where != self._folder or start <= self._last:
            self._folder, self._listing = where, self.store.list(folder, without=without)
            self._advance()
        self._last = start
        while self._next is not None and not self._next.path.startswith(start):
            if self._next.path > start:
                return
            self._advance()
        while self._next is not None and self._next.path.startswith(start):
            yield self._next
            self._advance()

    def _advance(self) -> None:
        try:
            self._next = next(self._listing, None)
        except (
            StoreError
        ):  # a listing that broke off gives nothing more, and must not pass for one that came to its end
            self._folder, self._next = None, None
            raise


def selection(job: Job) -> Callable[[str], bool]:
    """A function that says whether a path is selected by the job's ``include`` and ``exclude`` (gitignore patterns)."""
    if job.include == ("*",) and not job.exclude:
        return lambda path: True
    from pathspec import GitIgnoreSpec  # only jobs with patterns pay for it

    include = None if job.include == ("*",) else GitIgnoreSpec.from_lines(job.include)
    exclude = GitIgnoreSpec.from_lines(job.exclude)
    return lambda path: (include is None or include.match_file(path)) and not exclude.match_file(path)


def growing(job: Job) -> Callable[[str], bool]:
    """A function that says whether the job knows a file as one that is never closed and only appended to."""
    if not job.growing:
        return lambda path: False
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(job.growing).match_file


def scan(walks: Walks, part: Part, job: Job, see: Callable[[Entry], None]) -> Iterator[Found]:
    """Yield what the job selects of a part, ascending by path; what is no plain file comes as an Oddity.

    ``see`` is shown every file of the part, also those that are not selected.  coldchain's own folder at the top of a
    source is not data and is left out.
    """
    without = {beginning[:-1] for beginning in part.without if beginning.endswith("/")}
    if not part.root:
        without.add(OWN_FOLDER)
    elsewhere = _beginnings([beginning for beginning in part.without if not beginning.endswith("/")])
    selected = selection(job)
    ignored = ("symlink",) if job.symlinks is Symlinks.IGNORE else ()
    unseen = selection(replace(job, include=("*",)))  # nobody knows what an unreadable folder holds: it is not left out
    for found in _listed(walks, part, without):
        if elsewhere(found.path):
            continue
        if isinstance(found, Entry):
            see(found)
            if selected(found.path):
                yield found
        elif found.what not in ignored and (unseen if found.path.endswith("/") else selected)(found.path):
            yield found


def _beginnings(beginnings: Sequence[str]) -> Callable[[str], bool]:
    """A function that says whether a path begins with one of some beginnings, none of which begins another."""
    if not beginnings:
        return lambda path: False
    ordered = sorted(beginnings)

    def begins(path: str) -> bool:
        place = bisect_right(ordered, path)
        return place > 0 and path.startswith(ordered[place - 1])

    return begins


def _listed(walks: Walks, part: Part, without: Collection[str]) -> Iterator[Found]:
    """A dataset whose own folder cannot be opened is in trouble by itself; the others go on (P1)."""
    try:
        yield from walks.walk(part.root, part.begins, without)
    except StoreError as error:
        if not part.root or error.ends_store or isinstance(error, NotFound):
            raise
        yield Oddity(f"{part.root}/", "unreadable", error.reason)
