"""Who are we for Azure, and where is the account?

The first of these counts: AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN (the names are
those of Azure's command line), and then Azure's own chain (``DefaultAzureCredential``): service principal, workload
identity, managed identity, ``az login``.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from coldchain.errors import ConfigurationError
from coldchain.stores.azure.where import Where
from coldchain.stores.objects.patience import Patience
from coldchain.stores.objects.pieces import session

_CONNECTIONS = 64
_CLOUD = "core.windows.net"


class Account(NamedTuple):
    """An account, with what proves who we are; never shown to anybody."""

    name: str
    endpoint: str
    key: str
    signature: str

    def __repr__(self) -> str:
        return f"Account({self.name!r}, {self.endpoint!r})"


def account_of(where: Where) -> Account:
    """What options and environment say; raises ConfigurationError when they name no account."""
    told = _connection_string()
    if where.account and told.get("accountname", where.account) != where.account:
        told = {}  # it is for another account
    name = where.account or told.get("accountname", "") or os.environ.get("AZURE_STORAGE_ACCOUNT", "")
    suffix = told.get("endpointsuffix", _CLOUD)
    endpoint = where.endpoint or told.get("blobendpoint", "") or (f"https://{name}.blob.{suffix}" if name else "")
    if not endpoint:
        raise ConfigurationError(f"{where.url}: which storage account? Say `account`, or set AZURE_STORAGE_ACCOUNT")
    return Account(
        name or _name_in(endpoint),
        endpoint.rstrip("/"),
        told.get("accountkey", "") or os.environ.get("AZURE_STORAGE_KEY", ""),
        told.get("sharedaccesssignature", "") or os.environ.get("AZURE_STORAGE_SAS_TOKEN", ""),
    )


def container_for(where: Where, account: Account, patience: Patience) -> Any:
    """A client of Azure's library, which tries nothing again by itself: that is counted in ``objects.patience``."""
    try:
        blob = import_module("azure.storage.blob")
        transport = import_module("azure.core.pipeline.transport").RequestsTransport
    except ImportError:
        raise _missing() from None
    try:
        return blob.ContainerClient(
            account.endpoint,
            where.container,
            credential=None if where.anonymous else _credential(account),
            retry_total=0,
            permit_redirects=False,  # Azure sends nobody elsewhere: keys and data stay with the server that is named
            transport=transport(
                session=session(_CONNECTIONS), connection_timeout=patience.connect_s, read_timeout=patience.read_s
            ),
            max_single_put_size=64 << 20,
            max_single_get_size=64 << 20,
        )
    except ValueError:  # its text may hold the key
        raise ConfigurationError(f"{where.url}: the key or the signature in the environment is none") from None


def _credential(account: Account) -> Any:
    core = import_module("azure.core.credentials")
    if account.key:
        return core.AzureNamedKeyCredential(account.name, account.key)
    if account.signature:
        return core.AzureSasCredential(account.signature.removeprefix("?"))
    try:
        return import_module("azure.identity").DefaultAzureCredential()
    except ImportError:
        raise _missing() from None


def _connection_string() -> dict[str, str]:
    parts = os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "").split(";")
    return {name.strip().lower(): value.strip() for name, _, value in (part.partition("=") for part in parts) if value}


def _name_in(endpoint: str) -> str:
    """``https://NAME.blob.…``, or ``http://host:port/NAME`` as emulators have it."""
    split = urlsplit(endpoint)
    return split.path.strip("/").partition("/")[0] or (split.hostname or "").partition(".")[0]


def _missing() -> ConfigurationError:
    return ConfigurationError('az:// needs packages: pip install "coldchain[azure]"')
