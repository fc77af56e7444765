"""Which file system of fsspec does a URL name, and with which settings is it opened?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from coldchain.config.credentials import account_at
from coldchain.errors import ConfigurationError
from coldchain.model import Secret

PREFIX = "fsspec+"
"""In front of a scheme that coldchain has a kind of its own for."""
_WEBDAV = {"webdav": "http", "dav": "http", "webdavs": "https", "davs": "https"}
_NAMES = ("credentials", "options")
_TIMEOUT_S = 60
"""Of one step on the wire, where the file system has such a setting."""


@dataclass(frozen=True, slots=True)
class Habit:
    """What is known of a file system; of those that are not listed, nothing is taken for granted."""

    renames: bool = False
    """``mv`` is a rename by the place itself, after which a name has its whole content at once."""
    spools: bool = False
    """A large file is fetched whole before it is read: it would come in requests that nothing holds together."""
    trims: bool = False
    """White space at the ends of a name gets lost."""
    forbidden: str = ""
    """Characters that its names are known to lose."""


_FOLDERS = Habit(renames=True)
_HABITS = {
    **dict.fromkeys(("file", "local", "sftp", "ssh", "smb", "hdfs", "arrow_hdfs", "webhdfs"), _FOLDERS),
    "ftp": Habit(renames=True, spools=True),
    "webdav": Habit(renames=True, trims=True),
}


@dataclass(frozen=True, slots=True)
class Where:
    """A place of fsspec; holds no secret."""

    url: str
    """Without a password."""
    protocol: str
    """As fsspec calls it."""
    address: str
    """The URL for the file system itself, without ``fsspec+`` and without a user."""
    user: str
    credentials: str
    """``env:NAME``, ``keyring:SERVICE`` or ""."""
    options: Mapping[str, Any]
    secret: Secret | None = field(default=None, compare=False)
    """The password that stood in the URL."""

    @property
    def habit(self) -> Habit:
        """What is known of this file system."""
        return _HABITS.get(self.protocol, Habit())


def where(url: str, options: Mapping[str, str]) -> Where:
    """Read a URL and the options of its place; raises ConfigurationError, which never repeats a secret."""
    scheme, _, rest = url.removeprefix(PREFIX).partition("://")
    netloc, slash, path = rest.partition("/")
    login, _, host = netloc.rpartition("@")
    user = login.partition(":")[0]
    shown = f"{url[: url.index('://')]}://{user}{'@' if user else ''}{host}{slash}{path}".rstrip("/")
    if unknown := sorted(set(options) - set(_NAMES)):
        raise ConfigurationError(f"{shown}: no option is called {unknown[0]!r}; there are {', '.join(_NAMES)}")
    try:
        given = json.loads(options.get("options", "{}"))
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise ConfigurationError(f"{shown}: options must be a table")
    protocol = "webdav" if scheme in _WEBDAV else scheme
    address = f"{scheme}://{host}{slash}{path}"
    return Where(shown, protocol, address, user, options.get("credentials", ""), given)


def check_known(place: Where) -> None:
    """Raise ConfigurationError when there is no such file system, or no fsspec."""
    try:
        from fsspec import available_protocols
    except ImportError as error:
        raise ConfigurationError(
            f"{place.url}: no store is called {place.protocol!r}; fsspec may know it: pip install 'coldchain[fsspec]'"
        ) from error
    if place.protocol not in available_protocols():
        raise ConfigurationError(f"{place.url}: no store is called {place.protocol!r}; fsspec does not know it either")


def open_filesystem(place: Where) -> tuple[Any, str]:
    """Make the file system of fsspec, not shared with anybody, and say under which path of it the place lies."""
    from fsspec import get_filesystem_class

    try:
        kind: Any = get_filesystem_class(place.protocol)
    except ImportError as error:
        raise ConfigurationError(f"{place.url}: fsspec needs another package for it: {error}") from error
    root, settings = _settings(kind, place)
    settings |= {"skip_instance_cache": True, "use_listings_cache": False, **place.options}
    if place.protocol == "webdav":
        settings.pop("skip_instance_cache")
        settings.pop("use_listings_cache")
        fs = kind(**settings)
        _quote_paths(fs.client)
        return fs, root
    return kind(**settings), root


def _quote_paths(client: Any) -> None:
    """webdav4 hands paths to httpx, which takes a ``%`` for that of a quoted character, and refuses ``#`` and ``?``."""
    if "join_url" not in vars(client):  # fsspec hands out the same file system again
        join: Any = client.join_url
        client.join_url = lambda path, *more, **named: join(quote(path), *more, **named)


def _settings(kind: Any, place: Where) -> tuple[str, dict[str, Any]]:
    who = account_at(place.url, unquote(place.user), place.credentials, place.secret)
    if place.protocol == "webdav":
        parts = urlsplit(place.address)
        server = urlunsplit((_WEBDAV[parts.scheme], parts.netloc, "", "", ""))
        return parts.path.strip("/"), {
            "base_url": server,
            "timeout": _TIMEOUT_S,
            "auth": (who.user, who.password) if who.user or who.password else None,
        }
    settings: dict[str, Any] = dict(kind._get_kwargs_from_urls(place.address))
    if who.user:
        settings["username"] = who.user
    if who.password:
        settings["password"] = who.password
    return str(kind._strip_protocol(place.address)), settings
