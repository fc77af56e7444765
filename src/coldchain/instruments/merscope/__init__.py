"""Vizgen MERSCOPE: which files are one run, and is it whole?"""

from __future__ import annotations

from coldchain.instruments.merscope.instrument import INSTRUMENT

__all__ = ["INSTRUMENT"]
