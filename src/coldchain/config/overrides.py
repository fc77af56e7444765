"""What does ``--set KEY=VALUE`` change?"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from coldchain.config.problems import Location, Problem, place_of, shown, suggestion
from coldchain.errors import ConfigurationError

_NAMED = {"jobs": "job", "destinations": "destination", "notify": "channel"}


def apply(overrides: Sequence[str], document: dict[str, Any]) -> tuple[frozenset[Location], list[Problem]]:
    """Write the values of ``--set`` into the document, in order; returns what was set, and what could not be.

    Only jobs and destinations that the document has can be changed: a mistyped name must not become a new job.

    Raises:
        ConfigurationError: a text is not of the form KEY=VALUE; it is not quoted, for it may hold a secret.
    """
    overridden, problems = set(), []
    for number, text in enumerate(overrides, start=1):
        key, equals, value = text.partition("=")
        where = _location(key) if equals else None
        if where is None:
            raise ConfigurationError(
                f"--set number {number} is not of the form KEY=VALUE, such as jobs.NAME.settle=0 s"
            )
        if complaint := _put(document, where, value_of(value)):
            problems.append(Problem((), f"--set {place_of(where)}: {complaint}"))
        else:
            overridden.add(where)
    return frozenset(overridden), problems


def value_of(text: str) -> object:
    """Read ``text`` as a TOML value, or take it as it is when it is none (``0 s``, ``/data``)."""
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return table["value"] if len(table) == 1 else text


def _location(key: str) -> tuple[str, ...] | None:
    if not key.isprintable():
        return None
    try:
        step: object = tomllib.loads(f"{key} = 0")
    except (ValueError, RecursionError):
        return None
    where = []
    while isinstance(step, dict) and len(step) == 1:
        [(name, step)] = step.items()
        where.append(name)
    return tuple(where) if step == 0 else None


def _put(document: dict[str, Any], where: tuple[str, ...], value: object) -> str:
    """Set one value; says what is in the way, or "" when it is done."""
    table: object = document
    for depth, name in enumerate(where[:-1]):
        if not isinstance(table, dict):
            break
        if depth == 1 and where[0] in _NAMED and name not in table:
            return f"no {_NAMED[where[0]]} is called {shown(name)}; {suggestion(name, table)}"
        table = table.setdefault(name, {})
    if not isinstance(table, dict):
        return "what stands there is not a table"
    table[where[-1]] = value
    return ""
