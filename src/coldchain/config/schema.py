"""Which keys may a configuration hold, and which values may each have?

Types and limits are checked by pydantic; what concerns several keys at once, or the disk, is checked in ``read``.
A key that is not given stays ``None`` here: the defaults are those of ``values``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from coldchain.config.tables import Duration, Table, Text, choice, filled
from coldchain.config.telling import CronText, Listening, SomeTime, WebUrl, ZoneName
from coldchain.config.units import SHARE_HINT, parse_share
from coldchain.config.values import Brake, Incomplete, OnChange, Symlinks
from coldchain.errors import ConfigurationError
from coldchain.model import OWN_FOLDER, ProofKind

VERSION = 1
DIGESTS = ("sha256", "md5", "blake3")
PRIORITIES = ("low", "normal")
NO_BRAKE = Brake(share=1.0)

NAME_LIMIT = 64
NAME_RULE = f"letters, digits, '.', '_' and '-', begins with a letter or digit, {NAME_LIMIT} characters at most"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_WORD = re.compile(r"[a-z][a-z-]*")
_LAYOUT_FIELD = re.compile(r"\{([^{}]*)\}")
_LAYOUT_FIELD_NAME = re.compile(r"[a-z][a-z_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_name(text: str) -> bool:
    """Whether a job or a destination may be called so; the names become parts of file names."""
    return len(text) <= NAME_LIMIT and _NAME.fullmatch(text) is not None


# --- values of one key; the reasons never quote the value (P14) -------------------------------------------------------


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"is not a name: {NAME_RULE}")
    return text


def _share(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_share(value)
    except ConfigurationError:
        raise ValueError(f"is no share: {SHARE_HINT}") from None


def _part_of_one(share: float) -> float:
    if not 0 <= share <= 1:  # nor is "not a number" between them
        raise ValueError('must be from 0 to 1; a percentage stands in quotes, such as "5%"')
    return share


def _pattern(text: str) -> str:
    from pathspec import GitIgnoreSpec  # only jobs with patterns pay for it: a tenth of what loading a run costs

    try:
        patterns = list(GitIgnoreSpec.from_lines([text]).patterns)
    except (ValueError, re.error):
        patterns = []
    if not any(pattern.include is not None for pattern in patterns):
        raise ValueError("is no gitignore pattern that could match a file")
    return text


def _selecting(patterns: list[str]) -> list[str]:
    if all(pattern.startswith("!") for pattern in patterns):
        raise ValueError('selects nothing: at least one pattern without "!" is needed; "*" is every file')
    return patterns


def _datasets(text: str) -> str:
    if _WORD.fullmatch(text):
        return text  # whether the instrument knows it, the instrument says
    if not any(sign in text for sign in "*?["):
        raise ValueError(
            "is neither a word of the instrument, such as folders or whole, nor a pattern of folders, such as */*"
        )
    if "\\" in text or any(part in ("", ".", "..", "**") for part in text.split("/")):
        raise ValueError('must be a pattern for each level of folders below the source, divided by "/", such as */*')
    return text


def _plates(value: object) -> object:
    if isinstance(value, str):
        return filled(value)
    if not (isinstance(value, list) and value and all(isinstance(plate, str) for plate in value)):
        raise ValueError('must name a csv file, such as "plates.csv", or be a list of plates, such as ["one", "two"]')
    return tuple(filled(plate.strip()) for plate in value)


def _file_name(text: str) -> str:
    if "/" in text or "\\" in text or text in (".", ".."):
        raise ValueError("must be the name of a file, without the folders that it lies in")
    return text


def _layout(text: str) -> str:
    *above, last = text.split("/")
    if last != "{path}":
        raise ValueError("must end with {path}, alone or after a slash, such as {dataset}/{path}")
    if any(part in ("", ".", "..") for part in above) or "\\" in text or _CONTROL.search(text):
        raise ValueError('must be a path below the destination: no "/" in front, none twice, no "..", no backslash')
    fields = [field for part in above for field in _LAYOUT_FIELD.findall(part)]
    if any(not _LAYOUT_FIELD_NAME.fullmatch(field) for field in fields):
        raise ValueError("names an unknown field; fields are written in small letters, such as {job} or {dataset}")
    if "path" in fields:
        raise ValueError("must have {path} once, at the end")
    if set(_LAYOUT_FIELD.sub("", text)) & {"{", "}"}:
        raise ValueError("has a brace without its partner")
    if fields.count("dataset") != above.count("{dataset}") or fields.count("dataset") > 1:
        raise ValueError("must have {dataset} once, alone between slashes")  # it vanishes for files outside of datasets
    if _begins_with_own_folder(above):
        raise ValueError(f"must not begin with {OWN_FOLDER}, which is where coldchain keeps its own things")
    return text


def _begins_with_own_folder(levels: list[str]) -> bool:
    """Whether it could: a level that names what a dataset does not have vanishes, and the next one begins."""
    for level in levels:
        fields = _LAYOUT_FIELD.findall(level)
        pattern = ".*".join(map(re.escape, _LAYOUT_FIELD.split(level)[::2]))
        if level.startswith(".") and re.fullmatch(pattern, OWN_FOLDER, re.IGNORECASE):
            return True
        if set(fields) <= {"job"}:
            return False
    return False


def _source(value: object) -> object:
    if isinstance(value, str):
        return filled(value)
    if not isinstance(value, dict):
        raise ValueError('must be text in quotes, or a table with a url, such as { url = "s3://bucket", region = "…" }')
    return value


def _brake(value: object) -> object:
    if value is False:
        return {"share": NO_BRAKE.share, "least": NO_BRAKE.least}
    if not isinstance(value, dict):
        raise ValueError("must be false or a table, such as { share = 0.5, least = 100 }")
    return value


Name = Annotated[str, AfterValidator(_name)]
Pattern = Annotated[str, AfterValidator(_pattern)]


# --- the tables -------------------------------------------------------------------------------------------------------


class BrakeTable(Table):
    """``brake = { share = …, least = … }``."""

    share: Annotated[float, BeforeValidator(_share), AfterValidator(_part_of_one)] = Brake().share
    least: Annotated[int, Field(ge=0)] = Brake().least


class SourceTable(Table):
    """``source = { url = …, … }``; the options of the kind that the URL names are those of ``storage``."""

    url: Text


class JobTable(Table):
    """``[jobs.NAME]``."""

    later = ("prune", "compress")
    inner: ClassVar = {"brake": BrakeTable}

    source: Annotated[str | dict[str, Any], BeforeValidator(_source)]
    destinations: Annotated[list[str], Field(min_length=1)]
    instrument: Name | None = None
    datasets: Annotated[str, AfterValidator(_datasets)] | None = None
    parts: Annotated[list[Text], Field(min_length=1)] | None = None
    plates: Annotated[str | tuple[str, ...] | None, PlainValidator(_plates)] = None
    """A path of a csv file, or the plates themselves."""
    flag: Annotated[Text, AfterValidator(_file_name)] | None = None
    growing: Annotated[list[Pattern], Field(min_length=1)] | None = None
    incomplete: Annotated[Incomplete | None, BeforeValidator(choice({way.value: way for way in Incomplete}))] = None
    max_open: Duration = None
    personal: bool | None = None
    include: Annotated[list[Pattern], Field(min_length=1), AfterValidator(_selecting)] | None = None
    exclude: list[Pattern] | None = None
    settle: Duration = None
    verify: Annotated[ProofKind | None, BeforeValidator(choice({kind.word: kind for kind in ProofKind}))] = None
    on_change: Annotated[OnChange | None, BeforeValidator(choice({way.value: way for way in OnChange}))] = None
    digest: Annotated[str | None, BeforeValidator(choice({name: name for name in DIGESTS}))] = None
    symlinks: Annotated[Symlinks | None, BeforeValidator(choice({way.value: way for way in Symlinks}))] = None
    brake: Annotated[BrakeTable | None, BeforeValidator(_brake)] = None
    schedule: CronText | None = None
    timezone: ZoneName | None = None
    notify: Annotated[list[str] | None, Field(min_length=1)] = None
    """Names of ``[notify.…]``."""
    poll: SomeTime = None
    look_every: SomeTime = None
    pause_while: Annotated[list[Text] | None, Field(min_length=1)] = None
    priority: Annotated[str | None, BeforeValidator(choice({word: word for word in PRIORITIES}))] = None
    ping: WebUrl | None = None
    expect: SomeTime = None


class DestinationTable(Table):
    """``[destinations.NAME]``, without the options of the kind that the URL names, which are those of ``storage``."""

    later = ("pack",)

    url: Text
    layout: Annotated[str, AfterValidator(_layout)] | None = None
    marker: bool | None = None
    required: bool | None = None


class Document(Table):
    """The whole file; ``jobs`` and the like are looked into table by table, so that all problems are found."""

    version: int
    state: Text | None = None
    ledger: Text | None = None
    listen: Listening | None = None
    notify: dict[str, Any] | None = None
    logs: dict[str, Any] | None = None
    jobs: dict[str, Any]
    destinations: dict[str, Any]


NOT_YET: Mapping[type[Table], tuple[str, ...]] = {table: table.later for table in (JobTable, DestinationTable)}
"""Keys that are documented as such of later versions."""
