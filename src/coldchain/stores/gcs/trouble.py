"""What does an error of Google's server, of its library or of the connection mean for the caller?

The libraries' exceptions are known by name, so that this module does not import them.
"""

from __future__ import annotations

from typing import Any

from coldchain.errors import Denied, NameRefused, NotFound, Occupied, StoreError, StoreGone, Unreliable
from coldchain.stores.objects.patience import Verdict

# Cloud Storage, "HTTP status and error codes for JSON": what tells apart where the status does not.
_BY_REASON: dict[str, tuple[type[StoreError], str]] = {
    "userProjectMissing": (
        StoreGone,
        "who asks pays for this bucket: say `requester_pays` and which `project` pays",
    ),
    "UserProjectAccountProblem": (StoreGone, "the project that shall pay has a problem with its billing account"),
    "userProjectInvalid": (StoreGone, "`project` is none that can pay"),
    "accountDisabled": (StoreGone, "the project's billing account is closed; ask who pays for it"),
    "retentionPolicyNotMet": (
        Denied,
        "the bucket's retention policy keeps this object, it can be neither replaced nor removed yet",
    ),
    "objectUnderActiveHold": (Denied, "a hold lies on this object, it can be neither replaced nor removed"),
    "keyDisabled": (Denied, "the encryption key of this object is disabled"),
    "quotaExceeded": (StoreGone, "the project's quota is used up"),
}
_IN_WORDS = (
    ("hold", Denied, "a hold lies on this object, it can be neither replaced nor removed"),
    ("retention", Denied, "a retention policy keeps this object, it can be neither replaced nor removed yet"),
    ("requester pays", StoreGone, "who asks pays for this bucket: say `requester_pays` and which `project` pays"),
)
_VERBS = {"GET", "POST", "PUT", "DELETE", "HEAD"}
"""The library puts method and address before what the server said."""
_RATE = {"rateLimitExceeded", "userRateLimitExceeded"}
_BUGS = (TypeError, AttributeError, AssertionError, NameError)
_TIMEOUTS = {"ReadTimeout", "ChunkedEncodingError", "ContentDecodingError", "IncompleteRead", "ProtocolError"}


def status_of(error: BaseException | None) -> int:
    """The HTTP status, 0 when no answer came."""
    return int(getattr(error, "code", 0) or 0)


def judge(error: Exception, *, url: str, key: str) -> Verdict:
    """The error of the tree, and whether another try may help; a bug is raised as it is."""
    if isinstance(error, _BUGS):
        raise error
    status = status_of(error)
    if not status:
        return _of_connection(error, url=url, key=key)
    reason, said = _reason(error), _said(error)
    if reason in _BY_REASON and reason not in _RATE:
        kind, words = _BY_REASON[reason]
        return Verdict(kind(words, url=url, key=key))
    if status in {408, 429} or status >= 500 or reason in _RATE:
        kind = Unreliable if status in {408, 500} else StoreGone
        words = f"the server is overloaded or failing, also after several tries ({said})"
        return Verdict(kind(words, url=url, key=key), again=True, asked_s=_retry_after_s(error))
    return _of_refusal(status, said, url=url, key=key)


def _of_refusal(status: int, said: str, *, url: str, key: str) -> Verdict:
    low = said.lower()
    if status == 404:
        no_bucket = "bucket" in low and "object" not in low
        words = (
            "there is no such bucket; make it first, or correct the name" if no_bucket else "there is no such object"
        )
        return Verdict(NotFound(words, url=url, key=key))
    if status in {409, 412}:
        return Verdict(Occupied("something stands here already, or another than was expected", url=url, key=key))
    if status == 401:
        words = "the credentials are wrong or have expired; sign in again (gcloud auth application-default login)"
        return Verdict(StoreGone(words, url=url, key=key))
    for word, kind, words in _IN_WORDS:
        if status in {400, 403} and word in low:
            return Verdict(kind(words, url=url, key=key))
    if status == 403:
        return Verdict(
            Denied(f"access is denied: these credentials have no right to do this here ({said})", url=url, key=key)
        )
    if status == 400 and ("crc32c" in low or "md5" in low):
        return Verdict(Unreliable("the content was damaged on the way", url=url, key=key), again=True)
    if status == 400 and "name" in low:
        return Verdict(NameRefused(f"the server does not keep such a name ({said})", url=url, key=key))
    if status == 410:
        return Verdict(Unreliable("the server gave the upload up; it is begun again", url=url, key=key))
    return Verdict(StoreError(f"the server refused the request ({said})", url=url, key=key))


def _of_connection(error: Exception, *, url: str, key: str) -> Verdict:
    name = type(error).__name__
    if name == "DefaultCredentialsError":
        words = (
            "no credentials were found: sign in (gcloud auth application-default login), set "
            "GOOGLE_APPLICATION_CREDENTIALS, or say `anonymous`"
        )
        return Verdict(StoreGone(words, url=url, key=key))
    if name in {"RefreshError", "ReauthFailError", "MalformedError"}:
        return Verdict(StoreGone("the credentials could not be used or have expired; sign in again", url=url, key=key))
    if name == "SSLError":
        return Verdict(StoreGone("the server's certificate cannot be trusted, or it speaks no TLS", url=url, key=key))
    if name in {"InvalidURL", "MissingSchema", "InvalidSchema"}:
        return Verdict(StoreGone("there is no server at this endpoint", url=url, key=key))
    if name == "TooManyRedirects":
        return Verdict(StoreGone("the server sends us elsewhere, where no key and no file goes", url=url, key=key))
    if name in _TIMEOUTS:
        return Verdict(Unreliable(f"the connection broke or stalled ({name})", url=url, key=key), again=True)
    if isinstance(error, OSError) or name == "TransportError":
        return Verdict(StoreGone(f"the server cannot be reached ({name})", url=url, key=key), again=True)
    return Verdict(Unreliable(f"the connection failed ({name})", url=url, key=key), again=True)


def _reason(error: Exception) -> str:
    errors: Any = getattr(error, "errors", None) or [{}]
    first = errors[0] if isinstance(errors, (list, tuple)) else {}
    return str(first.get("reason", "")) if isinstance(first, dict) else ""


def _said(error: Exception) -> str:
    """The server's own words; never the address, for that of an upload is as good as a password."""
    message = str(getattr(error, "message", "") or "")
    words = " ".join(word for word in message.split() if "://" not in word and word not in _VERBS)
    return f"{status_of(error)} {_reason(error)} {words[:200]}".strip()


def _retry_after_s(error: Exception) -> float:
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    said = str(headers.get("Retry-After", ""))
    return float(said) if said.isascii() and said.isdigit() else 0.0
