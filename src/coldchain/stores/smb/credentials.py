"""As whom is a server asked, and in which domain is that?"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from coldchain.config.credentials import account_at
from coldchain.stores.smb.where import Where


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks; ``None`` leaves it to the system (a Kerberos ticket, the user of Windows)."""

    user: str | None
    password: str | None = field(repr=False)


def login(where: Where) -> Login:
    """Look up what ``credentials`` names; raises ConfigurationError, which says what is missing and never a secret."""
    found = account_at(where.url, where.user, where.credentials, where.secret, needs_user=True)
    user, domain = found.user, _domain(where)
    if domain and "\\" not in user and "@" not in user:
        user = f"{domain}\\{user}"
    return Login(user or None, found.password or None)


def _domain(where: Where) -> str:
    kind, _, prefix = where.credentials.partition(":")
    return os.environ.get(f"{prefix}_DOMAIN", "") if kind == "env" and where.secret is None else ""
