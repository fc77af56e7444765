"""Which images of a run are there, and are they as long as they must be?

A .dax is nothing but frames of 16-bit pixels, so that its size is frames x width x height x 2.  It grows frame by
frame, and its .inf is written when it is closed (source: the image writers of storm-control, from which MERSCOPE's
file format comes; that MERSCOPE keeps the .inf is not known, so they are asked for only where there are some).
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

PIXEL_BYTES = 2
_IMAGE = re.compile(r"(.+)_(\d{1,9})\.(dax|inf)", re.ASCII | re.DOTALL)
_MOST_STACKS = 10_000


class Stack:
    """The images of one stack: 25 bytes for each, whatever their number."""

    __slots__ = ("digits", "first_inf", "fovs", "infs", "name", "sizes")

    def __init__(self, name: str) -> None:
        self.name = name
        self.fovs, self.sizes, self.digits = array("q"), array("q"), array("B")
        self.infs = array("q")
        self.first_inf = ""
        """The name of the first .inf."""

    def images(self) -> Iterator[tuple[str, int, int]]:
        """Name without ending, FOV, size of each .dax."""
        for fov, size_bytes, digits in zip(self.fovs, self.sizes, self.digits, strict=True):
            yield f"{self.name}_{fov:0{digits}d}", fov, size_bytes

    def usual_bytes(self) -> tuple[int, int]:
        """The size that most of them have, the larger one of two, and how many have it."""
        number, size_bytes = max(((number, size) for size, number in Counter(self.sizes).items()), default=(0, 0))
        return size_bytes, number


class Images:
    """Everything in the folder ``data``."""

    def __init__(self) -> None:
        self.stacks: dict[str, Stack] = {}
        self.strangers = 0
        """.dax files whose names are not those of images ..."""
        self.stranger = ""
        """... and the first of them."""

    def see(self, name: str, size_bytes: int) -> None:
        """Take notice of a file of the folder ``data``."""
        found = _IMAGE.fullmatch(name)
        stack = self._stack(found[1]) if found else None
        if found is None or stack is None:
            self.strange(name)
        elif found[3] == "dax":
            stack.fovs.append(int(found[2]))
            stack.sizes.append(size_bytes)
            stack.digits.append(len(found[2]))
        else:
            stack.infs.append(int(found[2]))
            stack.first_inf = stack.first_inf or name

    def strange(self, name: str) -> None:
        """Count a .dax that is no image of a stack."""
        if name.endswith(".dax"):
            self.strangers += 1
            self.stranger = self.stranger or name

    def _stack(self, name: str) -> Stack | None:
        if name not in self.stacks and len(self.stacks) < _MOST_STACKS:
            self.stacks[name] = Stack(name)
        return self.stacks.get(name)

    def count(self) -> int:
        """How many .dax there are."""
        return sum(len(stack.fovs) for stack in self.stacks.values())

    def have_infs(self) -> bool:
        """Whether this instrument keeps the .inf."""
        return any(stack.infs for stack in self.stacks.values())

    def digits(self) -> int:
        """How many digits the number of a FOV has in a name; 0 when there is no name yet."""
        return max((max(stack.digits) for stack in self.stacks.values() if stack.digits), default=0)


def missing(stacks: Sequence[str], fov_count: int, images: Images) -> tuple[int, Iterator[str]]:
    """How many images are not there, and their names in the order of imaging; zero padding does not matter."""
    there = {name: frozenset(images.stacks[name].fovs) for name in stacks if name in images.stacks}
    found = sum(sum(0 <= fov < fov_count for fov in fovs) for fovs in there.values())
    digits = images.digits()
    names = (
        f"{name}_{fov:0{digits}d}"
        for name in stacks
        for fov in range(fov_count)
        if name not in there or fov not in there[name]
    )
    return fov_count * len(stacks) - found, names


def sizes(stacks: Iterable[Stack], frames: Mapping[str, int], pixels: int) -> tuple[dict[str, int], bool]:
    """The size that each stack's images must have, and whether that of all of them is known.

    Args:
        stacks: Those that the plan has.
        frames: Frames of an image, by stack, where that is known.
        pixels: Pixels of a frame, or 0 when nothing says so; then the images themselves must agree on it.

    What the settings say is believed only when half of the images have just these sizes: nobody has shown the .dax of a
    MERSCOPE in public, and a wrong rule must not hold everything back.  Otherwise the images of one stack, which all
    have as many frames, must be as long as most of them are.
    """
    present = [stack for stack in stacks if stack.fovs]
    pixels_ = pixels or _agreed_pixels(present, frames)
    said = {stack.name: pixels_ * PIXEL_BYTES * frames.get(stack.name, 0) for stack in present}
    total = sum(len(stack.sizes) for stack in present)
    right = sum(stack.sizes.count(said[stack.name]) for stack in present if said[stack.name])
    believed = right * 2 >= total and right >= (1 if pixels else 2)
    wanted = {}
    for stack in present:
        usual, number = stack.usual_bytes()
        if believed and said[stack.name]:
            wanted[stack.name] = said[stack.name]
        elif number * 2 >= len(stack.sizes) >= 2:
            wanted[stack.name] = usual
    return wanted, len(wanted) == len(present)


def _agreed_pixels(stacks: Iterable[Stack], frames: Mapping[str, int]) -> int:
    """Pixels of a frame, as most images have them."""
    votes: Counter[int] = Counter()
    for stack in stacks:
        usual, number = stack.usual_bytes()
        frame_count = frames.get(stack.name, 0)
        if frame_count and usual and usual % (frame_count * PIXEL_BYTES) == 0:
            votes[usual // (frame_count * PIXEL_BYTES)] += number
    return max(votes, key=lambda pixels: (votes[pixels], pixels), default=0)
