"""Which options may a place have, by the kind of store that its URL names?

The options of the kinds are told here a second time, as data, because the configuration lies below the stores: what is
wrong is said with file, table and key, before any store is opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from coldchain.config.bandwidth import as_text
from coldchain.config.places import Origin, is_windows_path, local_path
from coldchain.config.problems import Location, Problem, suggestion
from coldchain.config.tables import Table, Text, check, choice
from coldchain.config.units import DURATION_HINT, SIZE_HINT, parse_duration, parse_size
from coldchain.config.urls import kind_of
from coldchain.errors import ConfigurationError

LEAST_PART_BYTES, MOST_PART_BYTES = 5 << 20, 5 << 30
"""No part of an upload but the last may be smaller, none larger (Amazon S3 User Guide, "multipart upload limits")."""
LEAST_PIECE_BYTES = 256 << 10
MOST_RETRIES = 100
LEAST_PATIENCE_S, MOST_PATIENCE_S = 1, 3600
_CREDENTIALS = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|keyring:\S.*")
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|credential|auth$|(^|_)key$", re.IGNORECASE)
_TAG = re.compile(r"[^=,]*[^=,\s][^=,]*")


# --- values of one key; the reasons never quote the value (P14) -------------------------------------------------------


def _endpoint(text: str) -> str:
    try:
        url = urlsplit(text)
        named = url.scheme in {"http", "https"} and bool(url.hostname) and not (url.query or url.fragment)
    except ValueError:
        raise ValueError("is no URL") from None
    if url.username or url.password:
        raise ValueError("must hold no user and no password")
    if not named:
        raise ValueError('must be the URL of a server, such as "https://s3.example.org" or "http://nas:9000"')
    return text.rstrip("/")


def _credentials(text: str) -> str:
    if not _CREDENTIALS.fullmatch(text):
        raise ValueError(
            'must say where they are: "env:NAME" for the variables NAME_USER and NAME_PASSWORD, or "keyring:SERVICE"; '
            "the secret itself never stands here"
        )
    return text


def _size(least_bytes: int, least: str) -> BeforeValidator:
    def check_size(value: object) -> object:
        if isinstance(value, str):
            try:
                size_bytes = parse_size(value)
            except ConfigurationError:
                raise ValueError(f"is no size: {SIZE_HINT}") from None
            if not least_bytes <= size_bytes <= MOST_PART_BYTES:
                raise ValueError(f'must be from "{least}" to "5 GiB"')
            return str(size_bytes)
        raise ValueError(f"is no size: {SIZE_HINT}")

    return BeforeValidator(check_size)


def _patience(value: object) -> object:
    if isinstance(value, str):
        try:
            patience_s = parse_duration(value).total_seconds()
        except ConfigurationError:
            raise ValueError(f"is no duration: {DURATION_HINT}") from None
        if not LEAST_PATIENCE_S <= patience_s <= MOST_PATIENCE_S:
            raise ValueError('must be from "1 s" to "1 h"')
        return f"{patience_s:.0f} s"
    raise ValueError(f"is no duration: {DURATION_HINT}")


def _yes_or_no(value: object) -> object:
    """Both ``true`` and ``"yes"`` can be meant where there is a third word."""
    return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value


def _tags(value: object) -> object:
    if isinstance(value, str):
        value = dict(tag.strip().partition("=")[::2] for tag in value.split(","))
    if not isinstance(value, Mapping) or not value:
        raise ValueError('must be a table, such as { project = "atlas", retention = "10y" }')
    for name, text in value.items():
        if not isinstance(text, str) or not _TAG.fullmatch(str(name)) or not _TAG.fullmatch(text):
            raise ValueError('must be a table of texts without "," and "=", such as { project = "atlas" }')
    return ", ".join(f"{name.strip()}={text.strip()}" for name, text in sorted(value.items()))


def _options(value: object) -> object:
    if not isinstance(value, Mapping):
        raise ValueError('must be a table, such as { host = "dav.example.org" }')
    for name, text in value.items():
        if _SECRET_NAME.search(str(name)):
            raise ValueError(f'must hold no secret, as {name!r} seems to be: write credentials = "env:NAME" for it')
        if not isinstance(text, str | bool | int):
            raise ValueError(f"must hold texts, numbers, true and false only, and {name!r} is none of them")
    return json.dumps(dict(value), sort_keys=True, ensure_ascii=False)


def _words(*words: str) -> BeforeValidator:
    return BeforeValidator(choice({word: word for word in words}))


Endpoint = Annotated[Text, AfterValidator(_endpoint)]
PieceSize = Annotated[str, _size(LEAST_PIECE_BYTES, "256 KiB")]
WholeSize = Annotated[str, _size(0, "0 B")]
Patience = Annotated[str, BeforeValidator(_patience)]
Credentials = Annotated[Text, AfterValidator(_credentials)]


# --- the options of each kind -----------------------------------------------------------------------------------------


class Options(Table):
    """A kind without options."""


class Remote(Options):
    """What every place has that is reached over a network."""

    bandwidth: Annotated[str | None, BeforeValidator(as_text)] = None
    retries: Annotated[int, Field(ge=0, le=MOST_RETRIES)] | None = None


class S3(Remote):
    """``s3://``."""

    endpoint: Endpoint | None = None
    region: Text | None = None
    profile: Text | None = None
    storage_class: Text | None = None
    sse: Annotated[str | None, _words("AES256", "aws:kms")] = None
    kms_key: Text | None = None
    tags: Annotated[str | None, BeforeValidator(_tags)] = None
    requester_pays: bool | None = None
    anonymous: bool | None = None
    addressing: Annotated[str | None, _words("path", "virtual")] = None
    part_size: Annotated[str | None, _size(LEAST_PART_BYTES, "5 MiB")] = None
    whole_size: WholeSize | None = None
    patience: Patience | None = None


class Gs(Remote):
    """``gs://``."""

    endpoint: Endpoint | None = None
    project: Text | None = None
    storage_class: Text | None = None
    kms_key: Text | None = None
    requester_pays: bool | None = None
    anonymous: bool | None = None
    part_size: PieceSize | None = None
    whole_size: WholeSize | None = None


class Az(Remote):
    """``az://``."""

    account: Text | None = None
    endpoint: Endpoint | None = None
    storage_class: Text | None = None
    anonymous: bool | None = None
    part_size: PieceSize | None = None
    whole_size: WholeSize | None = None


class Sftp(Remote):
    """``sftp://``."""

    key: Text | None = None
    known_hosts: Text | None = None
    patience: Patience | None = None
    credentials: Credentials | None = None


class Smb(Remote):
    """``smb://``."""

    auth: Annotated[str | None, _words("negotiate", "ntlm", "kerberos")] = None
    encrypt: Annotated[str | None, _words("auto", "yes", "no"), BeforeValidator(_yes_or_no)] = None
    ask_writers: Annotated[str | None, _words("yes", "no"), BeforeValidator(_yes_or_no)] = None
    patience: Patience | None = None
    credentials: Credentials | None = None


class Rclone(Remote):
    """``rclone://``."""

    config: Text | None = None
    rclone: Text | None = None
    spool: Text | None = None
    transfers: Annotated[int, Field(ge=1, le=64)] | None = None


class Fsspec(Remote):
    """Every other scheme."""

    credentials: Credentials | None = None
    options: Annotated[str | None, BeforeValidator(_options)] = None


BY_KIND: Mapping[str, type[Options]] = {
    "file": Options,
    "memory": Remote,
    "s3": S3,
    "gs": Gs,
    "az": Az,
    "sftp": Sftp,
    "smb": Smb,
    "rclone": Rclone,
    "fsspec": Fsspec,
}
PATHS = frozenset({"key", "known_hosts", "config", "spool"})
"""Meant from the folder of the configuration."""
PROGRAMS = frozenset({"rclone"})
"""A path when there is a slash in it, else a name that is looked for where programs are."""
EVERY_OPTION = frozenset(key for options in BY_KIND.values() for key in options.model_fields)


def options_of(
    url: str, table: Mapping[str, Any], where: Location, origin: Origin, problems: list[Problem]
) -> tuple[tuple[str, str], ...] | None:
    """Read the options in a table, as ``Place.options`` has them; the other keys of the table are not looked at.

    Returns None when something is wrong with them, with the reasons in ``problems``.
    """
    kind = kind_of(url)
    known = BY_KIND[kind].model_fields
    written = {key: value for key, value in table.items() if key in EVERY_OPTION}
    found = [Problem((*where, key), _stranger(key, url, kind)) for key in written if key not in known]
    made = check(BY_KIND[kind], {key: value for key, value in written.items() if key in known}, where, found)
    options = {}
    for key, value in made.given().items() if made is not None else ():
        try:
            options[key] = _text(key, value, origin)
        except ValueError as error:
            found.append(Problem((*where, key), str(error), quotes=True))
    if kind == "s3" and "kms_key" in options and options.get("sse") != "aws:kms":
        found.append(Problem((*where, "kms_key"), 'needs sse = "aws:kms"'))
    problems += found
    return None if found else tuple(sorted(options.items()))


def _stranger(key: str, url: str, kind: str) -> str:
    others = ", ".join(f"{other}://" for other, options in BY_KIND.items() if key in options.model_fields)
    known = BY_KIND[kind].model_fields
    if not known:
        return f"is an option of {others}, not of a folder; take it out, or write the URL of such a store"
    others = others.replace("fsspec://", "other schemes")
    return f"is no option of {url.partition('://')[0]}://, but of {others}; {suggestion(key, known)}"


def _text(key: str, value: object, origin: Origin) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() if key in PATHS or (key in PROGRAMS and _is_path(value)):
            return str(local_path(value, origin))
    return str(value)


def _is_path(text: str) -> bool:
    return "/" in text or text.startswith("~") or is_windows_path(text)
