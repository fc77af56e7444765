"""What was found out of one plate, and what does that make of it?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from coldchain.errors import StoreError
from coldchain.instruments.base import Look
from coldchain.instruments.cellpainting.images import check_images
from coldchain.instruments.cellpainting.markup import Elements, Fault, Ill, read_markup
from coldchain.model import Entry
from coldchain.verdict import KEPT, Condition, Remark, Verdict, shortage

QUIET = timedelta(hours=6)
"""A plate of 1,536 wells pauses for hours between time points, and for minutes while a robot changes plates."""
IMAGES = (".tif", ".tiff")


class Files:
    """The files of one plate, as they are seen."""

    def __init__(self, root: str, look: Look) -> None:
        self.root = root
        self.look = look
        self.images: dict[str, Entry] = {}
        """Every TIFF by its path below the plate, also thumbnails and corrections."""
        self.others: dict[str, Entry] = {}
        """Everything else, by its path below the plate."""
        self.newest: Entry | None = None
        self._latest_ns = int((look.now + QUIET).timestamp() * 1e9)
        self._cut = len(root) + 1 if root else 0

    def see(self, entry: Entry) -> None:
        """Take notice of a file."""
        path = entry.path[self._cut :]
        name = path.rpartition("/")[2]
        # "._x.tif" is what macOS keeps beside x.tif on a share: no image
        if name.lower().endswith(IMAGES) and not name.startswith("."):
            self.images[path] = entry
        else:
            self.others[path] = entry
        # a time stamp far in the future must not hide that the rest is young
        if entry.mtime_ns < self._latest_ns and (self.newest is None or entry.mtime_ns > self.newest.mtime_ns):
            self.newest = entry

    def named(self, ending: str) -> list[str]:
        """The other files whose names end so, in small or capital letters, those of the upper folders first."""
        names = (path for path in self.others if path.lower().endswith(ending) and not _hidden(path))
        return sorted(names, key=lambda path: (path.count("/"), path))


def _hidden(path: str) -> bool:
    return path.rpartition("/")[2].startswith(".")


@dataclass(slots=True)
class Findings:
    """What a maker's own arithmetic says of a plate, before its images were looked into."""

    counted: bool = False
    """There is something to count against: an index, a plan, a list."""
    expected: int = 0
    noun: str = "images"
    missing: list[str] = field(default_factory=list)
    """The first ``KEPT``."""
    missing_count: int = 0
    doubts: list[str] = field(default_factory=list)
    """Why it is not whole, besides what is missing, as phrases."""
    unwhole: dict[str, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    catalogue: dict[str, object] = field(default_factory=dict)
    note: str = ""
    """What to say of a plate with which nothing is wrong."""

    def lack(self, name: str, count: int = 1) -> None:
        """Something is missing; as a person names it."""
        self.missing_count += count
        if len(self.missing) < KEPT:
            self.missing.append(name)

    def read(self, files: Files, path: str, elements: Elements, *, needed: bool) -> bool:
        """Read an XML file of the plate, and say whether that went to its end; else keep why it did not.

        A plate is not whole without a file that is ``needed``, except when it was not coldchain's to read (a document
        type, too large): then nobody knows.
        """
        entry, name = files.others[path], path.rpartition("/")[2]
        try:
            fault = read_markup(files.look, entry.path, entry.size_bytes, elements)
        except StoreError as error:
            fault = Fault(Ill.MALFORMED, f"could not be read: {error.reason}")
        if fault is None:
            return True
        if fault.ill is Ill.CUT:
            self.unwhole[entry.path] = f"{name} {fault.reason}"
        else:
            self.remarks.append(Remark(entry.path, fault.reason))
        if needed and fault.ill is Ill.REFUSED:
            self.note = f"{name} {fault.reason}"
        elif needed:
            self.doubts.append(f"{name} {fault.reason}")
        return False


def conclude(files: Files, findings: Findings) -> Verdict:
    """Look into the images, and say what the plate is."""
    _look_into_images(files, findings)
    condition = Condition.COMPLETE if findings.counted else Condition.UNKNOWN
    if findings.doubts or findings.missing_count or findings.unwhole:
        condition = files.look.while_open(files.newest, QUIET)
    return Verdict(
        condition,
        _summary(findings),
        tuple(findings.missing),
        findings.missing_count,
        findings.unwhole,
        tuple(findings.remarks),
        {key: value for key, value in findings.catalogue.items() if value not in ("", None, [])},
    )


def _look_into_images(files: Files, findings: Findings) -> None:
    checked = check_images(files.look, files.images.values())
    for paths, what in (
        (checked.cut, "not whole"),
        (checked.strange, "no TIFF that can be followed"),
        (checked.unread, "not readable"),
    ):
        if paths:
            first, more = next(iter(paths)).rpartition("/")[2], ", …" if len(paths) > 1 else ""
            verb = "images are" if len(paths) > 1 else "image is"
            findings.doubts.append(f"{len(paths):,} {verb} {what}: {first}{more}")
    findings.unwhole.update(checked.cut)
    findings.remarks += [Remark(path, reason) for path, reason in checked.strange.items()]
    findings.remarks += [Remark(path, f"could not be read: {reason}") for path, reason in checked.unread.items()]


def _summary(findings: Findings) -> str:
    said = list(findings.doubts)
    if findings.missing_count:
        said.insert(0, shortage(findings.noun, findings.expected, findings.missing, findings.missing_count))
    elif not said and findings.unwhole:
        said = list(findings.unwhole.values())[:1]
    if not said:
        said = [findings.note or (f"{images(findings.expected)}, all whole" if findings.counted else "")]
    return "; ".join(said)


def images(count: int) -> str:
    """So many images, in words."""
    return f"{count:,} image{'' if count == 1 else 's'}"


class Wanted(NamedTuple):
    """One image that a plate must have."""

    path: str
    """Below the plate."""
    name: str
    """As a person names it."""


def look_for(files: Files, findings: Findings, wanted: Iterable[Wanted]) -> None:
    """Count what is there of a list of images, and name what is not.  Windows does not tell capital letters apart."""
    folded: set[str] | None = None
    for path, name in wanted:
        findings.expected += 1
        if path in files.images or path in files.others:
            continue
        if folded is None:
            folded = {one.casefold() for one in (*files.images, *files.others)}
        if path.casefold() not in folded:
            findings.lack(name)


def below(folder: str, url: str) -> str:
    """The path of a file that a list in ``folder`` names; one outside of it is looked for by its name alone."""
    url = url.replace("\\", "/").removeprefix("./")
    if url.startswith("/") or ":" in url or ".." in url.split("/"):
        url = url.rpartition("/")[2]
    return f"{folder}/{url}" if folder else url


def number(text: str) -> int | float | str:
    """A number where it is one that JSON can hold, else the text."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text


def moment(text: object) -> str | None:
    """A time in ISO 8601 as it stands there, None for anything else."""
    try:
        datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return str(text)


def kept(said: Mapping[str, str], keys: Iterable[str]) -> dict[str, object]:
    """Those of some keys that a header has, numbers as numbers."""
    return {key: number(said[key]) for key in keys if said.get(key)}
