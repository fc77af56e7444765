"""Which names can a place keep, and which two would it confuse?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from coldchain.errors import ManifestDamaged

_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")
_CONTROL = re.compile("[\x01-\x1f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class NameRules:
    """What a place was seen to do to names; the defaults are those of ext4, XFS and btrfs."""

    folds_case: bool = False
    """``a`` and ``A`` are one file."""
    folds_unicode: bool = False
    """The composed and the decomposed form of one text are one file, or come back as the other form."""
    forbidden: str = ""
    """Characters that it refuses or alters."""
    control_characters: bool = True
    """Keeps characters 1 to 31."""
    trailing_dot: bool = True
    trailing_space: bool = True
    reserved_words: bool = True
    """Keeps CON, nul.txt and their like."""
    invalid_utf8: bool = True
    """Keeps bytes that are not UTF-8."""
    name_limit: int = 255
    """Longest name of one file or folder ..."""
    limit_unit: str = "bytes"
    """... counted in ``bytes`` or in ``utf-16`` units."""
    key_bytes: int = 0
    """Longest whole key, counted in bytes of UTF-8; 0: no limit but that of each name."""

    @property
    def confuses(self) -> bool:
        """Whether two different keys can be one file here."""
        return self.folds_case or self.folds_unicode

    def fold(self, key: str) -> str:
        """The form in which this place compares keys; equal forms are one file."""
        if self.folds_unicode:
            key = unicodedata.normalize("NFC", key)
        if self.folds_case:
            key = unicodedata.normalize("NFC", key.casefold()) if self.folds_unicode else key.casefold()
        return key

    def refusal(self, key: str) -> str:
        """Say why this place cannot keep ``key`` unchanged, as a phrase, or "" when it can."""
        if 0 < self.key_bytes < 4 * len(key) and (size := len(key.encode("utf-8", "surrogateescape"))) > self.key_bytes:
            return f"path and name are {size:,} bytes long together, this place keeps {self.key_bytes:,}"
        for name in key.split("/"):
            if reason := self._refusal_of_name(name):
                return reason
        return ""

    def _refusal_of_name(self, name: str) -> str:
        if len(name) > self.name_limit // 4 and (size := self._size(name)) > self.name_limit:
            return f"the name is {size} {self.limit_unit} long, this place keeps {self.name_limit}"
        if not self.invalid_utf8 and _SURROGATE.search(name):
            return "the name holds bytes that are not UTF-8, which this place cannot keep"
        if self.forbidden and (bad := next((c for c in name if c in self.forbidden), "")):
            return f"this place cannot keep the character {bad!r} in a name"
        if not self.control_characters and _CONTROL.search(name):
            return "this place cannot keep control characters in a name"
        if not self.trailing_dot and name.endswith("."):
            return "this place drops the dot at the end of a name"
        if not self.trailing_space and name.endswith(" "):
            return "this place drops the space at the end of a name"
        if not self.reserved_words and _RESERVED.fullmatch(name):
            return "the name is reserved on Windows"
        return ""

    def _size(self, name: str) -> int:
        if self.limit_unit == "bytes":
            return len(name.encode("utf-8", "surrogateescape"))
        return len(name.encode("utf-16-le", "surrogatepass")) // 2

    def as_json(self) -> dict[str, object]:
        """Plain values, for ``destination.json``."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> NameRules:
        """Read ``as_json`` back; raises ManifestDamaged when a value has the wrong type or name."""
        standard = asdict(cls())
        for name, value in values.items():
            if name not in standard or type(value) is not type(standard[name]):
                raise ManifestDamaged(f"destination.json: names.{name} = {value!r} makes no sense")
        return cls(**values)  # type: ignore[arg-type]
