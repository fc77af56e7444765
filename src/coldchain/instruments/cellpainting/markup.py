"""Which elements does an XML file hold, when nobody knows who wrote it?

Streamed through expat a piece at a time; no tree is built.  A file that declares a document type is refused, because
entities can expand without end (CVE-2003-1564, "billion laughs"); no index of a microscope has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import NamedTuple, Protocol
from xml.parsers import expat

from coldchain.instruments.base import Look

PIECE_BYTES = 1 << 20
MOST_BYTES = 512 << 20
"""An index of 27,648 images has some 50 MB."""
MOST_TEXT = 64 << 10
MOST_DEPTH = 64
MOST_BEHIND = 16 << 20
"""A tag may be so long, before the reader gives up to hold it."""
ENDED_EARLY = (
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
    expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
)


class Ill(Enum):
    """In which way a file is not what it should be."""

    CUT = "cut"
    MALFORMED = "malformed"
    REFUSED = "refused"
    """Too large, too deep, or with a document type."""


class Fault(NamedTuple):
    """Why a file could not be read to its end."""

    ill: Ill
    reason: str
    """What is so of it, after its name: "is cut short after 12,000 bytes"."""


class Refused(Exception):
    """A reader of elements has had enough; the text says why."""


class Elements(Protocol):
    """Takes what it wants of a file.  Names come without their namespaces, which differ between versions."""

    marks: frozenset[str]
    """Elements whose beginning and end it wants to hear of."""
    texts: frozenset[str]
    """Elements without others in them, whose text it wants."""

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element of ``marks`` begins."""

    def closed(self, name: str, text: str) -> None:
        """An element of ``marks`` or ``texts`` ends; the text is stripped and at most ``MOST_TEXT`` long."""


def read_markup(look: Look, path: str, size_bytes: int, elements: Elements) -> Fault | None:
    """Show a file to a reader of elements; raises StoreError.  What it was shown before a fault stands."""
    if size_bytes > MOST_BYTES:
        return Fault(Ill.REFUSED, f"is too large to be read: {size_bytes:,} bytes")
    return parse(_pieces(look, path), elements)


def parse(pieces: Iterable[bytes], elements: Elements) -> Fault | None:
    """Show pieces of a file to a reader of elements; the fault, when it could not be read to its end."""
    stream = _Stream(elements)
    fed, piece = 0, b""
    try:
        for piece in pieces:
            stream.parser.Parse(piece, False)
            fed += len(piece)
            if fed - max(0, stream.parser.CurrentByteIndex) > MOST_BEHIND:
                return Fault(Ill.REFUSED, f"has something at byte {stream.parser.CurrentByteIndex:,} that does not end")
        stream.parser.Parse(b"", True)
    except Refused as refused:
        return Fault(Ill.REFUSED, str(refused))
    except expat.ExpatError as error:
        at = stream.parser.ErrorByteIndex
        if error.code in ENDED_EARLY:
            return Fault(Ill.CUT, f"is cut short after {fed:,} bytes")
        if piece[max(0, at - fed) :][:1] == b"\0":
            return Fault(Ill.CUT, f"is cut short: only zeros from byte {at:,} on")
        return Fault(Ill.MALFORMED, f"is malformed at byte {at:,}: {expat.ErrorString(error.code)}")
    except (LookupError, ValueError) as error:  # an encoding that Python does not know, or cannot use here
        return Fault(Ill.MALFORMED, f"is malformed: {error}")
    return None


def _pieces(look: Look, path: str) -> Iterator[bytes]:
    for offset in range(0, MOST_BYTES, PIECE_BYTES):
        piece = look.piece(path, offset, PIECE_BYTES)
        yield piece
        if len(piece) < PIECE_BYTES:
            return


class _Stream:
    """Hands the wanted elements on.  Text is collected only within them: the rest of an index is bulky."""

    def __init__(self, elements: Elements) -> None:
        self._elements = elements
        self._wanted = elements.marks | elements.texts
        self._text: list[str] = []
        self._length = self._depth = 0
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._open
        parser.EndElementHandler = self._close
        parser.StartDoctypeDeclHandler = self._refuse

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise Refused(f"has more than {MOST_DEPTH} elements in one another")
        if ":" in name:
            name = name.rpartition(":")[2]
            attributes = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        if name in self._elements.marks:
            self._elements.opened(name, attributes)
        if name in self._elements.texts:
            self._text.clear()
            self._length = 0
            self.parser.CharacterDataHandler = self._collect
        else:
            self.parser.CharacterDataHandler = None

    def _collect(self, text: str) -> None:
        if self._length < MOST_TEXT:
            self._text.append(text[: MOST_TEXT - self._length])
            self._length += len(text)

    def _close(self, name: str) -> None:
        self._depth -= 1
        self.parser.CharacterDataHandler = None
        name = name.rpartition(":")[2]
        if name in self._wanted:
            self._elements.closed(name, "".join(self._text).strip())
            self._text.clear()

    def _refuse(self, *_: object) -> None:
        raise Refused("declares a document type, which no microscope does")
