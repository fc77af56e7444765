"""Which ledger does a URL name, and what in it is secret?"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from coldchain.errors import ConfigurationError
from coldchain.ledger.translating import Where

_FILE = "sqlite:///"
_NONE = "the ledger's URL is none: write sqlite:///PATH or postgresql://USER@HOST/NAME"


def parse(url: str) -> tuple[URL, Where]:
    """Take a ledger's URL apart; raises ConfigurationError, never showing the URL, which may hold a password.

    What follows ``sqlite:///`` is a path as it is, whatever characters it holds.
    """
    if url.startswith(_FILE) and url not in (_FILE, f"{_FILE}:memory:"):
        file = Path(url.removeprefix(_FILE)).absolute()
        return URL.create("sqlite"), Where(str(file), file)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(_NONE) from None
    if parsed.get_backend_name() != "postgresql":
        raise ConfigurationError(_NONE)
    authority = url.split("://", maxsplit=1)[1].split("?", maxsplit=1)[0]
    if authority.count("@") > 1:
        raise ConfigurationError("the password in the ledger's URL holds an '@': write it as %40")
    host = f"{parsed.host or 'localhost'}:{parsed.port}" if parsed.port else parsed.host or "localhost"
    as_written = authority.split("@", maxsplit=1)[0].partition(":")[2]
    secrets = (str(parsed.password or ""), as_written, *_secrets_in_query(parsed))
    where = Where(f"postgresql://{host}/{parsed.database or ''}", None, tuple(filter(None, secrets)))
    return parsed.set(drivername="postgresql+psycopg"), where


def _secrets_in_query(url: URL) -> list[str]:
    """What libpq takes as ``password``, ``sslpassword`` and their like."""
    found: list[str] = []
    for name, value in url.query.items():
        if "pass" in name.lower() or "secret" in name.lower():
            found += [value] if isinstance(value, str) else value
    return found
