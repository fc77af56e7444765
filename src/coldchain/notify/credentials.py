"""As whom, and with which password, is a mail server asked?  The one module here that reads the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib import import_module

from coldchain.config.values import Mail
from coldchain.notify.base import NotifyRefused


@dataclass(frozen=True, slots=True)
class Account:
    """Who somebody is; the password is in no text that is made of it."""

    user: str
    password: str = field(default="", repr=False)


def account(mail: Mail) -> Account | None:
    """Look up what ``credentials`` names, None where it names nothing; raises NotifyRefused when it is not there."""
    kind, _, name = mail.credentials.partition(":")
    if not kind:
        return None
    if kind == "env":
        user = mail.user or os.environ.get(f"{name}_USER", "")
        password = os.environ.get(f"{name}_PASSWORD", "")
        missing = f"{name}_PASSWORD" if not password else "" if user else f"{name}_USER"
        if missing:
            raise NotifyRefused(f"the environment has no {missing}")
        return Account(user, password)
    if kind != "keyring":
        raise NotifyRefused("credentials is env:PREFIX or keyring:SERVICE")
    return _from_keyring(mail.user, name)


def _from_keyring(user: str, service: str) -> Account:
    try:
        keyring = import_module("keyring")
    except ImportError:
        raise NotifyRefused("credentials = 'keyring:...' needs pip install keyring") from None
    try:
        stored = keyring.get_password(service, user)
    except Exception as error:  # every back-end has errors of its own
        raise NotifyRefused(f"the keyring cannot be asked ({type(error).__name__})") from None
    if not stored:
        raise NotifyRefused(f"the keyring has no password of {user!r} for {service!r}: keyring set {service} {user}")
    return Account(user, str(stored))
