"""How is a server reached, and what is known about it?"""

from __future__ import annotations

import threading
import weakref
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from coldchain.errors import ConfigurationError
from coldchain.model import Secret
from coldchain.stores.s3.abilities import Abilities, InParts, find_abilities, find_in_parts
from coldchain.stores.s3.calling import Caller, Patience
from coldchain.stores.s3.keys import note_of
from coldchain.stores.s3.quick import quick_way
from coldchain.stores.s3.where import PATIENCE_S, Where

REQUESTS_AT_ONCE = 16
_CONNECT_S = 15
_OF_AMAZON = (".amazonaws.com", ".amazonaws.com.cn")


class Connection:
    """A client, and what was found out about its server; shared by all stores that have the same place open."""

    def __init__(self, where: Where, patience: Patience) -> None:
        client, credentials = _client(where)
        self._where = where
        self._endpoint = urlsplit(client.meta.endpoint_url)
        self._lock = threading.Lock()
        self._abilities: Abilities | None = None
        self._in_parts: InParts | None = None
        # the quick way has a limit of its own for a whole request, which is no shorter than the usual patience
        quick = quick_way(where, client, credentials) if where.manner.patience_s >= PATIENCE_S else None
        self.call = Caller(client, where, patience, quick)
        weakref.finalize(self, client.close)

    @property
    def server(self) -> str:
        """The server, as it belongs into the name of a volume: Amazon's bucket names are unique over all regions."""
        host = self._endpoint.netloc
        return "Amazon S3" if host.endswith(_OF_AMAZON) else host

    @property
    def in_order(self) -> bool:
        """Whether listings ascend: Amazon promises it for general purpose buckets (ListObjectsV2), others do not."""
        return self._endpoint.netloc.endswith(_OF_AMAZON) and not self._where.bucket.endswith("--x-s3")

    def abilities(self, owner: str) -> Abilities:
        """What the server does with conditions and checksums of whole objects; found out once, by writing."""
        with self._lock:
            if self._abilities is None:
                self._abilities = find_abilities(self.call, self._where.prefix + note_of(owner))
            return self._abilities

    def in_parts(self, owner: str) -> InParts:
        """What it does with those of objects that are sent in parts."""
        with self._lock:
            if self._in_parts is None:
                self._in_parts = find_in_parts(self.call, self._where.prefix + note_of(owner))
            return self._in_parts


# A run opens a place anew for every batch.  Whoever still has it open lends the others connection and knowledge.
_open: weakref.WeakValueDictionary[tuple[Where, Patience, str], Connection] = weakref.WeakValueDictionary()
_opening = threading.Lock()


def connect(where: Where, patience: Patience) -> Connection:
    """The connection that somebody has already, or a new one; raises ConfigurationError, asks the server nothing."""
    rights = where.secret.reveal() if where.secret else ""  # nobody uses the connection of one who has other rights
    with _opening:
        connection = _open.get((where, patience, rights))
        if connection is None:
            connection = _open[where, patience, rights] = Connection(where, patience)
        return connection


def _client(where: Where) -> tuple[Any, Any]:
    """A client of botocore, and the credentials that it found, None for none."""
    manner = where.manner
    try:
        boto3, botocore = import_module("boto3"), import_module("botocore")
        configuration, errors = import_module("botocore.config"), import_module("botocore.exceptions")
    except ImportError:
        raise ConfigurationError('s3:// needs packages: pip install "coldchain[s3]"') from None
    config = {
        "retries": {"total_max_attempts": 1},
        "connect_timeout": min(_CONNECT_S, manner.patience_s),
        "read_timeout": manner.patience_s,
        "max_pool_connections": 4 * REQUESTS_AT_ONCE,
        # checksums are computed here and sent as headers: older servers store the trailers of newer SDKs as content
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "user_agent_extra": "coldchain",
    }
    style = manner.addressing or ("path" if manner.endpoint else "")
    if style:
        config["s3"] = {"addressing_style": style}
    if manner.anonymous:
        config["signature_version"] = botocore.UNSIGNED
    try:
        session = boto3.Session(
            profile_name=manner.profile or None, region_name=manner.region or None, **_rights(where.secret)
        )
        region = None if session.region_name else "us-east-1"  # servers of one's own take any, Amazon's redirect
        client = session.client(
            "s3", endpoint_url=manner.endpoint or None, region_name=region, config=configuration.Config(**config)
        )
        return client, session.get_credentials()
    except (errors.BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"s3: {error}") from error


def _rights(secret: Secret | None) -> dict[str, str]:
    """The key of the URL, in the words of boto3; nothing, when its own chain is to find one."""
    if secret is None:
        return {}
    key, _, value = secret.reveal().partition(":")
    return {"aws_access_key_id": key, "aws_secret_access_key": value}
