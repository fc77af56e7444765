"""Which microscopes that image painted cells can be played?

How many wells, sites and channels, and how large the images: see ``plate.py``; what each maker writes: its own module.
"""

from __future__ import annotations

from coldchain.simulate.base import Simulator
from coldchain.simulate.cellpainting import cv8000, harmony, imagexpress

SIMULATOR = Simulator(
    name="cellpainting",
    description="An Opera Phenix plate as Harmony exports it: image after image, Index.idx.xml last.",
    acquire=harmony.acquire,
)
IMAGEXPRESS = Simulator(
    name="cellpainting-imagexpress",
    description="A MetaXpress plate of an ImageXpress: the plan (.HTD) first, then image after image.",
    acquire=imagexpress.acquire,
)
CV8000 = Simulator(
    name="cellpainting-cv8000",
    description="A Yokogawa CV8000 plate: image after image with a record in the .mlf, the .mrf last.",
    acquire=cv8000.acquire,
)
