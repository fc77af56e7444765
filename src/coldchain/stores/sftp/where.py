"""Which folder of which server does a URL name, and how is that server reached?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, quote_from_bytes, unquote, unquote_to_bytes, urlsplit

from coldchain.config.units import parse_duration
from coldchain.errors import ConfigurationError
from coldchain.model import Secret

_NAMES = ("known_hosts", "key", "credentials", "patience")
_PORT = 22
_FORM = "the form is sftp://user@host/folder, sftp://host:2222/folder or sftp://host/~/folder"


@dataclass(frozen=True, slots=True)
class Where:
    """A folder on a server; never holds a secret."""

    url: str
    host: str
    port: int | None
    """None where the URL names none: then ~/.ssh/config may say it, else it is 22."""
    user: str
    """ "" for the one that the credentials, ~/.ssh/config or the system say."""
    root: bytes
    """Absolute, without a slash at its end; or relative to the home of the user."""
    at_home: bool
    known_hosts: str = ""
    key: str = ""
    credentials: str = ""
    secret: Secret | None = None
    """The password that stood in the URL."""

    @property
    def server(self) -> str:
        """Host and port, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port not in {None, _PORT} else host


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what."""

    tries: int = 4
    """How often a request is made whose connection was lost."""
    connects: int = 7
    """How often a connection is tried that was there before."""
    first_wait_s: float = 0.5
    longest_wait_s: float = 16.0
    connect_s: float = 20.0
    login_s: float = 60.0
    stall_s: float = 120.0
    """How long a server may owe every answer."""
    alive_s: float = 15.0
    """How often it is asked whether it is still there, so that nobody in between forgets an idle connection."""
    gone_s: float = 5.0
    """How long nobody else tries after a connection could not be made."""


PATIENT = Patience()


def patience_of(options: Mapping[str, str], usual: Patience) -> Patience:
    """The option ``patience``: for so long a request may make no progress; other waits are never longer.

    Raises ConfigurationError for what is no duration.
    """
    if "patience" not in options:
        return usual
    stall_s = parse_duration(options["patience"]).total_seconds()
    return replace(
        usual,
        stall_s=stall_s,
        alive_s=stall_s * PATIENT.alive_s / PATIENT.stall_s,
        connect_s=min(usual.connect_s, stall_s),
        login_s=min(usual.login_s, stall_s),
        longest_wait_s=min(usual.longest_wait_s, stall_s),
    )


def where(url: str, options: Mapping[str, str]) -> Where:
    """Read a URL and its options; raises ConfigurationError, which never repeats a password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError(f"sftp://…: this URL makes no sense; {_FORM}") from None
    user = unquote(parts.username or "")
    plain = _plain(host, port, user, parts.path)
    if parts.scheme != "sftp" or not host or parts.query or parts.fragment:
        raise ConfigurationError(f"{plain}: {_FORM}; write %23 for # and %3F for ?")
    path = unquote_to_bytes(parts.path).rstrip(b"/")
    at_home = path == b"/~" or path.startswith(b"/~/")
    names = path[3:].split(b"/") if at_home else path[1:].split(b"/")
    if (path and names != [b""] and any(name in {b"", b".", b".."} for name in names)) or b"\0" in path:
        raise ConfigurationError(f"{plain}: {parts.path!r} is no folder; {_FORM}")
    if unknown := sorted(set(options) - set(_NAMES)):
        raise ConfigurationError(f"{plain}: no option is called {unknown[0]!r}; there are {', '.join(_NAMES)}")
    credentials = options.get("credentials", "")
    kind, _, name = credentials.partition(":")
    if credentials and (kind not in {"env", "keyring"} or not name):
        raise ConfigurationError(f'{plain}: credentials is "env:PREFIX" or "keyring:SERVICE"; never a password itself')
    root = path[3:] if at_home else path
    return Where(
        plain, host, port, user, root, at_home, options.get("known_hosts", ""), options.get("key", ""), credentials
    )


def _plain(host: str, port: int | None, user: str, path: str) -> str:
    """The URL without a password; the same for all ways to write one place."""
    at = f"{quote(user, safe='')}@" if user else ""
    shown = f"[{host}]" if ":" in host else host
    colon = f":{port}" if port is not None else ""
    quoted = quote_from_bytes(unquote_to_bytes(path).rstrip(b"/"), safe=b"/~!$&'()*+,;=:@")
    return f"sftp://{at}{shown}{colon}{quoted}"
