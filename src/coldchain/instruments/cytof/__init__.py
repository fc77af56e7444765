"""CyTOF, and FCS files of any cytometer: which files are one acquisition, and is each of them whole?"""

from __future__ import annotations

from coldchain.instruments.cytof.instrument import INSTRUMENT

__all__ = ["INSTRUMENT"]
