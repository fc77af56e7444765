"""How is what is wrong with a configuration said to a person?

Every sentence is made here or in a validator, never by a library: libraries quote the values that they refuse, and a
value may have come from the environment (P14).  What is quoted is always the text as it was written, unfilled.
"""

from __future__ import annotations

import datetime as dates
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

Location = tuple[str | int, ...]
"""Where a value stands: ("jobs", "merscope", "include", 0)."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_CREDENTIALS = re.compile(r"(?<=://).*@", re.DOTALL)
_QUERY = re.compile(r"(?<=\?).+", re.DOTALL)
_SHOWN_CHARACTERS = 80
_DEPTH_OF_TABLE = 2
_TABLES_BY_NAME = ("jobs", "destinations", "notify")

_BY_TYPE = {
    "missing": "is missing, and required",
    "string_type": "must be text in quotes",
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number, without quotes",
    "float_type": "must be a number, without quotes",
    "list_type": 'must be a list, such as ["one", "two"]',
    "too_short": "must name at least one",
    "dict_type": "must be a table",
    "model_type": "must be a table",
}


class Problem(NamedTuple):
    """One thing that is wrong, and where."""

    where: Location
    what: str
    quotes: bool = False
    """``what`` speaks of the value that stands there, which is put in front, as it was written."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(word.lower(), [name.lower() for name in names], n=1)
    if near:
        return f"did you mean {next(name for name in names if name.lower() == near[0])!r}?"
    return f"known are {', '.join(names)}" if names else "none is defined"


def shown(value: object) -> str:
    """A value as it was written, for a sentence: in one line, not too long, without credentials."""
    match value:
        case str():
            text = _QUERY.sub("***", _CREDENTIALS.sub("***@", value)) if "://" in value else value
            short = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
            return json.dumps(short, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
        case bool():
            return "true" if value else "false"
        case int() if abs(value) >= 10**15:
            return "(a number)"  # Python refuses to write the longest
        case int() | float():
            return str(value)
        case dates.date() | dates.time():
            return str(value)
        case list():
            return "(a list)"
        case Mapping():
            return "(a table)"
    return "(this value)"


def translate(kind: str, context: Mapping[str, Any]) -> str:
    """The sentence for an error of pydantic, by its type; a validator of ours has brought its own."""
    if kind == "value_error":
        return str(context["error"])
    if kind == "less_than_equal":
        return f"must be {context['le']} or less"
    if kind == "greater_than_equal":
        return f"must be {context['ge']} or more"
    return _BY_TYPE.get(kind, "makes no sense here")


def value_at(document: object, where: Location) -> object:
    """What stands at a location of the unfilled document; None where nothing does."""
    for step in where:
        match document:
            case dict() if step in document:
                document = document[step]
            case list() if isinstance(step, int) and step < len(document):
                document = document[step]
            case _:
                return None
    return document


def _key(step: str | int) -> str:
    if isinstance(step, int):
        return f"item {step + 1}"
    return step if _BARE_KEY.fullmatch(step) else shown(step)


def place_of(where: Location) -> str:
    """A location as a person finds it in the file: ``[jobs.merscope] include, item 1``."""
    table: Location = ()
    if len(where) >= _DEPTH_OF_TABLE and where[0] in _TABLES_BY_NAME:
        table, where = where[:_DEPTH_OF_TABLE], where[_DEPTH_OF_TABLE:]
    keys = ""
    for step in where:
        separator = "" if not keys else ", " if isinstance(step, int) else "."
        keys += separator + _key(step)
    head = f"[{'.'.join(map(_key, table))}]" if table else ""
    return f"{head} {keys}".strip()


def report(problems: Iterable[Problem], document: object, file: Path, overridden: frozenset[Location]) -> str:
    """All problems, a line each; ``document`` is unfilled, and what ``--set`` brought into it is put down to that."""
    lines = []
    for where, what, quotes in problems:
        origin = "--set" if any(where[: len(by_hand)] == by_hand for by_hand in overridden) else str(file)
        sentence = f"{shown(value_at(document, where))} {what}" if quotes else what
        lines.append(": ".join(filter(None, (origin, place_of(where), sentence))))
    return "\n".join(dict.fromkeys(lines)).encode("utf-8", "backslashreplace").decode()
