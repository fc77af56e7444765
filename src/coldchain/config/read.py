"""Where is the configuration, and what does it say?"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coldchain.config.assemble import assemble
from coldchain.config.environment import Names, fill, mending, others_can_read
from coldchain.config.overrides import apply
from coldchain.config.places import Origin, has_written_password, is_folder
from coldchain.config.problems import Location, Problem, place_of, report, value_at
from coldchain.config.schema import VERSION
from coldchain.config.values import Config
from coldchain.errors import ConfigurationError

_log = logging.getLogger(__name__)
FILE_NAME = "coldchain.toml"
VARIABLE = "COLDCHAIN_CONFIG"

_LINE_AND_COLUMN = re.compile(r"(?P<what>.*) \(at (?P<where>line \d+, column \d+|end of document)\)", re.DOTALL)
_SIGNS_OF_A_BACKSLASH = ("Unescaped", "hex value", r"Illegal character '\n'", "Unterminated string", "Expected newline")


def find_config(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """Find the file: ``--config``, else COLDCHAIN_CONFIG, else ``./coldchain.toml``, else the user's own.

    A file that was named is the one, or it is an error: another one is never taken in its stead.

    Raises:
        ConfigurationError: there is none; names the places that were looked at.
    """
    named = explicit or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    if named is not None:
        path = cwd / named
        if not _is_there(path):
            origin = "--config" if explicit else VARIABLE
            raise ConfigurationError(
                f"{path}: there is no such file ({origin} names it); correct it, or write the file with: coldchain init"
            )
        return path

    from platformdirs import user_config_path

    places = (cwd / FILE_NAME, user_config_path("coldchain", appauthor=False) / FILE_NAME)
    for place in places:
        if _is_there(place):
            return place
    raise ConfigurationError(
        f"there is no configuration; looked for --config, {VARIABLE}, {places[0]} and {places[1]}; "
        "write one with: coldchain init"
    )


def _is_there(path: Path) -> bool:
    """Whether something has this name; a link into nowhere counts, so that it is reported and not passed over."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {_said(error)}") from None
    return True


def read_config(path: Path, environ: Mapping[str, str], overrides: Sequence[str] = ()) -> Config:
    """Read and check a whole configuration; ``overrides`` are the KEY=VALUE texts of ``--set``.

    Looks at the disk only to find folders that lie in one another; the places need not exist yet.

    Raises:
        ConfigurationError: with everything that is wrong, a line each; never with a value from the environment (P14).
    """
    file = path.absolute()
    document = _load(file)
    overridden, problems = apply(overrides, document)
    _refuse_newer(document, file)
    problems += _exposed_password(document, file, overridden)
    filled: Any = fill(document, Names(environ, file.parent / ".env"), (), problems)
    config = assemble(filled, file, Origin(file.parent, environ), problems)
    if problems or config is None:
        raise ConfigurationError(report(problems, document, file, overridden))
    return config


def _load(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(f"{file}: there is no such file; write one with: coldchain init") from None
    except IsADirectoryError:
        raise ConfigurationError(f"{file}: is a folder; name the file in it") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{file}: line {line} is not UTF-8 text; save the file as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = "is a folder; name the file in it" if is_folder(file) else f"cannot be read: {_said(error)}"
        raise ConfigurationError(f"{file}: {reason}") from None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigurationError(f"{file}: is nested too deeply") from None
    except ValueError as error:
        raise ConfigurationError(f"{file}: {_syntax(str(error), text)}") from None


def _said(error: Exception) -> str:
    """What the system said, without its number and the path, which stands in front already."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _syntax(message: str, text: str) -> str:
    """The parser's message, with the place in front and with help for the commonest mistakes."""
    found = _LINE_AND_COLUMN.fullmatch(message)
    sentence = f"{found['where']}: {found['what']}" if found else message
    if found and found["where"] == "end of document":
        lines = text.rstrip("\n").split("\n")
        sentence = f"line {len(lines)}, column {len(lines[-1]) + 1}: {found['what']}"
    if "Cannot overwrite" in message or "Cannot declare" in message:
        sentence += " (the same key or table stands there twice)"
    if "Invalid value" in message:
        sentence += "; text stands in quotes"
    if any(sign in message for sign in _SIGNS_OF_A_BACKSLASH):
        sentence += r"; write Windows paths in single quotes: 'Z:\data'"
    return sentence


def _refuse_newer(document: Mapping[str, object], file: Path) -> None:
    version = document.get("version")
    if isinstance(version, int) and version > VERSION:
        raise ConfigurationError(
            f"{file}: version: this file was written for a newer coldchain; "
            f"this one reads version {VERSION}: update coldchain"
        )


def _exposed_password(document: Mapping[str, object], file: Path, overridden: frozenset[Location]) -> list[Problem]:
    """A password in a file of one's own is taken, with a warning; on the command line or for all to read it is not."""
    found: list[Problem] = []
    for where, text in _urls(document):
        if not has_written_password(text):
            continue
        if any(where[: len(by_hand)] == by_hand for by_hand in overridden):
            found.append(Problem(where, "everybody can see a password on the command line; write ${NAME} for it"))
        elif others_can_read(file.stat()):
            mend = f"write ${{NAME}} for it, or mend it with: {mending(file)}"
            found.append(Problem(where, f"holds a password, and others can read this file; {mend}"))
        elif where != ("ledger",):
            better = 'credentials = "env:NAME" or "keyring:SERVICE" keeps it out of the file'
            if text.startswith("s3://"):
                better = "the environment, ~/.aws/credentials or `profile` keep it out of the file"
            _log.warning("%s: %s: holds a password; %s", file, place_of(where), better)
    return found


def _urls(document: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    """All places in a document that may be a URL."""
    places: list[Location] = [("ledger",)]
    for kind, keys in (("jobs", ("source",)), ("destinations", ("url",))):
        tables = document.get(kind)
        for name in tables if isinstance(tables, dict) else ():
            places += [(kind, name, *keys), (kind, name, *keys, "url")]
    for where in places:
        if isinstance(text := value_at(document, where), str):
            yield where, text
