"""Does every name arrive as it is, or is it refused before anything is sent?"""

from __future__ import annotations

import pytest

from coldchain.errors import NameRefused, Occupied
from coldchain.stores.base import Store
from coldchain.testing.contract.acts import (
    Subject,
    arrived,
    carry,
    content_of,
    everything,
    in_one_form,
    put_in,
    refused,
    staging_of,
)

NASTY = [
    " leading space",
    "trailing space ",
    "two  spaces/and a folder with one/x",
    "#hash#",
    "%41",
    "%2e%2e",
    "%",
    "100%.tif",
    "[x]",
    "{dataset}",
    "*",
    "a?b",
    "-Measurement 1",
    "--delete",
    "-rf",
    "~",
    "~root/x",
    "file~v2.tif",
    "new\nline",
    "carriage\rreturn",
    "\ttab",
    "\x01\x1f\x7f",
    "back\\slash",
    "C:",
    "c:x",
    "a:stream",
    'quote"quote',
    "quote'quote",
    "$HOME",
    "`id`",
    "a;b&c|d<e>f",
    "a+b=c@d,e!",
    "...",
    "..hidden",
    "trailing dot.",
    ".hidden",
    "CON",
    "nul.txt",
    "COM1",
    "x/aux/x",
    "Messung µ Größe",
    "測定/データ.tif",
    "\U0001f9eb culture \U0001f469\u200d\U0001f52c",
    "right\u202eto-left.fdp",
    "zero\u200bwidth",
    "no-break\u00a0space",
    "line\u2028separator",
    "e\u0301 decomposed",
    "\u00ea composed",
    "\u212b angstrom sign",
    "\ufb01 ligature",
    "\ufeffmark",
    "latin-1 \udce9",
    "\udcff\udc80",
    "x" * 255,
    "測" * 85,
    "\U0001f9eb" * 63,
    "/".join(["deep"] * 60),
    "/".join(["d" * 100] * 12),
]
"""Names that file systems, shells, URLs or programs treat in a way of their own."""

TWINS = [("Plate", "plate"), ("STRASSE", "straße"), ("caf\u00e9", "cafe\u0301"), ("\u212b", "\u00c5")]


class NamesContract(Subject):
    """Names are bytes (P16), and ``probe_names``."""

    def test_names_arrive_unchanged_or_are_refused(self, store: Store) -> None:
        """What ``probe_names`` lets through and the store takes is listed, looked at and read under that very name."""
        rules = store.probe_names()
        taken: dict[str, bytes] = {}
        with staging_of(store) as staging:
            for number, key in enumerate(key for key in NASTY if not rules.refusal(key)):
                try:
                    put_in(staging, key, content := str(number).encode())
                except NameRefused:
                    continue
                taken[key] = content
            staging.flush()
            results = staging.publish(dict.fromkeys(taken))
        kept = {key for key, result in results.items() if not isinstance(result, NameRefused)}
        assert [key for key in sorted(kept) if arrived(results[key]).path != key] == []
        assert in_one_form(rules, everything(store)) == in_one_form(rules, kept)
        assert [key for key in sorted(kept) if content_of(store, key) != taken[key]] == []
        assert [key for key in sorted(kept) if store.stat(key).path != key] == []

    def test_plain_names_are_never_refused(self, store: Store) -> None:
        """A store that refused everything would keep its promise, and be of no use."""
        rules = store.probe_names()
        keys = ["a", "A_b-1.txt", "run 1/plate 2/well A01.tif", "x" * 100]
        assert [rules.refusal(key) for key in keys] == [""] * len(keys)
        carry(store, dict.fromkeys(keys, b"x"))
        assert everything(store) == sorted(keys)

    def test_probing_leaves_nothing_behind(self, store: Store) -> None:
        """Neither files nor folders outside coldchain's own, and the same answer the second time."""
        carry(store, {"run/x": b"x"})
        rules = store.probe_names()
        assert everything(store) == ["run/x"]
        assert store.probe_names() == rules
        assert everything(store) == ["run/x"]

    @pytest.mark.parametrize(("one", "other"), TWINS)
    def test_names_are_confused_only_if_probing_said_so(self, store: Store, one: str, other: str) -> None:
        """Two names that are one file here are occupied, so that the second never takes the place of the first."""
        rules = store.probe_names()
        carry(store, {one: b"first"})
        with staging_of(store) as staging:
            put_in(staging, other, b"second")
            staging.flush()
            result = staging.publish({other: None})[other]
        assert content_of(store, one) == b"first"
        if rules.fold(one) != rules.fold(other):
            arrived(result)
            assert content_of(store, other) == b"second"
            assert everything(store) == sorted([one, other])
        elif not isinstance(result, Occupied):
            arrived(result)  # folding may be coarser than the place is: refusing too much is safe
            assert content_of(store, other) == b"second"

    def test_a_name_that_is_too_long_is_refused(self, store: Store) -> None:
        """With NameRefused, and nothing is left behind."""
        key = "run/" + "x" * 5000
        if not store.probe_names().refusal(key):
            carry(store, {key: b"x"})
            assert everything(store) == [key]
            return
        with staging_of(store) as staging:
            try:
                put_in(staging, key, b"x")
                staging.flush()
                error = refused(staging.publish({key: None})[key])
            except NameRefused as raised:
                error = raised
        assert isinstance(error, NameRefused)
        assert (error.url, error.key) == (store.url, key)
        assert everything(store) == []
