"""Which folder of which share does a URL name, and in which manner shall it be used?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from coldchain.config.units import parse_duration
from coldchain.errors import ConfigurationError
from coldchain.model import Secret

_PORT = 445
_OPTIONS = ("credentials", "auth", "encrypt", "ask_writers", "patience")
_CHOICES = {
    "auth": ("negotiate", "ntlm", "kerberos"),
    "encrypt": ("auto", "yes", "no"),
    "ask_writers": ("no", "yes"),
}
_NEVER = re.compile(r'[\x00-\x1f"*:<>?|\\/]')


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer is waited for, and how often a request is tried that met temporary trouble."""

    connect_s: float = 15.0
    answer_s: float = 120.0
    flush_s: float = 900.0
    """A server may have gigabytes to write before it answers a flush."""
    tries: int = 4
    first_wait_s: float = 0.2
    longest_wait_s: float = 5.0
    gone_s: float = 5.0
    """How long nobody else tries after a connection could not be made: each of many files would wait for it."""


PATIENT = Patience()


def patience_of(options: Mapping[str, str], usual: Patience) -> Patience:
    """The option ``patience``: for so long a request may make no progress; a flush may take longer.

    Raises ConfigurationError for what is no duration.
    """
    if "patience" not in options:
        return usual
    answer_s = parse_duration(options["patience"]).total_seconds()
    return replace(
        usual,
        answer_s=answer_s,
        flush_s=answer_s * PATIENT.flush_s / PATIENT.answer_s,
        connect_s=min(usual.connect_s, answer_s),
        longest_wait_s=min(usual.longest_wait_s, answer_s),
    )


@dataclass(frozen=True, slots=True)
class Where:
    """A folder of a share, and how it is spoken to; no password is in it."""

    url: str
    server: str
    port: int
    share: str
    root: str
    """The folder that is the root of the store, with backslashes; "" for the share itself."""
    user: str = ""
    credentials: str = ""
    """``env:PREFIX``, ``keyring:SERVICE``, or "" for what the system knows of the user."""
    auth: str = "negotiate"
    encrypt: str = "auto"
    """``auto`` where the server offers it, ``yes`` or nothing, ``no`` to sign only."""
    ask_writers: bool = False
    """Find out who writes a file by refusing others to write for a moment."""
    secret: Secret | None = None
    """The password that stood in the URL."""


def where(url: str, options: Mapping[str, str]) -> Where:
    """Read ``smb://[user@]server[:port]/share/folder`` and its options; errors never repeat a secret."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
    except ValueError:
        raise ConfigurationError("smb://…: the port or the address of the server makes no sense") from None
    server = parts.hostname or ""
    names = [unquote(name, errors="surrogateescape") for name in _path_of(url).strip("/").split("/")]
    user = unquote(parts.username or "")
    host = f"[{server}]" if ":" in server else server
    plain = f"smb://{(parts.username or '') + '@' if user else ''}{host}{f':{port}' if port != _PORT else ''}"
    plain = "/".join([plain, *_path_of(url).strip("/").split("/")])
    if parts.scheme.lower() != "smb" or not server or not names[0]:
        raise ConfigurationError(f"{plain}: the form is smb://server/share or smb://user@server/share/folder")
    if any(name in {"", ".", ".."} or _NEVER.search(name) for name in names):
        raise ConfigurationError(f"{plain}: no share and no folder can have such a name")
    said = _options(plain, options)
    return Where(
        plain,
        server,
        port,
        names[0],
        "\\".join(names[1:]),
        user,
        said["credentials"],
        said["auth"],
        said["encrypt"],
        said["ask_writers"] == "yes",
    )


def _path_of(url: str) -> str:
    """All behind the server; ``#`` and ``?`` are letters like others in the names of folders."""
    return url.partition("://")[2].partition("/")[2]


def _options(url: str, options: Mapping[str, str]) -> dict[str, str]:
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise ConfigurationError(f"{url}: no option is called {unknown[0]!r}; there are {', '.join(_OPTIONS)}")
    said = {"credentials": options.get("credentials", "")}
    if said["credentials"] and said["credentials"].partition(":")[0] not in {"env", "keyring"}:
        raise ConfigurationError(
            f'{url}: credentials is "env:PREFIX" or "keyring:SERVICE"; a password is never written'
        )
    for name, choices in _CHOICES.items():
        said[name] = options.get(name, choices[0])
        if said[name] not in choices:
            raise ConfigurationError(f"{url}: {name} is one of {', '.join(choices)}, not {said[name]!r}")
    return said
