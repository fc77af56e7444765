"""How is one table of the configuration checked?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from coldchain.config.problems import Location, Problem, suggestion, translate
from coldchain.config.units import DURATION_HINT, parse_duration
from coldchain.errors import ConfigurationError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NEVER_QUOTED = frozenset({"credentials", "options", "urls", "ping", "mail", "host", "user"})
"""Where somebody may have written a secret by mistake (P14)."""


# --- values of one key; the reasons never quote the value (P14) -------------------------------------------------------


def filled(text: str) -> str:
    """Refuse text that is empty, or that could steer a terminal."""
    if not text.strip():
        raise ValueError("must not be empty")
    if _CONTROL.search(text):
        raise ValueError(
            "must not hold control characters (in \"…\" a backslash is written twice; '…' takes it as it is)"
        )
    return text


def choice(words: Mapping[str, object]) -> Callable[[object], object]:
    """A validator that takes one of the words, and gives what it stands for."""

    def choose(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError(f"must be text in quotes, one of {', '.join(words)}")
        if value not in words:
            raise ValueError(f"is none of {', '.join(words)}; {suggestion(value, words)}")
        return words[value]

    return choose


def parsed_duration(value: object) -> timedelta:
    """Read a duration; raises ValueError for anything else."""
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ConfigurationError:
            pass
    raise ValueError(f"is no duration: {DURATION_HINT}")


Text = Annotated[str, AfterValidator(filled)]
Duration = Annotated[timedelta | None, BeforeValidator(parsed_duration)]


# --- a table ----------------------------------------------------------------------------------------------------------


class Table(BaseModel):
    """A table refuses keys that it does not know, and takes no value of another type for the one that it wants."""

    # built when it is first used: of all kinds of places, one configuration names two or three
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, defer_build=True)
    later: ClassVar[tuple[str, ...]] = ()
    """Keys of the published interface that this version does not carry out: refused, for nothing is ignored in
    silence."""
    inner: ClassVar[Mapping[str, type[Table]]] = {}
    """The tables that stand in this one, by their keys."""

    def given(self, *without: str) -> dict[str, Any]:
        """The keys that the person wrote, except some."""
        return {key: getattr(self, key) for key in self.model_fields_set if key not in without}

    @classmethod
    def spellings(cls) -> list[str]:
        """The keys as a person writes them."""
        return [field.alias or name for name, field in cls.model_fields.items()]


AnyTable = TypeVar("AnyTable", bound=Table)


def check(
    kind: type[AnyTable], value: object, where: Location, problems: list[Problem], *, besides: Iterable[str] = ()
) -> AnyTable | None:
    """Check one table; adds to ``problems`` and returns None when something is wrong with it.

    ``besides`` are keys that the person may write in this table and that are checked elsewhere.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    for one in found:
        at, inside = (*where, *one["loc"]), one["loc"]
        if one["type"] == "extra_forbidden":
            table = kind.inner[str(inside[0])] if len(inside) > 1 else kind
            problems.append(Problem(at, _unknown(str(inside[-1]), table, besides if table is kind else ())))
        else:
            quotes = one["type"] != "missing" and not _NEVER_QUOTED.intersection(inside)
            problems.append(Problem(at, translate(one["type"], one.get("ctx", {})), quotes))
    return None


def _unknown(key: str, table: type[Table], besides: Iterable[str]) -> str:
    if key in table.later:
        return "not in this version of coldchain; take it out, so that nobody relies on it"
    return f"unknown key; {suggestion(key, [*table.spellings(), *besides])}"
