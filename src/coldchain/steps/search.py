"""Which datasets, or things within them, fit a question?"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import NamedTuple

from coldchain.errors import UsageError
from coldchain.ledger.acquisitions import Acquisition

_TERM = re.compile(r"([^\s=!<>~]+)(>=|<=|!=|=|>|<|~)(.*)", re.DOTALL)
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d.*)?)?)?)?")


class Term(NamedTuple):
    """One condition, such as ``roiCount>1000``."""

    field: str
    sign: str
    value: str


class Hit(NamedTuple):
    """A dataset, or one unit within it, of which every term is true."""

    job: str
    dataset: str
    unit: str
    """"" for the dataset as a whole."""
    fields: Mapping[str, object]


class Search:
    """A question, and which fields it has met so far."""

    def __init__(self, terms: tuple[Term, ...]) -> None:
        self.terms = terms
        self._met: dict[str, str] = {}
        self._known: set[str] = set()

    def hits(self, rows: Iterator[tuple[str, str, Acquisition]]) -> Iterator[Hit]:
        """Yield what fits, in the order of the rows; a unit has the fields of its dataset too.

        A question about a field that only units have finds units, any other one finds datasets.
        Raises UsageError at the end when a field was met nowhere.
        """
        for job, dataset, acquisition in rows:
            verdict = acquisition.verdict
            own = {
                "job": job,
                "dataset": dataset,
                "instrument": acquisition.instrument,
                "condition": verdict.condition.value,
                "summary": verdict.summary,
                "first_seen": acquisition.first_seen.isoformat(),
                **({"completed": acquisition.completed.isoformat()} if acquisition.completed else {}),
                **verdict.catalogue,
            }
            if all(self._field(term, own) is not None for term in self.terms):
                if self._fits(own):
                    yield Hit(job, dataset, "", own)
                continue
            for unit in verdict.units:
                fields = {**own, **unit}
                if self._fits(fields):
                    yield Hit(job, dataset, str(unit.get("unit", "")), fields)
        self._check()

    def _fits(self, fields: Mapping[str, object]) -> bool:
        return all(self._is_true(term, fields) for term in self.terms)

    def _is_true(self, term: Term, fields: Mapping[str, object]) -> bool:
        field = self._field(term, fields)
        if field is None:
            return False
        found = fields[field]
        several = found if isinstance(found, list) else [found]
        if term.sign == "!=":
            return not any(_equal(one, term.value) for one in several)
        return any(_SIGNS[term.sign](one, term.value) for one in several)

    def _field(self, term: Term, fields: Mapping[str, object]) -> str | None:
        """The field that a term means, whatever its capitals."""
        met = self._met.get(term.field)
        if met is not None and met in fields:
            return met
        for name in fields:
            if name == term.field or name.lower() == term.field.lower():
                self._met[term.field] = name
                return name
        self._known.update(fields)
        return None

    def _check(self) -> None:
        for term in self.terms:
            if term.field not in self._met and self._known:
                near = get_close_matches(term.field, self._known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(sorted(self._known))}"
                raise UsageError(f"no dataset has a field {term.field!r}{hint}")


def parse_question(words: Sequence[str]) -> Search:
    """Read terms that must all be true; raises UsageError.

    ``=`` and ``!=`` compare numbers as numbers and text without regard to capitals, with ``*`` and ``?`` as in file
    names; ``~`` is true when the text holds the value; ``<``, ``<=``, ``>`` and ``>=`` compare numbers, or times as
    they are written (2023-01-01, 2023-01-01T12:00).
    """
    terms = []
    for word in (one for words_of in words for one in _split(words_of)):
        match = _TERM.fullmatch(word)
        if match is None:
            raise UsageError(
                f"{word!r} is no condition; write a field, a sign and a value, such as roiCount>1000 or panel=BR*"
            )
        terms.append(Term(*match.groups()))
    return Search(tuple(terms))


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text!r}: a quote is not closed") from error


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return None


def _equal(found: object, wanted: str) -> bool:
    one, other = _number(found), _number(wanted)
    if one is not None and other is not None:
        return one == other
    return fnmatchcase(str(found).lower(), wanted.lower())


def _holds(found: object, wanted: str) -> bool:
    return wanted.lower() in str(found).lower()


def _ordered(compare: Callable[[float | str, float | str], bool]) -> Callable[[object, str], bool]:
    def holds(found: object, wanted: str) -> bool:
        one, other = _number(found), _number(wanted)
        if one is not None and other is not None and not isinstance(found, str):
            return compare(one, other)
        text = str(found)
        if _TIME.fullmatch(wanted) and _TIME.fullmatch(text):
            return compare(text[: len(wanted)] if len(wanted) <= 10 else text, wanted)
        return one is not None and other is not None and compare(one, other)

    return holds


_SIGNS: Mapping[str, Callable[[object, str], bool]] = {
    "=": _equal,
    "~": _holds,
    "<": _ordered(lambda one, other: one < other),  # type: ignore[operator]
    "<=": _ordered(lambda one, other: one <= other),  # type: ignore[operator]
    ">": _ordered(lambda one, other: one > other),  # type: ignore[operator]
    ">=": _ordered(lambda one, other: one >= other),  # type: ignore[operator]
}
