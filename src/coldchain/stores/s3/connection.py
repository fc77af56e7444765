"""How is a server reached?"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from coldchain.errors import ConfigurationError
from coldchain.stores.objects.patience import Patience
from coldchain.stores.objects.staging import REQUESTS_AT_ONCE
from coldchain.stores.s3.calling import Caller
from coldchain.stores.s3.quick import quick_way
from coldchain.stores.s3.where import Where

_OF_AMAZON = (".amazonaws.com", ".amazonaws.com.cn")


class Connection(NamedTuple):
    """A way to a bucket."""

    client: Any
    call: Caller
    server: str
    """As it belongs into the name of a volume: Amazon's bucket names are unique over all regions."""
    in_order: bool
    """Listings ascend: Amazon promises it for general purpose buckets (ListObjectsV2), others do not."""


def connect(where: Where, patience: Patience) -> Connection:
    """Find credentials; raises ConfigurationError, asks the server nothing."""
    client, credentials = _client(where, patience)
    host = urlsplit(client.meta.endpoint_url).netloc
    amazon = host.endswith(_OF_AMAZON)
    quick = quick_way(where, patience, client, credentials)
    return Connection(
        client,
        Caller(client, where, patience, quick),
        "Amazon S3" if amazon else host,
        in_order=amazon and not where.bucket.endswith("--x-s3"),
    )


def _client(where: Where, patience: Patience) -> tuple[Any, Any]:
    """A client of botocore, and the credentials that it found, None for none."""
    manner = where.manner
    try:
        botocore, sessions = import_module("botocore"), import_module("botocore.session")
        configuration, errors = import_module("botocore.config"), import_module("botocore.exceptions")
    except ImportError:
        raise ConfigurationError('s3:// needs packages: pip install "coldchain[s3]"') from None
    config = {
        "retries": {"total_max_attempts": 1},
        "connect_timeout": patience.connect_s,
        "read_timeout": patience.read_s,
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
        session = sessions.Session(profile=manner.profile or None)
        session.register_component("data_loader", _models())
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
        if manner.region:
            session.set_config_variable("region", manner.region)
        if where.secret:
            key, _, value = where.secret.reveal().partition(":")
            session.set_credentials(key, value)
        client = session.create_client(
            "s3",
            endpoint_url=manner.endpoint or None,
            region_name=session.get_config_variable("region") or "us-east-1",  # one's own take any, Amazon's redirect
            config=configuration.Config(**config),
        )
        return client, session.get_credentials()
    except (errors.BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"s3: {error}") from error


@cache
def _models() -> Any:
    """What botocore knows of Amazon's services: reading it takes ten times as long as all else that makes a client."""
    return import_module("botocore.session").Session().get_component("data_loader")


def _moment(said: Any) -> datetime:
    """A time in an answer: a listing brings one for each key, and botocore's own parser takes ten times as long."""
    if isinstance(said, str) and said[10:11] == "T":
        with suppress(ValueError):
            moment = datetime.fromisoformat(said)
            if moment.tzinfo is not None:
                return moment
    found: datetime = import_module("botocore.utils").parse_timestamp(said)
    return found
