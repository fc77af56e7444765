"""Which names do people, instruments, other systems and other programs give to files?"""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

_TEXTS = ["Zürich Å.tif", "한글.fcs", "ﬁ ½ ².txt", "Ω Ω"]

INSTRUMENTS = [
    b"BR00121482__2021-05-13T03_42_02-Measurement 1/Images/r01c01f01p01-ch1sk1fk1fl1.tiff",
    b"1009680001_Cellvis_#P96-1.5H-N.wpp",
    b"101210OranePlt1_C16_w1_[9AA4D9EA-0F7E-4FE0-B6B2-5A0C5C6FA4C7].tif",
    b"B01 KC-A-W---91-US.fcs",
    b"Reaction_Predictions(Strictest)",
    "384 Greiner µClear".encode(),
    b"--W00001--P00001--Z00000--T00000--cherry.tif",
    b"130515 C2 stim\xc9CD19-.fcs",
    b"0877408774.B08",
    b"stim\xc9/130515 C2.fcs",
]

BYTES = [
    *[b"\xff", b"\xfe\xff", b"\x80abc", b"lone \xed\xa0\x80 half", b"overlong \xc0\xaf", b"m\xff", b"m\xef\xbf\xae"],
    *[f"m{sign}".encode() for sign in ("\ue000", "\U0001f4a9", "\U0010fffd", "\x80")],
]

FORMS = [unicodedata.normalize(form, text).encode() for text in _TEXTS for form in ("NFC", "NFD")]

CASES = [b"Plate.tif", b"PLATE.TIF", b"plate.tif", b"Well/a", b"WELL/a", b"well/A", "straße".encode(), b"STRASSE"]

LONG = [
    *[b"n" * 255, "ä".encode() * 127 + b"x", "💩".encode() * 63 + b"abc", b"\xff" * 255, b"." * 255],
    *[b"\n" * 255, b" " * 255, b"\\" * 255, b"d" * 255 + b"/" + b"f" * 255],
]

LOOK_ALIKES = [
    *[b"image.part", b"image.tif.part", b"image.tmp", b"image.partial", b"image.crdownload", b".image.tif.Xy12Zz"],
    *[b"image~", b".#lock", b"~$plate.xlsx", b"image~v2.tif", b".nfs000000000001", b"Thumbs.db", b".DS_Store"],
    *[b".~abcd1234-00112233.coldchain", b"deep/.~abcd1234-00112233.coldchain", b".~coldchain", b"x.coldchain"],
    *[b"deep/.coldchain/destination.json", b"deep/.coldchain/manifests/job/x.json", b"deep/.COLDCHAIN"],
    *[b"coldchain.toml", b"destination.json", b"x.sha256"],
]

ENDS = [
    *[b"ends.", b"ends ", b"ends..", b"ends. ", b" begins", b"...", b". .", b" ", b"  ", b".. ", b" .", b"dir./x"],
    *[b"dir /x", b" dir/ x", b"dir/ ", b"dir/..."],
]

CONTROLS = [
    *[b"a\nb", b"a\\nb", b"a\rb", b"\r\n", b"\n", b"\\", b"a\\", b"\\a", b"a\\\\b", b"tab\tb", b"\x01", b"\x7f"],
    *[b"\x1b[31mred\x1b[0m", b"\x1b]0;title\x07", b"\x08\x08", b"\x9b31m", "\x9b31m".encode(), b"line\n\\end\n"],
    *[
        "\u202egnp.exe".encode(),
        "\u2028".encode(),
        "\ufeffbom".encode(),
        "zero\u200bwidth".encode(),
        b"dir\nwith\r/new\\line",
    ],
]

WORDS = [
    *[b"-", b"--", b"-rf", b"--help", b"-c", b"--json", b"dir/-", b"host:file", b"C:evil", b"user@host:x", b"s3:"],
    *[b"%41", b"%", b"%2F", b"%~", b"*", b"?", b"[a]", b"{path}", b"{dataset}", b"{job}", b"$HOME", b"$(touch x)"],
    *[
        b"`id`",
        b"~",
        b"~root",
        b"#comment",
        b"!not",
        b"a#b",
        b"CON",
        b"nul.txt",
        b"COM1",
        b"LPT9.tif",
        b'"',
        b"'",
        b"|",
    ],
    *[b"sort/a/x", b"sort/a.b", b"sort/a-b", b"sort/a b", b"sort/a0", b"sort/a", b"&", b";", b"<>", b"True", b"null"],
]


def by_hand() -> list[bytes]:
    """All of them; of two that cannot be beside each other (a file and a folder of one name) only the first."""
    found: dict[bytes, None] = {}
    for group in (INSTRUMENTS, BYTES, FORMS, CASES, LONG, LOOK_ALIKES, ENDS, CONTROLS, WORDS):
        for path in group:
            if not any(other.startswith(path + b"/") or path.startswith(other + b"/") for other in found):
                found[path] = None
    return list(found)


def naughty(data: Path) -> list[bytes]:
    """The big list of naughty strings: those that are names."""
    listed = json.loads((data / "names" / "blns_usable_on_ext4.json").read_text(encoding="utf-8"))
    return [os.fsencode(one["name"]) for one in listed if one["ok"]]


def contents(paths: list[bytes], below: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
    """Each path with a small content of its own."""
    for number, path in enumerate(paths):
        whole = below + b"/" + path if below else path
        yield whole, hashlib.sha256(whole).hexdigest().encode() * (number % 3) + b"%d" % number
