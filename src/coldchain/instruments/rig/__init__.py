"""Behaviour rigs: which folders are sessions, and is one of them over?"""

from __future__ import annotations

from coldchain.instruments.rig.sessions import INSTRUMENT

__all__ = ["INSTRUMENT"]
