"""How is any place that fsspec knows a store?"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from coldchain.errors import NotAFile, NotFound, StoreError, StoreGone
from coldchain.model import Entry, Oddity, Secret
from coldchain.stores.base import Traits
from coldchain.stores.fsspec.facts import name_of, seen
from coldchain.stores.fsspec.line import PATIENT, Line, Patience
from coldchain.stores.fsspec.probe import probe_names
from coldchain.stores.fsspec.reading import FsspecReader, look
from coldchain.stores.fsspec.staging import FsspecStaging
from coldchain.stores.fsspec.where import check_known, where
from coldchain.stores.names import NameRules

_LEFTOVER = re.compile(r"\.~([0-9a-z]*)-[0-9a-f]{8}\.coldchain")
_STEP_NS = 1_000
"""Times come as floating-point seconds or microseconds."""


class FsspecStore:
    """A folder of a file system of fsspec; the fallback for places that coldchain has no kind of its own for."""

    def __init__(
        self,
        url: str,
        *,
        options: Mapping[str, str] | None = None,
        patience: Patience = PATIENT,
        secret: Secret | None = None,
    ) -> None:
        """Name the place; nothing is asked until it is used.

        Args:
            url: ``SCHEME://…`` or ``fsspec+SCHEME://…``.
            options: See docs/stores/fsspec.md; raises ConfigurationError for others.
            patience: How often a request is tried.
            secret: The password that stood in the URL.
        """
        self._where = replace(where(url, options or {}), secret=secret)
        self.url = self._where.url
        check_known(self._where)
        self._patience = patience
        self._naming = threading.Lock()
        self._lines = threading.local()

    @property
    def _line(self) -> Line:
        """Each thread has a connection of its own: many file systems cannot be shared."""
        line: Line | None = getattr(self._lines, "line", None)
        if line is None:
            line = self._lines.line = Line(self._where, self._patience)
        return line

    @property
    def traits(self) -> Traits:
        """Nothing that fsspec does not promise for all of its file systems."""
        renames = self._where.habit.renames
        return Traits(mtime_step_ns=_STEP_NS, keeps_mtime=False, has_folders=renames, proves_published=not renames)

    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        """Walk one folder at a time; the names of the folders on the way are in memory."""
        self.volume()
        line = self._line
        base = f"{prefix}/" if prefix else ""
        stack = [(base, iter(_sorted(self._inside(prefix))))]
        while stack:
            folder, rest = stack[-1]
            for name, facts in rest:
                if name[-1] != "/":
                    yield seen(folder + name, facts)
                    continue
                inner = folder + name
                if inner[:-1] in without:
                    continue
                try:
                    stack.append((inner, iter(_sorted(line.ls(inner[:-1])))))
                except NotFound:
                    continue
                except StoreError as error:
                    if error.ends_store or error.temporary:
                        raise
                    yield Oddity(inner, "unreadable", error.reason)
                    continue
                break
            else:
                stack.pop()

    def _inside(self, prefix: str) -> Collection[Mapping[str, Any]]:
        try:
            return self._line.ls(prefix)
        except (NotFound, NotAFile):
            if not prefix:
                raise
            return ()

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The folders directly below ``prefix``."""
        self.volume()
        yield from (name[:-1] for name, _ in _sorted(self._inside(prefix)) if name[-1] == "/")

    def stat(self, key: str) -> Entry:
        """Say what stands under ``key``."""
        return look(self._line, key)

    def read(self, key: str, *, past_cache: bool = False) -> FsspecReader:
        """Open a file; whether a cache of the file system lies between, nobody can tell."""
        return FsspecReader(self._line, key, "get" if past_cache else "cached")

    def busy(self, key: str) -> str:
        """Nobody can tell."""
        return ""

    def stage(self, owner: str = "") -> FsspecStaging:
        """Begin to write."""
        return FsspecStaging(self._line, owner, self._naming)

    def delete(self, key: str) -> None:
        """Remove one file."""
        look(self._line, key)
        self._line.remove(key)

    def is_leftover(self, key: str, owner: str) -> bool:
        """Temporary names carry their owner."""
        match = _LEFTOVER.fullmatch(key.rpartition("/")[2])
        return match is not None and match[1] == owner

    def volume(self) -> str:
        """Name server and folder; raises NotFound when the folder is not there."""
        if self._line.info("")["type"] != "directory":
            raise NotAFile("not a folder", url=self.url)
        return f"{self._where.protocol} {self._where.address.partition('://')[2]}"

    def free_bytes(self) -> int | None:
        """Nobody can tell."""
        return None

    def probe_names(self) -> NameRules:
        """See ``fsspec.probe``."""
        self.volume()
        return probe_names(self._line)

    def make(self) -> None:
        """Make the folder itself, in one that is there."""
        try:
            self.volume()
        except NotFound:
            try:
                self._line.do("", lambda fs, path: fs.mkdir(path, create_parents=False))
            except StoreError as error:
                raise StoreGone(f"cannot make the folder: {error.reason}", url=self.url) from error

    def close(self) -> None:
        """Let go of this thread's connection; those of others go with them."""
        self._line.hang_up()


def _sorted(listed: Collection[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Names with what is known of them, ascending; a folder's name ends in a slash."""
    rows = [(name_of(facts) + ("/" if _is_folder(facts) else ""), facts) for facts in listed]
    return sorted((row for row in rows if row[0] not in {"", "/"}), key=lambda row: row[0])


def _is_folder(facts: Mapping[str, Any]) -> bool:
    return facts["type"] == "directory" and not facts.get("islink")
