"""Where is the password that a configuration names, but does not hold?"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib import import_module

from coldchain.errors import ConfigurationError
from coldchain.model import Secret


@dataclass(frozen=True, slots=True)
class Account:
    """Who somebody is; the password is in no text that is made of it."""

    user: str
    password: str = field(default="", repr=False)


def account_at(
    url: str, user: str, credentials: str, secret: Secret | None = None, *, needs_user: bool = False
) -> Account:
    """As whom a place is asked: with the password that stood in its URL, or else with what ``look_up`` finds."""
    if secret is not None:
        return Account(user, secret.reveal())
    try:
        return look_up(credentials, user, needs_user=needs_user)
    except ConfigurationError as error:
        raise ConfigurationError(f"{url}: {error}") from None


def look_up(credentials: str, user: str, *, needs_user: bool = False) -> Account:
    """Ask the environment (``env:PREFIX``) or the keyring of the system (``keyring:SERVICE``); "" asks nobody.

    ``user`` is whom the configuration names, and goes before ``PREFIX_USER``; it may be "" unless ``needs_user``.

    Raises:
        ConfigurationError: Something is missing; the text says what, and holds no secret.
    """
    kind, _, name = credentials.partition(":")
    if not kind:
        return Account(user)
    if kind == "env":
        return _from_environment(name, user, needs_user=needs_user)
    if kind == "keyring":
        return _from_keyring(name, user)
    raise ConfigurationError('credentials are "env:NAME" or "keyring:SERVICE"')


def _from_environment(prefix: str, user: str, *, needs_user: bool) -> Account:
    user = user or os.environ.get(f"{prefix}_USER", "")
    password = os.environ.get(f"{prefix}_PASSWORD", "")
    if not password:
        raise ConfigurationError(f"the environment has no {prefix}_PASSWORD")
    if needs_user and not user:
        raise ConfigurationError(f"the environment has no {prefix}_USER")
    return Account(user, password)


def _from_keyring(service: str, user: str) -> Account:
    if not user:
        raise ConfigurationError("a keyring is asked for the password of a user: name the user, //USER@SERVER in a URL")
    try:
        keyring = import_module("keyring")
    except ImportError:
        raise ConfigurationError(
            f"credentials = 'keyring:{service}' needs a package: pip install \"coldchain[keyring]\""
        ) from None
    try:
        stored = keyring.get_password(service, user)
    except Exception as error:  # every back-end has errors of its own
        raise ConfigurationError(f"the keyring cannot be asked ({type(error).__name__})") from error
    if not stored:
        raise ConfigurationError(
            f"the keyring has no password of {user!r} for {service!r}; store it: keyring set {service} {user}"
        )
    return Account(user, str(stored))
