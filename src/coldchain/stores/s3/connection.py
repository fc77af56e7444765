"""How is a server reached?"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from coldchain.errors import ConfigurationError
from coldchain.model import Secret
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
        boto3, botocore = import_module("boto3"), import_module("botocore")
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
        session = boto3.Session(
            profile_name=manner.profile or None, region_name=manner.region or None, **_rights(where.secret)
        )
        factory = session._session.get_component("response_parser_factory")
        factory.set_parser_defaults(timestamp_parser=_moment)
        region = None if session.region_name else "us-east-1"  # servers of one's own take any, Amazon's redirect
        client = session.client(
            "s3", endpoint_url=manner.endpoint or None, region_name=region, config=configuration.Config(**config)
        )
        return client, session.get_credentials()
    except (errors.BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"s3: {error}") from error


def _moment(said: Any) -> datetime:
    """A time in an answer: a listing brings one for each key, and botocore's own parser takes ten times as long."""
    if isinstance(said, str) and said[10:11] == "T":
        with suppress(ValueError):
            moment = datetime.fromisoformat(said)
            if moment.tzinfo is not None:
                return moment
    found: datetime = import_module("botocore.utils").parse_timestamp(said)
    return found


def _rights(secret: Secret | None) -> dict[str, str]:
    """The key of the URL, in the words of boto3; nothing, when its own chain is to find one."""
    if secret is None:
        return {}
    key, _, value = secret.reveal().partition(":")
    return {"aws_access_key_id": key, "aws_secret_access_key": value}
