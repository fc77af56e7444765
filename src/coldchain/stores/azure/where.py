"""Which container does a URL name, and in which manner shall it be used?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from coldchain.errors import ConfigurationError
from coldchain.stores.objects import wording

_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*|\$root|\$web")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_TIERS = ("Hot", "Cool", "Cold", "Archive")
_NAMES = ("account", "endpoint", "storage_class", "anonymous", "part_size", "whole_size")


@dataclass(frozen=True, slots=True)
class Where:
    """A container, the folder in it that is the root of the store, and how it is used."""

    url: str
    container: str
    prefix: str
    """ "" or ends in a slash."""
    account: str
    """ "" for what the environment says."""
    endpoint: str
    """ "" for the account's own address."""
    tier: str
    """ "" for what the account says."""
    anonymous: bool
    part_bytes: int
    whole_bytes: int


def where(url: str, options: Mapping[str, str]) -> Where:
    """Read a URL ``az://container/folder`` and its options; raises ConfigurationError."""
    container, folder = wording.split(url, "az")
    if not url.startswith("az://") or not _CONTAINER.fullmatch(container):
        raise ConfigurationError(
            f"{url}: no container has this name (3 to 63 small letters, digits and single hyphens); "
            "the form is az://container or az://container/folder, with the account as option `account`"
        )
    plain = f"az://{container}/{folder}" if folder else f"az://{container}"
    wording.only(plain, options, _NAMES)
    account = options.get("account", "")
    if account and not _ACCOUNT.fullmatch(account):
        raise ConfigurationError(f"{plain}: no storage account is called {account!r}")
    tier = options.get("storage_class", "").capitalize()
    if tier and tier not in _TIERS:
        raise ConfigurationError(f"{plain}: storage_class is one of {', '.join(_TIERS)}, not {tier!r}")
    return Where(
        plain,
        container,
        f"{folder}/" if folder else "",
        account,
        wording.endpoint(plain, options.get("endpoint", "")),
        tier,
        wording.truth(plain, options, "anonymous"),
        wording.part_bytes(plain, options, 64 << 10, 1 << 30),
        wording.whole_bytes(plain, options),
    )
