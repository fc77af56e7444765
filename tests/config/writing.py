"""How do these tests write a configuration and read it back?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path

import pytest

from coldchain.config.read import read_config
from coldchain.config.values import Config
from coldchain.errors import ConfigurationError

HOME = {"HOME": "/home/lab", "USERPROFILE": r"C:\Users\lab"}

TOP = "version = 1\n"
JOB = "[jobs.m]\nsource = 'from'\ndestinations = ['d']\n"
DESTINATION = "[destinations.d]\nurl = 'to'\n"
SMALL = TOP + JOB + DESTINATION


def write(folder: Path, text: str) -> Path:
    """Write a configuration that only its owner can read."""
    path = folder / "coldchain.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def read(folder: Path, text: str = SMALL, environ: Mapping[str, str] = HOME, overrides: Sequence[str] = ()) -> Config:
    return read_config(write(folder, text), environ, overrides)


def complaint(folder: Path, text: str, environ: Mapping[str, str] = HOME, overrides: Sequence[str] = ()) -> str:
    """What is said about a wrong configuration, without the folder that it lies in."""
    with pytest.raises(ConfigurationError) as caught:
        read(folder, text, environ, overrides)
    assert caught.value.__cause__ is None
    return str(caught.value).replace(f"{folder}/", "")


def toml(value: object) -> str:
    """Write a value as TOML writes it in one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float() | datetime() | date() | time():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + "}"
    raise TypeError(value)
