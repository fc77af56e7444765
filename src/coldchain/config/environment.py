"""What does ``${NAME}`` stand for?"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path

from coldchain.config.problems import Location, Problem
from coldchain.errors import ConfigurationError

_REFERENCE = re.compile(r"(?P<literal>\$\$\{)|\$\{(?P<inside>[^}]*)(?P<end>\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE = re.compile(
    r"""(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*
        (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<plain>(?!['"]).*?))
        (?:(?<=\s)\#.*|\s+\#.*)?\s*""",
    re.VERBOSE,
)
_READABLE_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH
_DEEPEST = 8  # no key of ours is nested so far; a document may be nested deeper than Python can recurse


class Names:
    """The environment, and behind it the ``.env`` file, which is opened when a name is not in the environment."""

    def __init__(self, environ: Mapping[str, str], file: Path) -> None:
        self.environ = environ
        self.file = file
        self._from_file: dict[str, str] | None = None

    def find(self, name: str) -> str | None:
        """Look a name up; raises ConfigurationError when the file is needed and cannot be used."""
        if name in self.environ:
            return self.environ[name]
        if self._from_file is None:
            self._from_file = read_env_file(self.file)
        return self._from_file.get(name)


def read_env_file(path: Path) -> dict[str, str]:
    r"""Read KEY=VALUE lines; a file that is not there, or is a folder (somebody's virtual environment), is empty.

    Nothing is expanded in a value; inside double quotes ``\"`` and ``\\`` stand for ``"`` and ``\``.

    Raises:
        ConfigurationError: others can read the file, or it cannot be read; never quotes what is in it.
    """
    text = _private_text(path)
    found = {}
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        pair = _LINE.fullmatch(stripped)
        if pair is None:
            raise ConfigurationError(f"{path}: line {number} is not of the form KEY=VALUE")
        if pair["double"] is not None:
            found[pair["name"]] = re.sub(r'\\(["\\])', r"\1", pair["double"])
        else:
            found[pair["name"]] = pair["single"] or pair["plain"] or ""
    return found


def _private_text(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            if others_can_read(os.fstat(file.fileno())):
                raise ConfigurationError(
                    f"{path}: others can read this file, which may hold secrets; mend it with: {mending(path)}"
                )
            return file.read().decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}: line {line} is not UTF-8 text") from None


def others_can_read(status: os.stat_result) -> bool:
    """Whether the group or everybody may read this file; only POSIX modes can tell."""
    return os.name == "posix" and bool(status.st_mode & _READABLE_BY_OTHERS)


def mending(path: Path) -> str:
    """The command after which only the owner can read a file."""
    return f"chmod 600 {shlex.quote(str(path))}"


def fill(value: object, names: Names, where: Location, problems: list[Problem]) -> object:
    """Copy a value of the document with every ``${NAME}`` filled in; what cannot be is left as it was, and reported."""
    match value:
        case str():
            try:
                return fill_text(value, names)
            except ConfigurationError as error:
                problems.append(Problem(where, str(error)))
                return value
        case list() if len(where) < _DEEPEST:
            return [fill(item, names, (*where, index), problems) for index, item in enumerate(value)]
        case dict() if len(where) < _DEEPEST:
            return {key: fill(item, names, (*where, key), problems) for key, item in value.items()}
    return value


def fill_text(text: str, names: Names) -> str:
    """Fill one text; what was filled in is not searched again."""

    def meaning(found: re.Match[str]) -> str:
        if found["literal"]:
            return "${"
        name = found["inside"]
        if not found["end"] or not _NAME.fullmatch(name):
            raise ConfigurationError("after ${ a NAME and } must follow; a literal ${ is written $${")
        value = names.find(name)
        if value is None:
            raise ConfigurationError(f"${{{name}}} is not set, neither in the environment nor in {names.file}")
        return value

    return _REFERENCE.sub(meaning, text)
