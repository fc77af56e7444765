"""Who are we for Google, and where is its server?

Credentials are found by Google's own chain (Application Default Credentials): GOOGLE_APPLICATION_CREDENTIALS, what
``gcloud auth application-default login`` left, workload identity, the machine's service account.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from coldchain.errors import ConfigurationError
from coldchain.stores.gcs.where import Where
from coldchain.stores.objects.pieces import mount

_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
_CONNECTIONS = 64
GOOGLE = "https://storage.googleapis.com"


def endpoint_of(where: Where) -> str:
    """The server that is asked."""
    said = where.endpoint or os.environ.get("STORAGE_EMULATOR_HOST", "")
    return (said if "://" in said or not said else f"http://{said}").rstrip("/") or GOOGLE


def client_for(where: Where) -> Any:
    """A client of Google's library; raises ConfigurationError, and what google-auth raises without credentials."""
    try:
        storage = import_module("google.cloud.storage")
        transport = import_module("google.auth.transport.requests")
        import_module("google_crc32c")
    except ImportError:
        raise ConfigurationError('gs:// needs packages: pip install "coldchain[gcs]"') from None
    credentials = _credentials(where)
    session = transport.AuthorizedSession(credentials)
    session.max_redirects = 0  # Google sends nobody elsewhere: tokens and data stay with the server that is named
    # the library tries nothing again by itself: that is counted in one place, ``objects.patience``
    mount(session, _CONNECTIONS)
    return storage.Client(
        project=None, credentials=credentials, _http=session, client_options={"api_endpoint": endpoint_of(where)}
    )


def _credentials(where: Where) -> Any:
    emulated = not where.endpoint and bool(os.environ.get("STORAGE_EMULATOR_HOST"))
    if where.anonymous or emulated:
        return import_module("google.auth.credentials").AnonymousCredentials()
    return import_module("google.auth").default(scopes=_SCOPES)[0]
