"""Did a run keep its promises, judged by what lies on the disks?

The oracle walks the trees with ``os.walk`` and ``hashlib`` and shares no code with what it judges.  It is given the
history of the source (which the test wrote, so it knows), the folders as they are now, and what the run said.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

_OWN = re.compile(r"\.coldchain/(destination\.json|manifests/.+|generations/.+|agents/.+)")
_VERSION = re.compile(r"~v[0-9]+")
_NO_FILE = "no plain file"
_INTERRUPTED = 130

Tree = Mapping[str, str]
"""Path below a folder -> SHA-256 of the content."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the oracle looks at; contents are lower-case hexadecimal SHA-256."""

    history: Mapping[str, Collection[str]]
    """For each path that ever was at the source, every content that ever stood there."""
    source: Path
    destinations: Mapping[str, Path]
    report: Collection[tuple[str, str, str]]
    """(path, destination, state) as the run reported it; destination "" speaks for every one."""
    exit_code: int
    key_of: Callable[[str], str] = str
    """The layout: which key has the file of this path."""
    given_up: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Contents that the person allowed to be lost: overwritten at the source, or replaced by ``on_change``."""
    strangers: Mapping[str, Tree] = field(default_factory=dict)
    """For each destination, what other people had put there before."""
    optional: Collection[str] = ()
    """Destinations that do not decide the exit code."""
    source_at_rest: bool = True
    """Nobody wrote to the source since the run began, so "verified" speaks of what stands there now."""


@dataclass(frozen=True)
class _Scene:
    given: Evidence
    here: Tree
    there: Mapping[str, Tree]
    paths_by_key: Mapping[str, str]

    def path_of(self, key: str) -> str | None:
        """Whose copy a key is: its own, or as a version ("plate~v2.tif") of a path; None when of no one."""
        if key in self.paths_by_key:
            return self.paths_by_key[key]
        folder, slash, name = key.rpartition("/")
        candidates = {folder + slash + name[: v.start()] + name[v.end() :] for v in _VERSION.finditer(name)}
        paths = {self.paths_by_key[candidate] for candidate in candidates if candidate in self.paths_by_key}
        return paths.pop() if len(paths) == 1 else None

    def copies(self, path: str, destination: str) -> set[str]:
        """The contents that one destination holds for a path, under its final name or a version's."""
        return self._held[destination].get(path, set())

    def states(self, path: str, destination: str) -> set[str]:
        """In which states the report has a file for one destination."""
        return self._told.get((path, destination), set()) | self._told.get((path, ""), set())

    @cached_property
    def _held(self) -> dict[str, dict[str, set[str]]]:
        held: dict[str, dict[str, set[str]]] = {}
        for name, tree in self.there.items():
            of_place = held.setdefault(name, {})
            for key, content in tree.items():
                if (path := self.path_of(key)) is not None:
                    of_place.setdefault(path, set()).add(content)
        return held

    @cached_property
    def _told(self) -> dict[tuple[str, str], set[str]]:
        told: dict[tuple[str, str], set[str]] = {}
        for path, destination, state in self.given.report:
            told.setdefault((path, destination), set()).add(str(state))
        return told


def violations(given: Evidence) -> list[str]:
    """Say in words every promise that was broken; an empty list is an acquittal."""
    scene = _Scene(
        given,
        read_tree(given.source),
        {name: read_tree(root) for name, root in given.destinations.items()},
        {given.key_of(path): path for path in given.history},
    )
    checks = (_lost, _foreign_to_source, _wrong_names, _harmed, _unreported, _not_as_reported, _dishonest_exit)
    return [sentence for check in checks for sentence in check(scene)]


def read_tree(root: Path) -> dict[str, str]:
    """Hash every file below a folder; what is no plain file is there with a word instead of a digest.

    A folder that is not there holds nothing; one that cannot be read raises OSError.  What goes away between being
    listed and being read was not there.
    """
    tree: dict[str, str] = {}
    if not root.exists():
        return tree
    for folder, folders, names in os.walk(root, onerror=_raise):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in [*names, *links]:
            file = Path(folder, name)
            with contextlib.suppress(FileNotFoundError):
                plain = stat.S_ISREG(file.lstat().st_mode)
                tree[file.relative_to(root).as_posix()] = _hash(file) if plain else _NO_FILE
    return tree


def _raise(error: OSError) -> None:
    raise error


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _lost(scene: _Scene) -> Iterator[str]:
    """P1, P5, P7: every content is at the source or at a destination, under a name that says whose it is."""
    held: dict[str, set[str]] = {path: {scene.here[path]} for path in scene.here}
    for tree in scene.there.values():
        for key, content in tree.items():
            if (path := scene.path_of(key)) is not None:
                held.setdefault(path, set()).add(content)
    for path, contents in scene.given.history.items():
        for content in sorted(set(contents) - set(scene.given.given_up.get(path, ())) - held.get(path, set())):
            yield f"{path!r}: the content {content[:12]} is lost: neither at the source nor at a destination"


def _foreign_to_source(scene: _Scene) -> Iterator[str]:
    """P18: nobody but the instrument writes to the source."""
    for path, content in scene.here.items():
        if path not in scene.given.history:
            yield f"{path!r} stands at the source, and its history does not know it"
        elif content != _NO_FILE and content not in scene.given.history[path]:
            yield f"{path!r} was altered at the source: {content[:12]} never stood there"


def _wrong_names(scene: _Scene) -> Iterator[str]:
    """P3, P11, P16: every name at a destination is a final name with a content of its path, and nothing else is."""
    for name, tree in scene.there.items():
        strangers = scene.given.strangers.get(name, {})
        for key, content in tree.items():
            if key in strangers or _OWN.fullmatch(key):
                continue
            if (path := scene.path_of(key)) is None:
                yield f"{name}: {key!r} is a leftover: no file of the source has this name"
            elif content not in scene.given.history[path]:
                yield f"{name}: {key!r} holds {content[:12]}, which never stood at the source under {path!r}"


def _harmed(scene: _Scene) -> Iterator[str]:
    """P5, P6: what other people put at a destination is still there."""
    for name, strangers in scene.given.strangers.items():
        for key, content in strangers.items():
            if scene.there[name].get(key) != content:
                yield f"{name}: {key!r}, which belongs to somebody else, is gone or altered"


def _unreported(scene: _Scene) -> Iterator[str]:
    """P1: every file of the source ends in exactly one state at every destination."""
    for path in scene.here:
        for name in scene.given.destinations:
            states = scene.states(path, name)
            if not states:
                yield f"{path!r} is at the source, and the report is silent about it for {name}"
            elif len(states) > 1:
                yield f"{path!r} is reported in {len(states)} states for {name}: {', '.join(sorted(states))}"


def _not_as_reported(scene: _Scene) -> Iterator[str]:
    """P2: what is reported as verified is there."""
    for path, spoken, state in scene.given.report:
        if state != "verified":
            continue
        for name in scene.given.destinations if spoken == "" else [spoken]:
            copies = scene.copies(path, name) & set(scene.given.history.get(path, ()))
            if not copies:
                yield f"{path!r} is reported as verified at {name}, and no content of it is there"
            elif scene.given.source_at_rest and scene.here.get(path, min(copies)) not in copies:
                yield f"{path!r} is reported as verified at {name}, and what is there is not what stands at the source"


def _dishonest_exit(scene: _Scene) -> Iterator[str]:
    """P13: exit code 0 if, and only if, everything is verified wherever it must be; an interrupted run says so."""
    required = [name for name in scene.given.destinations if name not in scene.given.optional]
    missing = [(p, d) for p in scene.here for d in required if scene.states(p, d) != {"verified"}]
    if scene.given.exit_code == 0 and not scene.given.report:
        yield "the exit code is 0, and the report is empty"
    for path, name in missing if scene.given.exit_code == 0 else []:
        yield f"the exit code is 0, and {path!r} is not verified at {name}"
    in_trouble = any(state != "verified" for _, name, state in scene.given.report if name not in scene.given.optional)
    if scene.given.exit_code not in {0, _INTERRUPTED} and scene.here and not missing and not in_trouble:
        yield f"the exit code is {scene.given.exit_code}, and everything is verified"
