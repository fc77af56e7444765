"""As whom, and with which password, is a server asked?  The one module of this kind that reads the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib import import_module

from coldchain.errors import ConfigurationError
from coldchain.stores.sftp.where import Where


@dataclass(frozen=True, slots=True)
class Account:
    """Who somebody is; the password is in no text that is made of it."""

    user: str
    password: str = field(default="", repr=False)


def account(where: Where) -> Account:
    """Look up what ``credentials`` names; raises ConfigurationError when it is not there."""
    if where.secret is not None:
        return Account(where.user, where.secret.reveal())
    kind, _, name = where.credentials.partition(":")
    if not kind:
        return Account(where.user)
    if kind == "env":
        user, password = os.environ.get(f"{name}_USER", ""), os.environ.get(f"{name}_PASSWORD", "")
        if not password:
            raise ConfigurationError(f"{where.url}: the environment has no {name}_PASSWORD")
        return Account(where.user or user, password)
    try:
        keyring = import_module("keyring")
    except ImportError:
        raise ConfigurationError(
            f"{where.url}: credentials = {where.credentials!r} needs pip install keyring"
        ) from None
    try:
        stored = keyring.get_password(name, where.user)
    except Exception as error:  # every back-end has errors of its own
        raise ConfigurationError(f"{where.url}: the keyring cannot be asked ({type(error).__name__})") from error
    if not stored:
        raise ConfigurationError(
            f"{where.url}: the keyring has no password of {where.user!r} for {name!r}: "
            f"keyring set {name} {where.user or 'USER'}"
        )
    return Account(where.user, str(stored))
