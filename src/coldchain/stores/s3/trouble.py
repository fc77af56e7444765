"""What does an error of the server or of the connection mean for the caller?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from coldchain.errors import (
    Denied,
    NameRefused,
    NotAFile,
    NotFound,
    Occupied,
    StoreError,
    StoreFull,
    StoreGone,
    Unreliable,
)
from coldchain.stores.objects.patience import Verdict

# Amazon S3 API Reference, "List of error codes"; further codes of MinIO, Ceph and SeaweedFS.
_KINDS: Mapping[str, tuple[type[StoreError], str]] = {
    "NoSuchKey": (NotFound, "there is no such object"),
    "NotFound": (NotFound, "there is no such object"),
    "404": (NotFound, "there is no such object"),
    "NoSuchVersion": (NotFound, "there is no such version of the object"),
    "NoSuchBucket": (NotFound, "there is no such bucket; make it first, or correct the name"),
    "NoSuchUpload": (Unreliable, "the upload was aborted by somebody else; it is begun again"),
    "PreconditionFailed": (Occupied, "something stands here already"),
    "412": (Occupied, "something stands here already"),
    "ConditionalRequestConflict": (Occupied, "another writer wants this name at the same time"),
    "KeyTooLongError": (NameRefused, "the name is too long for an object key (1,024 bytes)"),
    "XMinioInvalidObjectName": (NameRefused, "this server does not keep such a name"),
    "InvalidObjectName": (NameRefused, "this server does not keep such a name"),
    "InvalidURI": (NameRefused, "this server does not keep such a name"),
    "XMinioParentIsObject": (Occupied, "a file stands where a folder would have to be"),
    "ExistingObjectIsDirectory": (Occupied, "a folder stands here"),
    "ExistingObjectIsFile": (Occupied, "a file stands where a folder would have to be"),
    "InvalidObjectState": (NotAFile, "the object lies in an archive tier; have it restored first, then read it"),
    "QuotaExceeded": (StoreFull, "the quota is used up"),
    "InsufficientStorage": (StoreFull, "there is no room left"),
    "507": (StoreFull, "there is no room left"),
    "XMinioStorageFull": (StoreFull, "there is no room left"),
    "AccessDenied": (Denied, "access is denied: these credentials have no right to do this here"),
    "AllAccessDisabled": (Denied, "access to this bucket is switched off"),
    "403": (Denied, "access is denied"),
    "MethodNotAllowed": (Denied, "the server does not allow this"),
    "405": (Denied, "the server does not allow this"),
    "ExpiredToken": (StoreGone, "the credentials have expired; sign in again"),
    "ExpiredTokenException": (StoreGone, "the credentials have expired; sign in again"),
    "TokenRefreshRequired": (StoreGone, "the credentials have expired; sign in again"),
    "InvalidToken": (StoreGone, "the session token is not valid; sign in again"),
    "InvalidAccessKeyId": (StoreGone, "the server does not know this access key"),
    "SignatureDoesNotMatch": (StoreGone, "the secret key is wrong: the server computes another signature"),
    "AccountProblem": (StoreGone, "there is a problem with the account; ask who pays for it"),
    "InvalidBucketName": (StoreGone, "no bucket can have this name"),
    "NotImplemented": (Denied, "the server cannot do this"),
    "501": (Denied, "the server cannot do this"),
}
_SKEWED = {"RequestTimeTooSkewed", "RequestExpired"}
_AGAIN = {
    *("RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"),
    *("InternalError", "ServiceUnavailable", "OperationAborted", "ConditionalRequestConflict"),
    *("BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "InvalidDigest", "RequestTimeoutException"),
}
"""Another try may succeed; those of a body that arrived damaged are among them."""
_BUSY = {429, 502, 503, 504}
_BUGS = (TypeError, AttributeError, AssertionError)
"""Of this program: they are no trouble on the way."""


def code_of(error: BaseException | None) -> str:
    """The server's own word for what is wrong; the status where it says none; "" for trouble on the way."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def status_of(error: BaseException | None) -> int:
    """The HTTP status, 0 when no answer came."""
    response = getattr(error, "response", None)
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) if isinstance(response, dict) else 0


def is_temporary(error: Exception) -> bool:
    """Whether the same request may succeed in a moment."""
    if not code_of(error) and not status_of(error):
        return type(error).__name__ not in _FINAL and not isinstance(error, _BUGS)
    failed = status_of(error) >= 500 and status_of(error) != 507
    return code_of(error) in _AGAIN or status_of(error) == 429 or (failed and code_of(error) not in _KINDS)


def retry_after_s(error: Exception) -> float:
    """How long the server asks to wait; 0 when it says nothing."""
    said = _headers(error).get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() else 0.0


def judge(error: Exception, *, url: str, key: str) -> Verdict:
    """The error of the tree, and whether another try may help; a bug is raised as it is."""
    return Verdict(translate(error, url=url, key=key), is_temporary(error), retry_after_s(error))


def translate(error: Exception, *, url: str, key: str) -> StoreError:
    """The error of the tree for what a request met in the end; raises what is a bug."""
    if isinstance(error, _BUGS):
        raise error
    code, status = code_of(error), status_of(error)
    if not code and not status:
        return _of_connection(error, url=url, key=key)
    if code in _SKEWED:
        return StoreGone(_skew(error), url=url, key=key)
    if code in _KINDS:
        kind, reason = _KINDS[code]
        return kind(reason, url=url, key=key)
    reason = _said(error)
    if status in _BUSY:
        return StoreGone(
            f"the server is overloaded or being repaired, also after several tries ({reason})", url=url, key=key
        )
    if status == 403:
        return Denied(f"access is denied ({reason})", url=url, key=key)
    if status >= 500 or code in _AGAIN:
        return Unreliable(f"the server failed ({reason})", url=url, key=key)
    return StoreError(f"the server refused the request ({reason})", url=url, key=key)


_FINAL = {
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError"),
    *("SSOTokenLoadError", "UnauthorizedSSOTokenError", "SSLError", "ParamValidationError", "NoRegionError"),
}
_WITHOUT_RIGHTS = (
    "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a `profile`, or say `anonymous`"
)


def _of_connection(error: Exception, *, url: str, key: str) -> StoreError:
    """botocore's own errors (``botocore.exceptions``), known by name so that this module does not import it."""
    name = type(error).__name__
    if name in {"NoCredentialsError", "PartialCredentialsError"}:
        return StoreGone(_WITHOUT_RIGHTS, url=url, key=key)
    if "Token" in name or name == "CredentialRetrievalError":
        return StoreGone("the credentials could not be fetched or have expired; sign in again", url=url, key=key)
    if name == "SSLError":
        return StoreGone("the server's certificate cannot be trusted, or it speaks no TLS", url=url, key=key)
    if name in {"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"}:
        return StoreGone("the server cannot be reached", url=url, key=key)
    if name == "ParamValidationError":
        return NameRefused("the protocol has no way to say this name", url=url, key=key)
    return Unreliable(f"the connection failed ({name})", url=url, key=key)


def _said(error: Exception) -> str:
    response: dict[str, Any] = getattr(error, "response", None) or {}  # None where no answer came
    message = str(response.get("Error", {}).get("Message", ""))[:200]
    return ": ".join(part for part in (f"{status_of(error)} {code_of(error)}".strip(), message) if part)


def _headers(error: Exception) -> dict[str, str]:
    response: dict[str, Any] = getattr(error, "response", None) or {}  # None where no answer came
    headers: dict[str, str] = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers


def _skew(error: Exception) -> str:
    """A signature carries the time; servers allow 15 minutes."""
    try:
        off_s = (datetime.now(UTC) - parsedate_to_datetime(_headers(error)["date"])).total_seconds()
    except (KeyError, ValueError, TypeError, OverflowError):  # "-0000" is a time without a zone
        return "the clock of this computer is wrong: the server refuses its signatures; set the clock"
    side = "ahead of" if off_s > 0 else "behind"
    return (
        f"the clock of this computer is {abs(off_s) / 60:,.0f} minutes {side} the server's, which therefore refuses "
        "its signatures; set the clock"
    )
