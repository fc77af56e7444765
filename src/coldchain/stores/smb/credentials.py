"""With which user and password is a server asked, and where do they come from?"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib import import_module

from coldchain.errors import ConfigurationError
from coldchain.stores.smb.where import Where


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks; ``None`` leaves it to the system (a Kerberos ticket, the user of Windows)."""

    user: str | None
    password: str | None = field(repr=False)


def login(where: Where) -> Login:
    """Look up what ``credentials`` names; raises ConfigurationError, which says what is missing and never a secret."""
    if where.secret is not None:
        return Login(where.user or None, where.secret.reveal())
    source, _, name = where.credentials.partition(":")
    if source == "env":
        return _from_environment(where, name)
    if source == "keyring":
        return _from_keyring(where, name)
    return Login(where.user or None, None)


def _from_environment(where: Where, prefix: str) -> Login:
    user = os.environ.get(f"{prefix}_USER", "") or where.user
    password = os.environ.get(f"{prefix}_PASSWORD", "")
    if not user or not password:
        missing = "PASSWORD" if user else "USER"
        raise ConfigurationError(f"{where.url}: the environment has no {prefix}_{missing}")
    domain = os.environ.get(f"{prefix}_DOMAIN", "")
    return Login(f"{domain}\\{user}" if domain and "\\" not in user and "@" not in user else user, password)


def _from_keyring(where: Where, service: str) -> Login:
    if not where.user:
        raise ConfigurationError(
            f"{where.url}: name the user in the URL, smb://user@server/share: the keyring asks for it"
        )
    try:
        keyring = import_module("keyring")
    except ImportError:
        raise ConfigurationError(
            f"{where.url}: credentials from a keyring need a package: pip install keyring"
        ) from None
    try:
        password = keyring.get_password(service, where.user)
    except Exception as error:  # each backend of keyring has errors of its own
        raise ConfigurationError(f"{where.url}: the keyring cannot be read ({type(error).__name__})") from error
    if not password:
        raise ConfigurationError(
            f"{where.url}: the keyring holds no password of {where.user}; store it: keyring set {service} {where.user}"
        )
    return Login(where.user, password)
