"""Are the raw data of a run whole: every image of every stack, and what says how they were made?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coldchain.instruments.merscope.finding import Finding
from coldchain.instruments.merscope.headers import (
    Experiment,
    Plan,
    Texts,
    read_experiment,
    read_frames,
    read_inf,
    read_organization,
    read_plan,
)
from coldchain.instruments.merscope.images import PIXEL_BYTES, Images, Stack, missing, sizes
from coldchain.instruments.merscope.names import RAW
from coldchain.model import Entry

EXPERIMENT, PROTOCOL, ORGANIZATION = "experiment.json", "settings/protocol.json", "dataorganization.csv"
_ALWAYS = (EXPERIMENT, ORGANIZATION, PROTOCOL, "settings/positions.csv")
_MOST_NAMES = 10_000


class RawData:
    """The folder of the raw data."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.images = Images()
        self.files: dict[str, Entry] = {}
        """What lies directly in it and in ``settings``, by the path below it; markers too."""
        self.experiment = Experiment()

    def see(self, entry: Entry) -> None:
        """Take notice of one of its files."""
        inner = entry.path[len(self.root) + 1 :]
        folder, _, name = inner.rpartition("/")
        if folder == "data":
            self.images.see(name, entry.size_bytes)
        elif folder in ("", "settings") and len(self.files) < _MOST_NAMES:
            self.files[inner] = entry
        else:
            self.images.strange(name)

    def finding(self, texts: Texts) -> Finding:
        """Compare what is there with what the run says that it acquires."""
        finding = Finding(RAW)
        if EXPERIMENT in self.files:
            self.experiment = read_experiment(texts, f"{self.root}/{EXPERIMENT}")
        plan = read_plan(texts, f"{self.root}/{PROTOCOL}") if PROTOCOL in self.files else Plan({}, readable=False)
        organized = read_organization(texts, f"{self.root}/{ORGANIZATION}") if ORGANIZATION in self.files else []
        stacks = list(dict.fromkeys([*plan.stacks, *organized]))
        self._count(stacks, finding)
        finding.absent(self._absent(plan))
        self._measure(stacks, plan, texts, finding)
        self._doubt(stacks, plan, texts, finding)
        return finding

    def _count(self, stacks: list[str], finding: Finding) -> None:
        fov_count = self.experiment.fov_count or self.experiment.region_fovs
        number, names = missing(stacks, fov_count, self.images)
        finding.short_by(".dax", fov_count * len(stacks), names, number)
        if not number:
            finding.facts.append(f"{self.images.count():,} .dax")

    def _absent(self, plan: Plan) -> Iterator[str]:
        settings = (f"settings/{name}" for name in dict.fromkeys(plan.stacks.values()) if name)
        named = (self.experiment.codebook,) if self.experiment.codebook else ()
        return (name for name in (*_ALWAYS, *named, *settings) if name not in self.files)

    # --- sizes --------------------------------------------------------------------------------------------------------

    def _measure(self, stacks: Iterable[str], plan: Plan, texts: Texts, finding: Finding) -> None:
        """Find the images that are not as long as they must be, or whose .inf is not there."""
        present = [self.images.stacks[name] for name in stacks if name in self.images.stacks]
        pixels, frames = self._settings(present, plan, texts)
        wanted, known = sizes(present, frames, pixels)
        if not known:
            finding.doubts.append("nothing says how long an image must be")
        with_infs = self.images.have_infs()
        unclosed: list[str] = []
        odd: list[str] = []
        for stack in present:
            infs = frozenset(stack.infs) if with_infs else frozenset(stack.fovs)
            for name, fov, size_bytes in stack.images():
                path = f"{self.root}/data/{name}.dax"
                if fov not in infs:
                    unclosed.append(f"{name}.inf")
                if reason := _flaw(size_bytes, wanted.get(stack.name), frames.get(stack.name, 0), closed=fov in infs):
                    finding.unwhole[path] = reason
                elif size_bytes > wanted.get(stack.name, size_bytes):
                    odd.append(path)
        finding.not_whole(".dax")
        finding.short_by(".inf", self.images.count(), unclosed, len(unclosed))
        if odd:
            finding.doubts.append(f"{len(odd):,} .dax {_are(len(odd))} longer than its stack is")
            texts.remark(odd[0], "is longer than the images of its stack")

    def _settings(self, stacks: Iterable[Stack], plan: Plan, texts: Texts) -> tuple[int, dict[str, int]]:
        """Pixels of a frame (0: unknown), and frames of an image by stack."""
        pixels, frames = 0, {}
        for stack in stacks:
            said = 0
            if stack.first_inf:
                area, said = read_inf(texts, f"{self.root}/data/{stack.first_inf}")
                pixels = pixels or area
            settings = f"settings/{plan.stacks.get(stack.name, '')}"
            planned = read_frames(texts, f"{self.root}/{settings}") if settings in self.files else 0
            usual, _ = stack.usual_bytes()
            # One image may have been broken off, and its .inf says so truly: it counts when it is as most are.
            frames[stack.name] = said if said and usual == said * pixels * PIXEL_BYTES else planned or said
            if planned and frames[stack.name] != planned:
                texts.remark(f"{self.root}/{settings}", f"says {planned:,} frames, but the images have {said:,}")
        return pixels, frames

    # --- doubts -------------------------------------------------------------------------------------------------------

    def _doubt(self, stacks: list[str], plan: Plan, texts: Texts, finding: Finding) -> None:
        fov_count, path = self.experiment.fov_count, f"{self.root}/{EXPERIMENT}"
        if not fov_count:
            finding.doubts.append("experiment.json does not say how many fields of view there are")
        if not plan.readable:
            finding.doubts.append("protocol.json does not say what was to be acquired")
        there = [self.images.stacks[name].fovs for name in stacks if name in self.images.stacks]
        most = max(self.experiment.region_fovs, max((max(fovs) + 1 for fovs in there if fovs), default=0))
        if fov_count and most > fov_count:
            finding.doubts.append(f"experiment.json says {fov_count:,} fields of view, but there are {most:,}")
            texts.remark(path, f"says fovCount {fov_count:,}, but there are {most:,} fields of view")
        planned = frozenset(stacks)
        unplanned = [stack for stack in self.images.stacks.values() if stack.name not in planned and stack.fovs]
        if stacks and (number := self.images.strangers + sum(len(stack.fovs) for stack in unplanned)):
            name = self.images.stranger or f"{next(unplanned[0].images())[0]}.dax"
            finding.facts.append(f"{number:,} .dax more than were planned: {name}")


def _flaw(size_bytes: int, wanted: int | None, frames: int, *, closed: bool) -> str:
    """Why an image is not whole, or ""."""
    of = f"{wanted:,} bytes" + (f" for {frames:,} frames" if frames else "") if wanted else ""
    if wanted and size_bytes < wanted:
        return f"the .dax is cut short: {size_bytes:,} of {of}"
    if wanted and size_bytes > wanted and not closed:
        return f"the .dax is still open: its .inf is not there, and it has {size_bytes:,} bytes instead of {of}"
    return "the .dax is empty" if not size_bytes else ""


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
