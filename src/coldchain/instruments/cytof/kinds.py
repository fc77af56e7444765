"""What may a file be, going by its name?"""

from __future__ import annotations

from enum import Enum, auto


class Kind(Enum):
    """What a name promises."""

    IMD = auto()
    """Raw pushes of a CyTOF."""
    FCS = auto()
    RD8 = auto()
    """Raw pushes of older instruments; nothing in them says whether they are whole."""
    UNNAMED = auto()
    """Anything else that may be FCS under another name: ``0877408774.B08``, ``060909.001``, names without a dot."""
    OTHER = auto()
    """Surely no FCS; it is not looked into."""


_KINDS = {".imd": Kind.IMD, ".fcs": Kind.FCS, ".lmd": Kind.FCS, ".rd8": Kind.RD8}
_EXTENSIONS = """
txt conf ini cfg log csv tsv xml json yaml yml toml md html htm pdf rtf doc docx xls xlsx ppt pptx
png jpg jpeg gif bmp svg tif tiff mp4 avi zip 7z gz bz2 xz zst tar rar db sqlite mat npy npz h5 hdf5 parquet
rds rda rdata r py m exe dll lnk bak tmp wsp wspt jo acs mcd gml
"""
_OTHER = frozenset(f".{extension}" for extension in _EXTENSIONS.split())


def kind_of(path: str) -> Kind:
    """What the name of a file promises; capitals do not matter."""
    name = path.rpartition("/")[2].lower()
    dot = name.rfind(".")
    extension = name[dot:] if dot > 0 else ""
    return _KINDS.get(extension) or (Kind.OTHER if extension in _OTHER else Kind.UNNAMED)
