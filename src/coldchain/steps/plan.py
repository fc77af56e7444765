"""What shall be done with each file, and why?

Pure but for two looks: whether a file is still being written, and which "~v2" name is free.  ``coldchain plan`` prints
what this yields, and a run carries out just that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from coldchain.config.values import OnChange
from coldchain.errors import NotAFile, NotFound
from coldchain.model import (
    OWN_FOLDER,
    UNCHANGED,
    Action,
    Added,
    Change,
    Changed,
    Difference,
    Entry,
    Hold,
    Keep,
    Manner,
    Missing,
    Oddity,
    Record,
    Refuse,
    Send,
    State,
    Target,
    Touched,
    Unproved,
)
from coldchain.steps.collisions import Collisions
from coldchain.steps.layout import Layout
from coldchain.steps.scan import Walks
from coldchain.steps.settle import Settling
from coldchain.stores.base import Store
from coldchain.stores.names import NameRules


@dataclass(slots=True)
class Aim:
    """One destination as planning sees it; lives for the whole job."""

    name: str
    store: Store
    walks: Walks
    """The listings of the store."""
    rules: NameRules
    on_change: OnChange
    volume: str = ""
    """The volume that the store lay on when it was recognised."""
    owner: str = ""
    """Marks the temporary names of this job on this host; see ``Store.stage``."""
    collisions: Collisions = field(init=False)
    layout: Layout = Layout("", 0)
    """Of the dataset that is being planned."""
    stored: int = 0
    """Files of this job that were stored here before ..."""
    changed: int = 0
    """... and how many of them changed at the source since."""
    unswept: bool = False
    """Whether the next run must look for temporary files of this one."""
    largest_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.collisions = Collisions(self.rules)
        self.largest_bytes = self.store.traits.largest_bytes

    def leave_unswept(self) -> None:
        """Something is tried again here: a server that notices late what broke may leave the first try lying."""
        self.unswept = True

    def enter(self, layout: Layout, region: str, without: Collection[str] = ()) -> None:
        """The next entries are of another part of a dataset, or of another dataset."""
        self.layout = layout
        self.collisions.enter(region, without)


def plan(differences: Iterator[Difference], aims: Sequence[Aim], settling: Settling) -> Iterator[Action]:
    """Yield what to do with each file, in order.  A file can be sent to one destination and refused by another."""
    names = tuple(aim.name for aim in aims)
    for difference in differences:
        entry = difference.entry
        targets: list[Target] = []
        kept: list[str] = []
        for aim, name, change in zip(aims, names, difference.changes, strict=True):
            decision = _decide(aim, entry, change)
            if decision is None:
                kept.append(name)
            elif isinstance(decision, Target):
                targets.append(decision)
            else:
                yield decision
        if targets:
            reason = settling.reason_to_wait(entry)
            yield (
                Hold(entry, reason, tuple(t.destination for t in targets), tuple(kept))
                if reason
                else Send(entry, tuple(targets), tuple(kept), settling.grows(entry.path))
            )
        elif kept:
            yield Keep(entry, tuple(kept))


def _decide(aim: Aim, entry: Entry, change: Change) -> Target | Refuse | None:
    aim.stored += change is UNCHANGED or getattr(change, "record", None) is not None
    if change is UNCHANGED and not aim.rules.confuses:  # it stands there under its name: the place keeps that
        return None
    key = aim.layout.key(entry.path)
    if reason := _refusal(aim, key):
        return Refuse(entry.path, entry.size_bytes, reason, aim.name)
    if 0 < aim.largest_bytes < entry.size_bytes:
        reason = f"this place keeps no file over {aim.largest_bytes:,} bytes"
        return Refuse(entry.path, entry.size_bytes, reason, aim.name)
    match change:
        case Added():
            return Target(aim.name, key, Manner.NEW, "new")
        case Missing():
            return Target(aim.name, key, Manner.NEW, "missing at the destination")
        case Changed(record):
            aim.changed += 1
            # The same size may mean the same bytes: hash first, and write only what is new.
            unsure = entry.size_bytes == record.size_bytes
            return _changed(aim, entry, record, "changed at the source", unsure=unsure)
        case Touched(record):
            return _changed(aim, entry, record, "touched at the source: read again", unsure=True)
        case Unproved(_, record, why):
            old_digest, old_key = (record.digest, record.key) if record else (None, key)
            return Target(aim.name, old_key, Manner.ADOPT, why, old_digest)
    return None


def _refusal(aim: Aim, key: str) -> str:
    if reason := aim.rules.refusal(key):
        return reason
    if key.partition("/")[0].casefold() == OWN_FOLDER:
        return f"the name {OWN_FOLDER} is coldchain's own at a destination"
    if aim.store.is_leftover(key, aim.owner):
        return "the name is that of a temporary file of this job, which the next run might remove"
    if aim.rules.confuses and (twin := aim.collisions.twin(key)):
        return f"this place cannot tell it from {twin}"
    return ""


def _changed(aim: Aim, entry: Entry, record: Record, reason: str, *, unsure: bool) -> Target | Refuse:
    """What the job's ``on_change`` says; a file that may be unchanged is hashed first in any case."""
    match aim.on_change:
        case OnChange.REPLACE:
            return Target(aim.name, record.key, Manner.REPLACE, reason, record.digest, record.key, unsure)
        case OnChange.KEEP_BOTH:
            key = next_version(aim.layout.key(entry.path), _is_taken(aim))
            return Target(aim.name, key, Manner.NEW, reason, record.digest, record.key, unsure)
        case OnChange.REFUSE if unsure:
            return Target(aim.name, record.key, Manner.ADOPT, reason, record.digest, record.key)
    return Refuse(
        entry.path, entry.size_bytes, 'changed at the source since it was stored (on_change = "refuse")', aim.name
    )


def _is_taken(aim: Aim) -> Callable[[str], bool]:
    def taken(key: str) -> bool:
        try:
            aim.store.stat(key)
        except NotFound:
            return False
        except NotAFile:
            return True
        return True

    return taken


def next_version(key: str, taken: Callable[[str], bool]) -> str:
    """The first free name of the form ``name~v2.ext``; the version stands before the last extension."""
    folder, slash, name = key.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    number = 2
    while taken(candidate := f"{folder}{slash}{stem}~v{number}{dot}{extension}"):
        number += 1
    return candidate


def refuse_oddity(oddity: Oddity) -> Refuse:
    """What is no plain file is refused, with the reason; what cannot be read has failed."""
    state = State.FAILED if oddity.what == "unreadable" else State.REFUSED
    return Refuse(oddity.path, 0, oddity.reason, state=state)
