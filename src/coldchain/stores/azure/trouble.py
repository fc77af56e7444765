"""What does an error of Azure's server, of its library or of the connection mean for the caller?

The library's exceptions are known by name, so that this module does not import them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from coldchain.errors import Denied, NameRefused, NotAFile, NotFound, Occupied, StoreError, StoreGone, Unreliable
from coldchain.stores.objects.patience import Verdict

# Azure Storage REST API, "Blob service error codes" and "Common REST API error codes".
_KINDS: Mapping[str, tuple[type[StoreError], str]] = {
    "BlobNotFound": (NotFound, "there is no such blob"),
    "ResourceNotFound": (NotFound, "there is no such blob or container"),
    "ContainerNotFound": (NotFound, "there is no such container; make it first, or correct the name"),
    "ContainerBeingDeleted": (StoreGone, "the container is being deleted"),
    "ContainerDisabled": (StoreGone, "the container is disabled"),
    "BlobAlreadyExists": (Occupied, "something stands here already"),
    "ConditionNotMet": (Occupied, "something stands here already, or another than was expected"),
    "TargetConditionNotMet": (Occupied, "something stands here already, or another than was expected"),
    "InvalidBlobType": (Occupied, "a page or append blob stands here, which is not replaced by a file"),
    "PathConflict": (Occupied, "a folder stands here, or a file where a folder would have to be"),
    "ResourceTypeMismatch": (Occupied, "a folder stands here, or a file where a folder would have to be"),
    "InvalidBlockList": (Unreliable, "another writer has this name at the same time; it is begun again"),
    "InvalidBlobOrBlock": (Unreliable, "another program began an upload under this name, which it has to finish"),
    "BlobArchived": (NotAFile, "the blob lies in the archive tier; have it rehydrated first, then read it"),
    "BlobBeingRehydrated": (NotAFile, "the blob is being rehydrated from the archive tier; this takes hours"),
    "LeaseIdMissing": (Denied, "a lease lies on this blob, it can be neither replaced nor removed"),
    "LeaseIdMismatchWithBlobOperation": (Denied, "a lease lies on this blob, it can be neither replaced nor removed"),
    "BlobImmutableDueToPolicy": (
        Denied,
        "an immutability policy or a legal hold keeps this blob, it can be neither replaced nor removed",
    ),
    "SnapshotsPresent": (Denied, "the blob has snapshots, which would go with it; remove them first"),
    "AuthorizationPermissionMismatch": (
        Denied,
        "access is denied: this identity lacks the role (Storage Blob Data Contributor to write, Reader to read)",
    ),
    "AuthorizationFailure": (Denied, "access is denied, by the firewall of the account or for lack of rights"),
    "InsufficientAccountPermissions": (Denied, "access is denied: the account does not allow this"),
    "AccountIsDisabled": (StoreGone, "the storage account is disabled"),
    "NoAuthenticationInformation": (StoreGone, "the server wants to know who asks, and no credentials were found"),
    "PublicAccessNotPermitted": (StoreGone, "the account gives nothing to strangers; say who asks"),
    "InvalidAuthenticationInfo": (StoreGone, "the credentials are malformed or have expired; sign in again"),
    "InvalidResourceName": (NameRefused, "Azure does not keep such a name"),
    "OutOfRangeInput": (NameRefused, "Azure does not keep such a name"),
    "InvalidUri": (NameRefused, "Azure does not keep such a name"),
    "UnsupportedHeader": (Denied, "the account does not know this option"),
    "InvalidBlobTier": (Denied, "the account does not know this storage_class"),
}
_DAMAGED = {"Md5Mismatch", "Crc64Mismatch", "InvalidMd5"}
_BUGS = (TypeError, AttributeError, AssertionError, NameError)
_SKEW_S = 15 * 60


def status_of(error: BaseException | None) -> int:
    """The HTTP status, 0 when no answer came."""
    return int(getattr(error, "status_code", 0) or 0)


def judge(error: Exception, *, url: str, key: str) -> Verdict:
    """The error of the tree, and whether another try may help; a bug is raised as it is."""
    if isinstance(error, _BUGS):
        raise error
    status, code = status_of(error), _code(error)
    if not status:
        return _of_connection(error, url=url, key=key)
    # Azurite says AuthorizationFailure for a wrong key; Azure says it for a firewall, in other words
    authentic = "failed to authenticate" not in str(getattr(error, "message", ""))
    if code in _KINDS and authentic:
        kind, reason = _KINDS[code]
        return Verdict(kind(reason, url=url, key=key))
    if code == "AuthenticationFailed" or status == 401 or not authentic:
        return Verdict(StoreGone(_not_authentic(error), url=url, key=key))
    if code in _DAMAGED:
        return Verdict(Unreliable("the content was damaged on the way", url=url, key=key), again=True)
    if status < 300:
        return Verdict(Unreliable("the server's answer cannot be read", url=url, key=key), again=True)
    said = _said(error)
    if status in {408, 429} or status >= 500:
        kind = Unreliable if status in {408, 500} else StoreGone
        words = f"the server is overloaded or failing, also after several tries ({said})"
        return Verdict(kind(words, url=url, key=key), again=status != 501, asked_s=_retry_after_s(error))
    return Verdict(_of_refusal(status, said, url=url, key=key))


def _of_refusal(status: int, said: str, *, url: str, key: str) -> StoreError:
    if status == 404:
        return NotFound(f"there is no such blob ({said})", url=url, key=key)
    if status in {409, 412}:
        return Occupied(f"something stands here already ({said})", url=url, key=key)
    if status == 403:
        return Denied(f"access is denied ({said})", url=url, key=key)
    return StoreError(f"the server refused the request ({said})", url=url, key=key)


def _of_connection(error: Exception, *, url: str, key: str) -> Verdict:
    name, text = type(error).__name__, str(error)
    if name in {"ClientAuthenticationError", "CredentialUnavailableError"}:
        words = (
            "no credentials were found that work: sign in (az login), set AZURE_STORAGE_KEY or "
            "AZURE_STORAGE_CONNECTION_STRING, or say `anonymous`"
        )
        return Verdict(StoreGone(words, url=url, key=key))
    if "non-TLS" in text:
        return Verdict(StoreGone("an identity is only shown to https servers, not to this one", url=url, key=key))
    if "CERTIFICATE" in text.upper():
        return Verdict(StoreGone("the server's certificate cannot be trusted", url=url, key=key))
    if name in {"ServiceRequestError", "ServiceRequestTimeoutError"}:
        return Verdict(StoreGone("the server cannot be reached", url=url, key=key), again=True)
    return Verdict(Unreliable(f"the connection broke or stalled ({name})", url=url, key=key), again=True)


def _code(error: Exception) -> str:
    code: Any = getattr(error, "error_code", "") or ""
    return str(getattr(code, "value", code))


def _said(error: Exception) -> str:
    """The server's own words; not the library's, which may repeat addresses with signatures in them."""
    return f"{status_of(error)} {_code(error)}".strip()


def _headers(error: Exception) -> Mapping[str, str]:
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _retry_after_s(error: Exception) -> float:
    said = _headers(error).get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() else 0.0


def _not_authentic(error: Exception) -> str:
    """A signature carries the time; Azure allows 15 minutes."""
    try:
        off_s = (datetime.now(UTC) - parsedate_to_datetime(_headers(error)["date"])).total_seconds()
    except (KeyError, ValueError, TypeError, OverflowError):
        off_s = 0.0
    if abs(off_s) > _SKEW_S:
        side = "ahead of" if off_s > 0 else "behind"
        return (
            f"the clock of this computer is {abs(off_s) / 60:,.0f} minutes {side} the server's, which therefore "
            "refuses its signatures; set the clock"
        )
    return "the credentials are wrong or have expired: the server does not accept key, signature or token"
